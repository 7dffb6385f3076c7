"""One company: how it stands against its own past, its stories, its alerts, and who has to do with it."""

from __future__ import annotations

import html

import pandas as pd
import streamlit as st

from dashboards import data, stories, story_charts, subjects
from dashboards.pages import cards, frame, tiles, trend
from dashboards.story_grids import related_grid
from monitor.domain import Dimension
from monitor.stories.report import gravest_first

ITEMS = 60
STORIES = 8  # on the timeline: the gravest
OF_COMPANY = Dimension.COMPANY


def page() -> None:
    """Draw the company of ``?company=ID``."""
    frame.live(_draw)


def _draw(url: str) -> None:
    frame.strip(url, "Company")
    frame.stopped(url)
    known = data.names(url)
    key, chosen = trend.head(
        *("company", "Company", list(known)),
        said=lambda at: known.get(at, at),
        title=lambda at: _title(url, at),
    )
    if key is None:
        return
    _coverage(url, key)
    alerts = subjects.alerts(url, key)
    tiles.draw(subjects.standing(url, OF_COMPANY, key), alerts)
    known_of = bool(subjects.standing(url, OF_COMPANY, key).week) or not alerts.empty
    upper, lower = (440, 560) if known_of or chosen == "30 d" else (110, 290)
    left, right = st.columns([1.62, 1], gap="small")
    with left, st.container(key="panel-trend", height=upper, border=False):
        st.subheader("Sentiment and volume", anchor=False)
        trend.draw(url, OF_COMPANY, key, chosen)
    with right, st.container(key="panel-alerts", height=upper, border=False, gap="small"):
        none = "No alert on this company, now or before."
        cards.alerts(alerts, data.now(url), none)
    left, right = st.columns([1.62, 1], gap="small")
    with left, st.container(key="panel-stories", height=lower, border=False, gap="small"):
        _stories(url, key, trend.RANGES[chosen], chosen)
    with right:
        with st.container(key="panel-topics", height=round(lower * 0.54), border=False):
            _topics(url, key, trend.RANGES[chosen], chosen)
        with st.container(key="panel-related", height=round(lower * 0.46) - 16, border=False):
            _related(url, key)
    with st.container(key="panel-items"):
        st.subheader("Newest items, and their sentiment towards this company", anchor=False)
        rows = subjects.items(url, company_id=key, topic=None, limit=ITEMS)
        if rows.empty:
            frame.note("No stored item names this company.")
        else:
            trend.items(url, OF_COMPANY, key, ITEMS)


def _title(url: str, key: str | None) -> None:
    if key is None:
        with st.container(key="alert-title"):
            st.text("No such company")
        if not data.names(url):
            frame.note("No company is watched: name a watchlist in foreshock.toml.")
        else:
            frame.note(
                "The link names a company that is not on the watchlist of this database. Choose one."
            )
        return
    company = subjects.company(url, key)
    with st.container(key="alert-title"):
        st.text(data.names(url)[key])
    if company is None:
        return
    facts = [
        company.ticker,
        company.isin,
        company.sector,
        company.country,
        *company.groups,
        f"also {', '.join(company.aliases[:4])}" if company.aliases else "",
    ]
    said = " · ".join(fact for fact in facts if fact)
    with st.container(key="subject-meta"):
        st.text(said or "The watchlist says no more than the name.")


def _coverage(url: str, key: str) -> None:
    sure, said = subjects.coverage(url, key)
    colour = "#2E8B6F" if sure else "#C98A0B"
    lead = "Coverage" if sure else "Coverage: in doubt"
    with st.container(key="panel-coverage"):
        st.html(
            f'<div class="facts"><span><i style="background:{colour}"></i>{lead} '
            f"<b>{html.escape(said)}</b></span></div>"
        )


def _stories(url: str, key: str, hours: int, chosen: str) -> None:
    told = stories.of_company(url, key, hours)
    many = f" · {len(told)}" if told else ""
    st.subheader(f"Stories, {chosen}{many}", anchor=False)
    if not told:
        frame.note(f"No event, and no report that somebody else had too, in the last {chosen}.")
        return
    gravest = {each.id for each in gravest_first([each.story for each in told])[:STORIES]}
    shown = [each for each in reversed(told) if each.story.id in gravest]
    rows = stories.frame(shown, data.now(url))
    marks = pd.DataFrame(
        [
            {
                "place": place,
                "started_at": alert.started_at,
                "severity": alert.severity,
                "title": alert.title,
            }
            for place, each in enumerate(shown)
            for alert in each.alerts
        ],
        columns=["place", "started_at", "severity", "title"],
    )
    first, last = data.window(url, hours)
    st.altair_chart(
        story_charts.story_chart(rows, marks, first, last, frame.tone()), key="stories-chart"
    )
    with st.container(key="stories-meta"):
        how = "" if told[0].by_meaning else " · by words only: the model is not loaded yet"
        more = f" · the gravest {STORIES} of {len(told)}" if len(told) > STORIES else ""
        st.text(f"Bars: first to newest report · colour: severity · triangles: alerts{more}{how}")
    for each in shown:
        cards.story(url, each)


def _topics(url: str, key: str, hours: int, chosen: str) -> None:
    st.subheader(f"Topics, {chosen}", anchor=False)
    rows = subjects.parts(url, OF_COMPANY, key, hours)
    if rows.empty:
        frame.note("No item of a known topic named it.")
        return
    trend.parts(url, OF_COMPANY, key, hours)


def _related(url: str, key: str) -> None:
    st.subheader("Peers and relations, 24 h", anchor=False)
    rows = subjects.related(url, key)
    if rows.empty:
        frame.note(
            "None known. Give companies a sector in the watchlist, or name a file of relations in the "
            "settings ([watchlist] relations)."
        )
        return
    nonce = st.session_state.setdefault("related_nonce", 0)
    widget = f"related-{nonce}"
    keys = rows["key"].tolist()

    def go() -> None:
        chosen = st.session_state[widget].selection.rows
        if chosen:
            st.query_params["company"] = keys[chosen[0]]
            st.session_state["related_nonce"] = nonce + 1

    related_grid(rows, tone=frame.tone(), key=widget, on_select=go)
