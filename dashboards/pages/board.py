"""The board: what is wrong now."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboards import charts, data, desk, theme
from dashboards.grids import items_grid, watch_grid
from dashboards.pages import cards, frame, trend
from monitor.alert import explain
from monitor.domain import Dimension

MARKET = (Dimension.MARKET, "all")
CARDS = 8
ITEMS = 80

Subject = tuple[Dimension, str]


def page() -> None:
    """Draw the board."""
    frame.live(_draw)


def _draw(url: str) -> None:
    frame.strip(url, "What is wrong now")
    frame.stopped(url)
    _tiles(data.overview(url))
    left, right = st.columns([1.62, 1], gap="small")
    with left, st.container(key="panel-watch", height=392, border=False):
        _watch(url)
    with right, st.container(key="panel-alerts", height=392, border=False, gap="xsmall"):
        _alerts(url)
    left, right = st.columns([1.62, 1], gap="small")
    with left, st.container(key="panel-trend", height=452, border=False):
        _trend(url)
    with right, st.container(key="panel-heat", height=452, border=False):
        _heat(url)
    with st.container(key="panel-items"):
        _items(url)


def _tiles(seen: data.Overview) -> None:
    one, two, three, four = st.columns(4, gap="small")
    worst = f"worst: {theme.severity_word(seen.worst).lower()}" if seen.open_alerts else "all quiet"
    one.metric(
        "Open alerts",
        seen.open_alerts,
        delta=f"{seen.firing} not acknowledged · {worst}" if seen.open_alerts else worst,
        delta_color="off",
        delta_arrow="off",
        border=True,
    )
    share = seen.watched_negative / seen.watched_items if seen.watched_items else None
    two.metric(
        "Negative news on watched companies, 24 h",
        f"{seen.watched_negative:,}",
        delta="no items" if share is None else f"{share:.0%} of {seen.watched_items:,}",
        delta_color="off",
        delta_arrow="off",
        border=True,
    )
    three.metric(
        "Market sentiment index, 24 h",
        explain.score(seen.score),
        delta=f"7 d: {explain.score(seen.score_week)}",
        delta_color="off",
        delta_arrow="off",
        border=True,
        chart_data=seen.spark_score if len(seen.spark_score) > 1 else None,
    )
    against = "baseline warming up"
    if seen.usual_items:
        against = f"{seen.items / seen.usual_items:.1f} × usual ({seen.usual_items:,.0f})"
    four.metric(
        "All items, 24 h",
        f"{seen.items:,}",
        delta=against,
        delta_color="off",
        delta_arrow="off",
        border=True,
        chart_data=seen.spark_items,
        chart_type="bar",
    )


def _watch(url: str) -> None:
    rows = data.watch(url)
    st.subheader("Watched companies", anchor=False)
    if rows.empty:
        frame.note(
            "No company is watched, so no company can raise an alert. Name a watchlist in foreshock.toml "
            '([watchlist] path = "FILE.csv", columns name, aliases, ticker, isin) and start again.'
        )
        return
    keys = rows["key"].tolist()
    nonce = st.session_state.setdefault("watch_nonce", 0)
    widget = f"watch-{nonce}"

    def focus() -> None:
        picked: Any = st.session_state[widget]
        if picked.selection.rows:
            st.session_state["subject"] = (Dimension.COMPANY, keys[picked.selection.rows[0]])
            # A new table has nothing selected: rows change places, a selected place would not.
            st.session_state["watch_nonce"] = nonce + 1

    warming = data.usual(url) is None
    watch_grid(rows, warming=warming, tone=frame.tone(), key=widget, on_select=focus)


def _alerts(url: str) -> None:
    rows = data.open_alerts(url)
    st.subheader(f"Open alerts · {len(rows)}" if len(rows) else "Open alerts", anchor=False)
    if rows.empty:
        if data.usual(url) is None:
            frame.note(
                "No open alert. Baselines are warming up: alerts on unusual volume start after "
                f"{data.WARMUP_DAYS:.0f} days of news. Alerts on single stories (a default, a breach, a "
                "fine) fire from the first item on."
            )
        else:
            frame.note("No open alert: nothing watched is out of its usual bounds.")
        return
    now = data.now(url)
    for row in rows.head(CARDS).to_dict("records"):
        cards.alert(row, now)
    if len(rows) > CARDS:
        st.page_link(st.session_state["pages"]["alerts"], label=f"All {len(rows)} open alerts")


def _trend(url: str) -> None:
    subjects: list[Subject] = [
        MARKET,
        *((Dimension.COMPANY, key) for key in data.watch(url)["key"]),
        *((Dimension.TOPIC, key) for key in data.topics(url)),
        *data.lists(url),
    ]
    if st.session_state.get("subject") not in subjects:
        worst = data.watch(url).head(1)
        alarmed = not worst.empty and bool(worst["alerts"].iloc[0])
        st.session_state["subject"] = subjects[1] if alarmed else MARKET
    title, picker, ranges = st.columns([1.1, 1.3, 1], gap="small", vertical_alignment="center")
    title.subheader("Sentiment and volume", anchor=False)
    subject: Subject = picker.selectbox(
        "Company or topic",
        subjects,
        key="subject",
        format_func=lambda at: data.label(url, at[0].value, at[1]),
        label_visibility="collapsed",
    )
    with ranges:
        chosen = trend.ranges()
    trend.draw(url, subject[0], subject[1], chosen, onward=True)


def _heat(url: str) -> None:
    rows = data.heat(url)
    st.subheader("Companies by topic, 7 days", anchor=False)
    if rows.empty:
        frame.note("No news named a watched company this week.")
        return
    _heat_chart(url, frame.tone())
    with st.container(key="heat-meta"):
        st.text("Number: items · colour: sentiment, vermilion bad, blue good · worst company first")


def _items(url: str) -> None:
    title, toggle, _ = st.columns([1, 1.2, 3], gap="small", vertical_alignment="center")
    title.subheader("Newest items", anchor=False)
    subject: Subject = st.session_state.get("subject", MARKET)
    company = subject[1] if subject[0] is Dimension.COMPANY else None
    choices = ["Watched", "All", *(["This company"] if company else [])]
    scope = toggle.segmented_control(
        "Items",
        choices,
        default="Watched",
        key="scope",
        required=True,
        label_visibility="collapsed",
    )
    rows = _rows(url, scope or "Watched", company)
    if rows.empty:
        frame.note("No item named a watched company yet; “All” shows every item.")
        return
    _items_grid(url, scope or "Watched", company)
    if desk.current().read_only:
        frame.note("This dashboard is read-only.")


# Drawn once for all who look at the same.
@st.cache_data(ttl=data.FRESH_S, show_spinner=False)
def _heat_chart(url: str, tone: str) -> None:
    st.altair_chart(charts.heat_chart(data.heat(url), tone), key="heat-chart")


@st.cache_data(ttl=data.FRESH_S, show_spinner=False)
def _items_grid(url: str, scope: str, company: str | None) -> None:
    items_grid(_rows(url, scope, company), data.names(url), key=f"items-{scope}")


def _rows(url: str, scope: str, company: str | None) -> pd.DataFrame:
    return data.items(
        url,
        watched_only=scope == "Watched",
        company_id=company if scope == "This company" else None,
        limit=ITEMS,
    )
