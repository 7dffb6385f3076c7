"""Tables of the Backtest page. Text in their cells is text, as in `dashboards.grids`."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import streamlit as st

from dashboards import theme
from dashboards.grids import ROW, height
from monitor.alert import explain


def events_grid(rows: pd.DataFrame, *, key: str) -> None:
    """Draw what had to be seen; see `dashboards.backtests.events`."""
    seen = rows["detected"].tolist()
    shown = pd.DataFrame(
        {
            "Seen": ["seen" if each else "missed" for each in seen],
            "Company": rows["entity"],
            "Event": rows["kind"],
            "Delay": [
                explain.span(timedelta(seconds=delay)) if delay == delay else "—"
                for delay in rows["delay_s"]
            ],
            "First headline": rows["first_headline_at"],
            "Told by": rows["decisive"].fillna(""),
            "Feed": rows["window"],
        }
    )
    styled = shown.style.apply(
        lambda column: [
            "" if each else f"color: {theme.NEGATIVE}; font-weight: 650" for each in seen
        ],
        subset=["Seen"],
    )
    columns = st.column_config
    st.dataframe(
        styled,
        key=key,
        hide_index=True,
        height=height(rows, 360),
        row_height=ROW,
        column_config={
            "Seen": columns.TextColumn(width=64),
            "Company": columns.TextColumn(width=160),
            "Event": columns.TextColumn(width=120),
            "Delay": columns.TextColumn(width=84),
            "First headline": columns.DatetimeColumn(
                width=130, format="D MMM YYYY HH:mm", timezone="UTC"
            ),
            "Told by": columns.TextColumn(),
            "Feed": columns.TextColumn(width=90),
        },
    )


def windows_grid(rows: pd.DataFrame, *, key: str) -> None:
    """Draw the figures of each feed; see `dashboards.backtests.windows`."""
    shown = rows.copy()
    for name in ("delay_median_s", "delay_p90_s"):
        shown[name] = [
            "no data" if at is None or at != at else explain.span(timedelta(seconds=float(at)))
            for at in rows[name]
        ]
    st.dataframe(
        shown.rename(columns=WINDOWS),
        key=key,
        hide_index=True,
        height=height(rows),
        row_height=ROW,
        placeholder="no data",
    )


WINDOWS = {
    "window": "Feed",
    "days": "Days",
    "articles": "Items",
    "events": "Events",
    "detected": "Seen",
    "delay_median_s": "Median delay",
    "delay_p90_s": "90% within",
    "alerts": "Alerts",
    "alerts_per_day_per_100": "A day per 100 companies",
    "notifications": "Messages",
    "repeats": "Repeats",
}


def backtest_alerts_grid(rows: pd.DataFrame, *, tone: str, key: str) -> None:
    """Draw the alerts of a backtest; see `dashboards.backtests.alerts`."""
    severities = rows["severity"].tolist()
    shown = pd.DataFrame(
        {
            "Severity": [f"{at} {theme.severity_word(at)}" for at in severities],
            "Alert": rows["title"],
            "Kind": rows["kind"],
            "Since": rows["started_at"],
            "Items": rows["items"],
            "Publ.": rows["publishers"],
            "Judged": rows["verdict"].replace("", "—"),
        }
    )
    styled = shown.style.apply(
        lambda column: [
            f"color: {theme.severity_colour(at, tone)}; font-weight: 600" for at in severities
        ],
        subset=["Severity"],
    )
    columns = st.column_config
    st.dataframe(
        styled,
        key=key,
        hide_index=True,
        height=height(rows, 420),
        row_height=ROW,
        column_config={
            "Severity": columns.TextColumn(width=84),
            "Alert": columns.TextColumn(),
            "Kind": columns.TextColumn(width=80),
            "Since": columns.DatetimeColumn(width=130, format="D MMM YYYY HH:mm", timezone="UTC"),
            "Items": columns.NumberColumn(width=56),
            "Publ.": columns.NumberColumn(width=56, help="Different publishers"),
            "Judged": columns.TextColumn(width=110),
        },
    )
