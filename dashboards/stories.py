"""What the pages read of stories: computed when asked, from the items of a company or around an alert."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

from dashboards import data, desk, encoder
from dashboards.desk import opened
from monitor.domain import Alert, ClassifiedArticle
from monitor.store import Connection, articles
from monitor.store import alerts as stored_alerts
from monitor.stories.join import GAP, Story
from monitor.stories.report import gravest_first, joined
from monitor.stories.risk import RiskPack

MOST_ITEMS = 800  # of a company, from which stories are made: its newest; more take seconds
AROUND = 3 * GAP  # of one report: a story goes on while its reports come within `GAP`
LATEST = timedelta(hours=48)
LEAST = 2  # reports of a story that is listed without being severe
MOST_COMPANIES = 4  # of an alert or a report, whose items are looked at


@dataclass(frozen=True)
class Told:
    """A story, its reports, and the alerts that it made.

    ``by_meaning``: whether the encoder was there to join reports in other words.
    """

    story: Story
    items: tuple[ClassifiedArticle, ...]
    alerts: tuple[Alert, ...]
    by_meaning: bool

    @property
    def key(self) -> str:
        """What a link names: the id of its first report."""
        return self.story.articles[0][0]


def of_company(url: str, company_id: str, hours: int) -> list[Told]:
    """Return a company's stories of the last hours that are severe or have several reports; newest last."""
    return _of_company(url, company_id, hours, _by_meaning(url))


@st.cache_data(ttl=60, show_spinner=False)
def _of_company(url: str, company_id: str, hours: int, by_meaning: bool) -> list[Told]:
    start, end = data.window(url, hours)
    found = _told(url, start, end, [company_id], by_meaning)
    return sorted(
        (each for each in found if _matters(each) and company_id in each.story.company_ids),
        key=lambda each: (each.story.first_at, each.story.id),
    )


def latest(url: str, limit: int) -> list[Told]:
    """Return the stories of the last 48 hours on watched companies, the gravest first."""
    return _latest(url, limit, _by_meaning(url))


@st.cache_data(ttl=60, show_spinner=False)
def _latest(url: str, limit: int, by_meaning: bool) -> list[Told]:
    end = data.now(url) + timedelta(microseconds=1)
    found = _told(url, end - LATEST, end, None, by_meaning)
    several = {each.story.id: each for each in found if _matters(each) and each.story.company_ids}
    order = gravest_first([each.story for each in several.values()])
    return [several[story.id] for story in order[:limit]]


def one(url: str, key: str) -> Told | None:
    """Return the story with an id, or with the report that has it; ``None`` where there is none."""
    return _one(url, key, _by_meaning(url))


@st.cache_data(ttl=30, show_spinner=False)
def _one(url: str, key: str, by_meaning: bool) -> Told | None:
    with opened(url) as store, store.read() as connection:
        found = articles.current(connection, [key])
        if not found:
            found = (
                [
                    item
                    for id_ in articles.beginning_with(connection, key, 2)
                    for item in articles.current(connection, [id_])
                ][:1]
                if len(key) >= 8
                else []
            )
    if not found:
        listed = (each for each in _latest(url, 500, by_meaning) if each.story.id.startswith(key))
        return next(listed, None) if len(key) >= 4 else None
    article = found[0].article
    near = _told(
        url,
        article.published_at - AROUND,
        article.published_at + AROUND,
        found[0].company_ids[:MOST_COMPANIES],
        by_meaning,
        found,
    )
    return next((each for each in near if _has(each, {article.id})), None)


def behind(url: str, alert_id: str) -> list[Told]:
    """Return the stories that have evidence of an alert among their reports, the gravest first."""
    return _behind(url, alert_id, _by_meaning(url))


@st.cache_data(ttl=30, show_spinner=False)
def _behind(url: str, alert_id: str, by_meaning: bool) -> list[Told]:
    with opened(url) as store, store.read() as connection:
        alert = stored_alerts.get(connection, alert_id)
        proof = {} if alert is None else {each.article_id for each in alert.evidence}
        items = articles.current(connection, list(proof))
    if alert is None or not items:
        return []
    named: dict[str, int] = {}
    for item in items:
        for company in item.company_ids:
            named[company] = named.get(company, 0) + 1
    most = sorted(named, key=lambda company: (-named[company], company))[:MOST_COMPANIES]
    found = _told(url, alert.started_at - GAP, alert.updated_at + GAP, most, by_meaning, items)
    mine = {each.story.id: each for each in found if _has(each, set(proof))}
    return [mine[story.id] for story in gravest_first([each.story for each in mine.values()])]


def frame(told: Sequence[Told], now: datetime) -> pd.DataFrame:
    """Return stories as a chart needs them: place (newest 0), first_at, last_at, title, severity, said."""
    rows = [
        {
            "place": at,
            "first_at": each.story.first_at,
            "last_at": max(each.story.last_at, each.story.first_at + timedelta(minutes=40)),
            "title": each.story.title,
            "severity": max(1, each.story.severity),
            "event": "" if each.story.event is None else each.story.event.replace("_", " "),
            "stage": each.story.stage,
            "reports": len(each.story.articles),
            "voices": len(each.story.publishers),
            "open": each.story.is_open(now),
        }
        for at, each in enumerate(told)
    ]
    columns = [
        *("place", "first_at", "last_at", "title", "severity", "event", "stage", "reports"),
        *("voices", "open"),
    ]
    return pd.DataFrame(rows, columns=columns)


def _told(
    url: str,
    start: datetime,
    end: datetime,
    company_ids: Sequence[str] | None,
    by_meaning: bool,
    also: Iterable[ClassifiedArticle] = (),
) -> list[Told]:
    """Return the stories of the items of some companies (``None``: of all that name one) in a time."""
    with opened(url) as store, store.read() as connection:
        items = {item.article.id: item for item in also}
        for company in company_ids if company_ids is not None else [None]:
            for item in articles.newest_naming(connection, start, end, company, MOST_ITEMS):
                items[item.article.id] = item
        alerts, proof = _alerts(connection, list(items))
    meaning = encoder.vectors(url) if by_meaning else None
    found = joined(list(items.values()), _pack(), meaning)
    return [
        Told(
            story,
            tuple(items[id_] for id_, _ in story.articles),
            tuple(
                alerts[alert_id]
                for alert_id in dict.fromkeys(
                    each for id_, _ in story.articles for each in proof.get(id_, ())
                )
            ),
            meaning is not None,
        )
        for story in found
    ]


def _by_meaning(url: str) -> bool:
    """Say whether the encoder is there; an answer without it is kept apart from one with it."""
    return encoder.vectors(url) is not None


@st.cache_resource(ttl=600, show_spinner=False)
def _pack() -> RiskPack:
    return RiskPack.load(desk.current().settings.story.pack)


def _alerts(
    connection: Connection, ids: Sequence[str]
) -> tuple[dict[str, Alert], dict[str, list[str]]]:
    proof = stored_alerts.with_evidence(connection, ids)
    wanted = list(dict.fromkeys(alert for several in proof.values() for alert in several))
    return {alert.id: alert for alert in stored_alerts.of_ids(connection, wanted)}, proof


def _matters(told: Told) -> bool:
    return len(told.items) >= LEAST or told.story.severity > 0 or bool(told.alerts)


def _has(told: Told, ids: set[str]) -> bool:
    return any(id_ in ids for id_, _ in told.story.articles)
