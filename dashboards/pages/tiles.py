"""The numbers at the top of a page of one company or topic."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboards import theme
from dashboards.pages.cards import OPEN
from dashboards.subjects import Standing
from monitor.alert import explain


def draw(how: Standing, alerts: pd.DataFrame) -> None:
    """Draw index, volume, share of bad news and open alerts, each against what is usual."""
    one, two, three, four = st.columns(4, gap="small")
    one.metric(
        "Sentiment index, 24 h",
        explain.score(how.index),
        delta=_index(how),
        delta_color="off",
        delta_arrow="off",
        border=True,
        chart_data=how.spark_index if len(how.spark_index) > 1 else None,
    )
    against = "baseline warming up"
    if how.usual_items:
        z = f"{how.z:+.1f}".replace("-", "−") if how.z is not None else "–"
        against = f"{how.items / how.usual_items:.1f} × usual · z {z}"
    two.metric(
        "Items, 24 h",
        f"{how.items:,}",
        delta=against,
        delta_color="off",
        delta_arrow="off",
        border=True,
        chart_data=how.spark_items,
        chart_type="bar",
    )
    read = how.items - how.unread
    three.metric(
        "Negative items, 24 h",
        f"{how.negative:,}",
        delta=f"{how.negative / read:.0%} of {read:,} read" if read else "no data",
        delta_color="off",
        delta_arrow="off",
        border=True,
    )
    open_ = alerts[alerts["state"].isin(OPEN)]
    worst = theme.severity_word(int(open_["severity"].max())).lower() if len(open_) else ""
    four.metric(
        "Open alerts",
        len(open_),
        delta=f"worst: {worst}" if worst else "none",
        delta_color="off",
        delta_arrow="off",
        border=True,
    )


def _index(how: Standing) -> str:
    if how.usual_index is None or how.low is None or how.high is None:
        return "usual: warming up"
    usual = f"usual {explain.score(how.usual_index)}"
    if how.index is None:
        return usual
    where = "below" if how.index < how.low else "above" if how.index > how.high else "within"
    return f"{where} the {usual}" if where != "within" else f"as {usual}"
