"""Cards and links that several pages have: an alert, a story, the pages of a company or topic."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import data, theme, words
from dashboards.pages import frame
from dashboards.stories import Told
from monitor.alert import explain
from monitor.domain import AlertState, Dimension

OPEN = (AlertState.FIRING.value, AlertState.ACKNOWLEDGED.value)
STAGES = {
    "rumour": "yellow",
    "confirmed": "red",
    "corrected": "orange",
    "denied": "blue",
    "withdrawn": "blue",
    "resolved": "green",
    "stale": "gray",
}


def link(page: str, label: str, **params: str) -> None:
    """Draw a link to a page of this dashboard; ``label`` is ours, never text from outside."""
    st.page_link(
        st.session_state["pages"][page],
        label=label,
        icon=":material/chevron_right:",
        icon_position="right",
        query_params=params or None,
    )


def subject_link(dimension: Dimension, key: str) -> None:
    """Draw the link to the page of a company or topic, where it has one."""
    if dimension is Dimension.COMPANY:
        link("company", "Company page", company=key)
    elif dimension is Dimension.TOPIC:
        link("topic", "Topic page", topic=key)


def alert(row: Mapping[Hashable, Any], now: datetime) -> None:
    """Draw an alert; ``row`` is of `monitor.store.pages.alert_rows`."""
    severity, ident = int(row["severity"]), str(row["id"])
    with st.container(key=f"card-{severity}-{ident}", gap=None):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(theme.severity_word(severity), color=theme.severity_badge(severity))
            with st.container(key=f"row-title-{ident}", width="stretch"):
                st.text(str(row["title"]), width="stretch")
            link("alerts", "Open", alert=ident)
        state = str(row["state"])
        if state == AlertState.FIRING.value:
            state = "not acknowledged"
        elif state == AlertState.ACKNOWLEDGED.value:
            state = f"acknowledged by {row['acknowledged_by']}"
        parts = [
            explain.count(int(row["items"]), "item"),
            explain.count(int(row["publishers"]), "publisher"),
            f"since {words.clock(row['started_at'])} ({explain.span(now - row['started_at'])})",
            state,
        ]
        with st.container(key=f"row-meta-{ident}"):
            st.text(" · ".join(parts))


def alerts(rows: pd.DataFrame, now: datetime, none: str, most: int = 12) -> None:
    """Draw alerts, open ones first; ``none`` is said where there are none."""
    count = int(rows["state"].isin(OPEN).sum())
    st.subheader(f"Alerts · {count} open" if count else "Alerts", anchor=False)
    if rows.empty:
        frame.note(none)
        return
    for row in rows.head(most).to_dict("records"):
        alert(row, now)
    if len(rows) > most:
        frame.note(f"{len(rows) - most} more, older or milder, are on the Alerts page.")


def stage_badge(stage: str) -> None:
    """Draw how sure an event is."""
    if stage:
        st.badge(stage, color=STAGES.get(stage, "gray"))  # type: ignore[arg-type]


def story(url: str, told: Told) -> None:
    """Draw a story with the way to its page."""
    what = told.story
    severity = max(1, what.severity)
    with st.container(key=f"card-{severity}-story-{what.id}", gap=None):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if what.severity:
                badge = theme.severity_badge(severity)
                st.badge((what.event or "").replace("_", " "), color=badge)
            with st.container(key=f"row-title-{what.id}", width="stretch"):
                st.text(what.title, width="stretch")
            link("story", "Open", story=told.key)
        known = data.names(url)
        now = data.now(url)
        parts = [
            ", ".join(known.get(each, each) for each in what.company_ids[:3]),
            what.stage,
            explain.count(len(what.articles), "report"),
            f"{len(what.publishers)} independent",
            f"newest {explain.span(now - what.last_at)} ago",
            explain.count(len(told.alerts), "alert") if told.alerts else "",
        ]
        with st.container(key=f"row-meta-{what.id}"):
            st.text(" · ".join(part for part in parts if part))
