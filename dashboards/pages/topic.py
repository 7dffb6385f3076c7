"""One topic: its good and bad news against its own past, whom it is about, and what was raised on it."""

from __future__ import annotations

import streamlit as st

from dashboards import data, subjects
from dashboards.pages import cards, frame, tiles, trend
from monitor.domain import Dimension

ITEMS = 60
OF_TOPIC = Dimension.TOPIC


def page() -> None:
    """Draw the topic of ``?topic=NAME``."""
    frame.live(_draw)


def _draw(url: str) -> None:
    frame.strip(url, "Topic")
    frame.stopped(url)
    topics = data.topics(url)
    key, chosen = trend.head("topic", "Topic", topics, said=str, title=_title)
    if key is None:
        frame.note(
            "No item of a topic in the last 30 days."
            if not topics
            else "The link names a topic that no item of the last 30 days has. Choose one."
        )
        return
    alerts = subjects.topic_alerts(url, key)
    tiles.draw(subjects.standing(url, OF_TOPIC, key), alerts)
    left, right = st.columns([1.62, 1], gap="small")
    with left, st.container(key="panel-trend", height=440, border=False):
        st.subheader("Sentiment, and positive, neutral and negative items", anchor=False)
        trend.draw(url, OF_TOPIC, key, chosen)
    with right, st.container(key="panel-drivers", height=440, border=False):
        _drivers(url, key, trend.RANGES[chosen], chosen)
    left, right = st.columns([1.62, 1], gap="small")
    with left, st.container(key="panel-items", height=480, border=False):
        st.subheader("Newest items", anchor=False)
        rows = subjects.items(url, company_id=None, topic=key, limit=ITEMS)
        if rows.empty:
            frame.note("No stored item has this topic.")
        else:
            trend.items(url, OF_TOPIC, key, ITEMS)
    with right, st.container(key="panel-alerts", height=480, border=False, gap="small"):
        none = "No alert on this topic, or with an item of it as evidence, in 30 days."
        cards.alerts(alerts, data.now(url), none)


def _title(key: str | None) -> None:
    with st.container(key="alert-title"):
        st.text("No such topic" if key is None else key)


def _drivers(url: str, key: str, hours: int, chosen: str) -> None:
    st.subheader(f"Companies that drive it, {chosen}", anchor=False)
    rows = subjects.parts(url, OF_TOPIC, key, hours)
    if rows.empty:
        frame.note("No item of this topic named a watched company.")
        return
    trend.parts(url, OF_TOPIC, key, hours)
    worst = rows.assign(bad=rows["negative"]).sort_values("bad", ascending=False).iloc[0]
    if worst["bad"]:
        with st.container(key="drivers-foot", horizontal=True, vertical_alignment="center"):
            with st.container(key="drivers-meta", width="stretch"):
                st.text(
                    f"Most negative items: {worst['name']}, {worst['bad']} of {worst['items']}."
                )
            cards.link("company", "Company page", company=str(worst["key"]))
