"""One story: its reports, who speaks for himself, how sure it became, and the alerts that it made."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import streamlit as st

from dashboards import data, stories, story_charts, theme, words
from dashboards.pages import cards, frame
from dashboards.stories import Told
from dashboards.story_grids import reports_grid
from monitor.alert import explain
from monitor.domain import ClassifiedArticle, RiskMatch
from monitor.stories.copies import independent

LISTED = 30
OTHERS = 6  # further stories behind one alert that are named
SAYS = {
    "confirmed": "told as a fact",
    "amended": "corrected report",
    "rumour": "told as a rumour",
    "denied": "denied",
    "revoked": "report withdrawn",
    "stale": "old event, told again",
    "resolved": "reported over",
}


def page() -> None:
    """Draw the story of ``?story=ID`` or behind ``?alert=ID``; else the stories of the last hours."""
    frame.live(_draw)


def _draw(url: str) -> None:
    frame.strip(url, "Stories")
    frame.stopped(url)
    key, alert = st.query_params.get("story"), st.query_params.get("alert")
    if key is not None:
        told = stories.one(url, key)
        if told is None:
            _unknown("There is no such story: its reports are gone, or the link is wrong.")
        else:
            _story(url, told)
    elif alert is not None:
        behind = stories.behind(url, alert)
        if not behind:
            _unknown("There is no such alert, or none of its evidence is stored any more.")
        else:
            _story(url, behind[0])
            _others(url, behind[1 : OTHERS + 1])
    else:
        _latest(url)


def _unknown(said: str) -> None:
    with st.container(key="panel-unknown"):
        frame.note(said)
        cards.link("story", "The stories of the last 48 hours")


def _latest(url: str) -> None:
    told = stories.latest(url, LISTED)
    with st.container(key="panel-latest", gap="small"):
        st.subheader("Stories of the last 48 hours, the gravest first", anchor=False)
        if not told:
            frame.note(
                "No event on a watched company, and no report on one that somebody else had too."
            )
        for each in told:
            cards.story(url, each)


def _others(url: str, told: list[Told]) -> None:
    if not told:
        return
    with st.container(key="panel-others", gap="small"):
        st.subheader("Further stories behind this alert", anchor=False)
        for each in told:
            cards.story(url, each)


def _story(url: str, told: Told) -> None:
    with st.container(key="panel-story"):
        _head(url, told)
    rows, steps = _rows(told), _steps(told)
    tall = 26 * rows["publisher"].nunique() + 150
    height = min(max(tall, 96 * len(steps) + 60, 92 * len(told.alerts) + 60, 210), 440)
    one, two, three = st.columns([1.25, 1, 1], gap="small")
    with one, st.container(key="panel-reports", height=height, border=False):
        st.subheader("Reports by publisher", anchor=False)
        st.altair_chart(story_charts.report_chart(rows, frame.tone()), key="reports-chart")
        with st.container(key="reports-meta"):
            st.text("Colour: sentiment · hollow: copies of another's text · UTC")
    with two, st.container(key="panel-stages", height=height, border=False, gap="small"):
        _stages(steps)
    with three, st.container(key="panel-alerts", height=height, border=False, gap="small"):
        none = "No alert has a report of this story as evidence."
        cards.alerts(_alerts(told), data.now(url), none)
    with st.container(key="panel-evidence"):
        st.subheader(f"Reports · {len(rows)}", anchor=False)
        reports_grid(rows, key="story-reports")


def _alerts(told: Told) -> pd.DataFrame:
    columns = (
        *("id", "severity", "title", "state", "items", "publishers", "started_at"),
        "acknowledged_by",
    )
    rows = [{name: getattr(each, name) for name in columns} for each in told.alerts]
    table = pd.DataFrame(rows, columns=list(columns))
    return table.assign(state=[each.state.value for each in told.alerts])


def _head(url: str, told: Told) -> None:
    what, now = told.story, data.now(url)
    with st.container(key="alert-title"):
        st.text(what.title)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        if what.severity:
            badge = theme.severity_badge(what.severity)
            st.badge(f"{theme.severity_word(what.severity)} · {what.severity} of 5", color=badge)
            st.badge((what.event or "").replace("_", " "), color="gray")
        cards.stage_badge(what.stage)
        open_ = what.is_open(now)
        st.badge("open" if open_ else "quiet", color="blue" if open_ else "gray")
    lasted = explain.span(what.last_at - what.first_at)
    parts = [
        explain.count(len(what.articles), "report"),
        f"{len(what.publishers)} independent",
        f"first {words.clock(what.first_at)}",
        f"newest {words.clock(what.last_at)} UTC, {lasted} later",
    ]
    with st.container(key="story-meta"):
        st.text(" · ".join(parts))
        if not told.by_meaning:
            st.text("Joined by words only: the model is not loaded yet.")
    known = data.names(url)
    watched = [each for each in what.company_ids if each in known]
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="story-links"):
        for company in watched[:4]:
            with st.container(
                horizontal=True, vertical_alignment="center", gap=None, width="content"
            ):
                st.text(known[company], width="content")
                cards.link("company", "Company page", company=company)
        cards.link("search", "More like this", like=told.key)


def _rows(told: Told) -> pd.DataFrame:
    # Of each text the first report, whoever had it.
    own = independent((str(at), each.article.title) for at, each in enumerate(told.items))
    rows = []
    for at, item in enumerate(told.items):
        article = item.article
        risk = _gravest(told, item)
        rows.append(
            {
                "published_at": article.published_at,
                "publisher": article.publisher,
                "title": article.title,
                "url": article.url,
                "score": item.score,
                "own": str(at) in own,
                "said": "" if risk is None else SAYS.get(risk.stage, risk.stage),
                "quote": "" if risk is None else risk.words or risk.evidence,
            }
        )
    return pd.DataFrame(rows)


def _gravest(told: Told, item: ClassifiedArticle) -> RiskMatch | None:
    """Return what an item says of the story's own event, else of its gravest."""
    same = [risk for risk in item.risks if risk.event == told.story.event]
    return max(same or item.risks, key=lambda risk: risk.severity, default=None)


Step = tuple[datetime, ClassifiedArticle, RiskMatch]


def _steps(told: Told) -> list[Step]:
    """Return each report that said something else of the event than the one before."""
    steps: list[Step] = []
    for item in told.items:
        risk = _gravest(told, item)
        if risk is not None and (not steps or steps[-1][2].stage != risk.stage):
            steps.append((item.article.published_at, item, risk))
    return steps


def _stages(steps: list[Step]) -> None:
    """Draw how sure the event became, with the words that said so marked."""
    st.subheader("How sure it became", anchor=False)
    if not steps:
        frame.note("No report tells of an event that a rule or the model knows.")
        return
    for number, (at, item, risk) in enumerate(steps):
        with st.container(key=f"step-{number}", gap="xxsmall"):
            with st.container(horizontal=True, gap="small", vertical_alignment="center"):
                cards.stage_badge(
                    {"amended": "corrected", "revoked": "withdrawn"}.get(risk.stage, risk.stage)
                )
                with st.container(key=f"step-meta-{number}", width="stretch"):
                    by = f"{words.byline(item.article)} · {words.clock(at)} UTC"
                    st.text(f"{by} · {SAYS.get(risk.stage, risk.stage)}")
            with st.container(key=f"step-{number}-quote"):
                text = item.article.title
                if risk.evidence and risk.evidence not in text:
                    text = f"{text} — {risk.evidence}"
                st.html(f"<p>{words.marked(text, risk.words or risk.evidence)}</p>")
