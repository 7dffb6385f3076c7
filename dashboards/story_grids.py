"""Tables of the Company and Stories pages. Text in their cells is text, as in `dashboards.grids`."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from dashboards import theme
from dashboards.grids import ROW, height, read_score, safe_link
from monitor.alert import explain


def related_grid(rows: pd.DataFrame, *, tone: str, key: str, on_select: Callable[[], None]) -> None:
    """Draw companies that have to do with one; `rows` as `dashboards.subjects.related`."""
    scores = rows["score"].tolist()
    shown = pd.DataFrame(
        {
            "Company": rows["name"],
            "Is": rows["relation"],
            "Index": rows["score"].astype("float64"),
            "Items": rows["items"],
            "Alerts": rows["alerts"],
        }
    )
    alarmed = rows["alerts"].gt(0).tolist()
    styled = (
        shown.style.format(explain.score, subset=["Index"])
        .apply(lambda column: [theme.tint(score) for score in scores], subset=["Index"])
        .apply(
            lambda column: [
                f"color: {theme.severity_colour(5, tone)}; font-weight: 600" if here else ""
                for here in alarmed
            ],
            subset=["Alerts"],
        )
    )
    columns = st.column_config
    st.dataframe(
        styled,
        key=key,
        hide_index=True,
        height=height(rows, 176),
        row_height=ROW,
        placeholder="no data",
        on_select=on_select,
        selection_mode="single-row",
        column_config={
            "Company": columns.TextColumn(),
            "Is": columns.TextColumn(width=110),
            "Index": columns.NumberColumn(width=70, help="Mean sentiment of the items of 24 hours"),
            "Items": columns.NumberColumn(width=56, help="Items of the last 24 hours"),
            "Alerts": columns.NumberColumn(width=56, help="Open alerts"),
        },
    )


def reports_grid(rows: pd.DataFrame, *, key: str) -> None:
    """Draw the reports of a story: columns published_at, publisher, title, quote, score, own, said, url."""
    scores = rows["score"].tolist()
    shown = pd.DataFrame(
        {
            "Published": rows["published_at"],
            "Publisher": rows["publisher"],
            "Voice": ["own" if own else "copy" for own in rows["own"]],
            "Score": [read_score(score) for score in scores],
            "Title": rows["title"],
            "Says": rows["said"],
            "By the words": rows["quote"],
            "Link": rows["url"].map(safe_link),
        }
    )
    styled = shown.style.apply(
        lambda column: [theme.tint(score) for score in scores], subset=["Score"]
    )
    columns = st.column_config
    st.dataframe(
        styled,
        key=key,
        hide_index=True,
        height=height(rows, 350),
        row_height=ROW,
        placeholder="",
        column_config={
            "Published": columns.DatetimeColumn(width=94, format="D MMM HH:mm", timezone="UTC"),
            "Publisher": columns.TextColumn(width=128),
            "Voice": columns.TextColumn(
                width=52, help="Copy: an earlier report has this text, or nearly so"
            ),
            "Score": columns.TextColumn(width=62),
            "Title": columns.TextColumn(),
            "Says": columns.TextColumn(width=118),
            "By the words": columns.TextColumn(width=130),
            "Link": columns.LinkColumn(width=52, display_text="open"),
        },
    )
