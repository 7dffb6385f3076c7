"""My watchlist: what matters to who looks, by what they follow and what they said of alerts."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboards import data, desk, finding, visitor
from dashboards.grids import items_grid
from dashboards.pages import frame
from monitor.store.interests import MOST, Kind

ITEMS = 80


def page() -> None:
    """Draw the viewer's own list; everybody has one."""
    frame.live(_draw)


def _draw(url: str) -> None:
    frame.strip(url, "My watchlist")
    frame.stopped(url)
    looks = visitor.current()
    if looks is None:
        return
    person = looks.person.name
    followed = finding.followed(url, person)
    known = data.names(url)
    with st.container(key="panel-follow"):
        one, two = st.columns(2, gap="small")
        with one:
            _choose(url, Kind.COMPANY, "Companies", followed[Kind.COMPANY], list(known), known)
        with two:
            _choose(url, Kind.TOPIC, "Topics", followed[Kind.TOPIC], data.topics(url), {})
    companies = tuple(key for key in followed[Kind.COMPANY] if key in known)
    topics = tuple(followed[Kind.TOPIC])
    if not companies and not topics:
        with st.container(key="panel-guidance"):
            st.subheader("You follow nothing yet", anchor=False)
            st.text(
                "Choose companies and topics above. Their items are ranked here for you alone: bad news "
                "before good, grave events first, fresh before old, and less of what you judged not worth an "
                "alert. Nobody is told less or more because of this list."
            )
        return
    rows, ranked = finding.mine(url, person, companies, topics, ITEMS)
    with st.container(key="panel-items"):
        st.subheader("For you, of the last 7 days", anchor=False)
        if rows.empty:
            frame.note("Nothing on what you follow in 7 days. That is no data, not good news.")
            return
        extra = {
            "Matters": [f"{each.relevance:.2f}" for each in ranked],
            "Why": [each.why for each in ranked],
        }
        items_grid(rows, known, key="mine-items", topic=False, extra=extra, most=700)
        with st.container(key="mine-meta"):
            st.text(
                "Matters = (followed + tone + event + your verdicts) × freshness, halved every 24 h; "
                "see the documentation of the dashboard."
            )


def _choose(
    url: str, kind: Kind, label: str, followed: list[str], options: list[str], names: dict[str, str]
) -> None:
    widget = f"follow-{kind.value}"
    every = [*options, *(key for key in followed if key not in options)]
    if widget not in st.session_state:
        st.session_state[widget] = followed

    def save() -> None:
        looks: Any = visitor.current()
        if looks is not None and not desk.current().read_only:
            finding.follow(url, looks, kind, list(st.session_state[widget]))

    st.multiselect(
        label,
        every,
        key=widget,
        format_func=lambda key: names.get(key, key),
        placeholder=f"{label} to follow",
        label_visibility="collapsed",
        max_selections=MOST,
        on_change=save,
        disabled=desk.current().read_only,
    )
