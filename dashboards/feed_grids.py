"""Tables of the Feeds page. Text in their cells is text, as in `dashboards.grids`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

from dashboards.feeds import BAD, GOOD, MIND, Source
from dashboards.grids import ROW, height
from monitor.alert import explain

COLOURS = {
    GOOD: {"light": "#2E8B6F", "dark": "#5CC6A5"},
    MIND: {"light": "#A87107", "dark": "#F1C25B"},
    BAD: {"light": "#B0123B", "dark": "#FF8FA6"},
}


def sources_grid(found: Sequence[Source], now: datetime, *, tone: str, key: str) -> None:
    """Draw sources; see `dashboards.feeds.sources`."""
    shown = pd.DataFrame(
        {
            "State": [each.state for each in found],
            "Source": [each.name for each in found],
            "Why": [each.said for each in found],
            "Last success": [
                _ago(each.visited.succeeded_at if each.visited else None, now) for each in found
            ],
            "Last new item": [_ago(each.last_at, now) for each in found],
            "New, 24 h": [each.items for each in found],
            "Lag": [
                "no data" if each.lag_s is None else explain.span(timedelta(seconds=each.lag_s))
                for each in found
            ],
            "24 hours": [each.by_hour for each in found],
            "Last error": [each.visited.failure if each.visited else "" for each in found],
        }
    )
    colours = [COLOURS[each.state][tone] for each in found]
    styled = shown.style.apply(
        lambda column: [f"color: {colour}; font-weight: 650" for colour in colours],
        subset=["State"],
    )
    columns = st.column_config
    st.dataframe(
        styled,
        key=key,
        hide_index=True,
        height=height(shown, 480),
        row_height=ROW,
        column_config={
            "State": columns.TextColumn(width=62),
            "Source": columns.TextColumn(width=170),
            "Why": columns.TextColumn(width=330),
            "Last success": columns.TextColumn(width=104),
            "Last new item": columns.TextColumn(width=104),
            "New, 24 h": columns.NumberColumn(width=76),
            "Lag": columns.TextColumn(width=90, help="Median, from publication to here"),
            "24 hours": columns.BarChartColumn(width=170, y_min=0, color="#6B8299"),
            "Last error": columns.TextColumn(),
        },
    )


def letters_grid(rows: pd.DataFrame, *, key: str) -> None:
    """Draw what could not be used; see `dashboards.feeds.dead_letters`."""
    columns = st.column_config
    st.dataframe(
        rows.rename(columns=lambda name: name.replace("_at", "").capitalize()),
        key=key,
        hide_index=True,
        height=height(rows, 300),
        row_height=ROW,
        column_config={
            "Failed": columns.DatetimeColumn(width=112, format="D MMM HH:mm", timezone="UTC"),
            "Stage": columns.TextColumn(width=84),
            "Reason": columns.TextColumn(width=110),
            "Detail": columns.TextColumn(),
            "Origin": columns.TextColumn(width=240),
        },
    )


def _ago(moment: datetime | None, now: datetime) -> str:
    return "no data" if moment is None else f"{explain.span(now - moment)} ago"
