"""What the Search page and a person's own list read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pandas as pd
import streamlit as st

from dashboards import data, encoder
from dashboards.data import FRESH_S
from dashboards.desk import opened
from monitor.access.visitor import Visitor
from monitor.domain import ClassifiedArticle
from monitor.relevance import Ranked, lean, rank
from monitor.search import ask
from monitor.search.ask import Hit
from monitor.store import acts, articles, interests, pages
from monitor.store import alerts as stored_alerts
from monitor.store.clock import time_of
from monitor.store.interests import Kind

FOUND = 60
LOOKED_BACK = timedelta(days=7)  # of a person's own list
PER_KEY = 150  # newest items of each company or topic that somebody follows
JUDGED = timedelta(days=180)  # how long a verdict tells of a person's taste


@dataclass(frozen=True)
class Found:
    """Items that answer a question, as a table, with how alike each is; ``compared``: items looked at."""

    rows: pd.DataFrame
    alike: list[float | None]
    compared: int | None = None
    trouble: str = ""


@st.cache_data(ttl=20, show_spinner=False, max_entries=200)
def by_words(url: str, question: str) -> Found:
    """Return the newest items that hold every word of a question."""
    with opened(url) as store:
        with store.read() as connection:
            hits = ask.by_words(connection, question, FOUND)
        return _found(url, hits)


@st.cache_data(ttl=20, show_spinner=False, max_entries=200)
def by_meaning(url: str, question: str) -> Found:
    """Return the items that mean what a question says."""
    vectors = encoder.vectors(url, wait=True)
    if vectors is None:
        return _found(url, [], trouble="The model could not be loaded: search by words.")
    with opened(url) as store, store.read() as connection:
        items = ask.candidates(connection, question)
    return _found(url, ask.by_meaning(items, question, vectors, FOUND), len(items))


@st.cache_data(ttl=20, show_spinner=False, max_entries=200)
def like(url: str, article_id: str) -> Found | None:
    """Return the items that are like one; ``None`` where that one is not stored."""
    one = item(url, article_id)
    if one is None:
        return None
    vectors = encoder.vectors(url, wait=True)
    if vectors is None:
        return _found(url, [], trouble="The model could not be loaded: search by words.")
    with opened(url) as store, store.read() as connection:
        items = ask.candidates(connection, one.article.title)
    return _found(url, ask.like(items, one, vectors, FOUND), len(items))


@st.cache_data(ttl=20, show_spinner=False, max_entries=200)
def item(url: str, article_id: str) -> ClassifiedArticle | None:
    """Return one stored item."""
    with opened(url) as store, store.read() as connection:
        return next(iter(articles.current(connection, [article_id])), None)


def _found(url: str, hits: list[Hit], compared: int | None = None, trouble: str = "") -> Found:
    alike = {hit.item.article.id: hit.alike for hit in hits}
    with opened(url) as store:
        rows = pages.items_with(store, list(alike))
    return Found(rows, [alike[id_] for id_ in rows["id"]], compared, trouble)


def followed(url: str, person: str) -> dict[Kind, list[str]]:
    """Return what somebody follows, as it is now."""
    with opened(url) as store, store.read() as connection:
        return interests.of(connection, person)


def follow(url: str, visitor: Visitor, kind: Kind, keys: list[str]) -> None:
    """Let who looks follow these, for themselves alone."""
    visitor.need("read")
    with opened(url) as store, store.write() as connection:
        interests.follow(connection, visitor.person.name, kind, keys, time_of(store))


@st.cache_data(ttl=FRESH_S, show_spinner=False, max_entries=500)
def mine(
    url: str, person: str, company_ids: tuple[str, ...], topics: tuple[str, ...], limit: int
) -> tuple[pd.DataFrame, list[Ranked]]:
    """Return a person's items, the most relevant first, as a table and with their reasons."""
    now = data.now(url)
    names = data.names(url)
    items: dict[str, ClassifiedArticle] = {}
    with opened(url) as store:
        with store.read() as connection:
            for key in company_ids:
                for each in articles.newest_naming(
                    connection, now - LOOKED_BACK, now + timedelta(minutes=1), key, PER_KEY
                ):
                    items[each.article.id] = each
            for topic in topics:
                for each in articles.newest_of_topic(connection, topic, now - LOOKED_BACK, PER_KEY):
                    items[each.article.id] = each
            said = acts.verdicts_by(connection, person, time_of(store) - JUDGED)
            about = {
                alert.id: alert.key.partition("|")[0]
                for alert in stored_alerts.of_ids(connection, list(said))
            }
        leans = lean((about[id_], verdict) for id_, verdict in said.items() if id_ in about)
        ranked = rank(
            items.values(),
            {key: names.get(key, key) for key in company_ids},
            frozenset(topics),
            leans,
            now,
        )[:limit]
        rows = pages.items_with(store, [each.item.article.id for each in ranked])
    kept = set(rows["id"])
    return rows, [each for each in ranked if each.item.article.id in kept]
