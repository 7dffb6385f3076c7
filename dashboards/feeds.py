"""What the Feeds page reads: every source, whether it answers, and what it brings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import streamlit as st

from dashboards import data, desk
from dashboards.data import HOUR
from dashboards.desk import opened
from monitor.source_report import reports
from monitor.source_state import SourceState
from monitor.store import dead, listing, visits
from monitor.store.visits import Visited

HOURS = 24
LETTERS = 50
GOOD, MIND, BAD = "well", "look", "fails"
STATES = (GOOD, MIND, BAD)
TONES = {
    SourceState.OK: GOOD,
    SourceState.SLOW: MIND,
    SourceState.SILENT: MIND,
    SourceState.FAILING: BAD,
    SourceState.BLOCKED: BAD,
}


@dataclass(frozen=True)
class Source:
    """A source as it is now. ``state`` is one of `STATES`, ``said`` says why in words."""

    name: str
    state: str
    said: str
    visited: Visited | None
    last_at: datetime | None  # the last new item
    items: int  # new, in 24 hours
    lag_s: float | None  # median, from published to ingested
    by_hour: list[int]
    location: str


@st.cache_data(ttl=10, show_spinner=False)
def sources(url: str) -> list[Source]:
    """Return every configured source, and what else brought something; the worst first."""
    now = data.now(url)
    start = now.replace(minute=0, second=0, microsecond=0) - (HOURS - 1) * HOUR
    configured = {each.name: each for each in desk.current().settings.sources}
    with opened(url) as store:
        found = reports(
            store,
            [each.config() for each in configured.values()],
            now,
            visiting=not data.standing(url).replay,
        )
        with store.read() as connection:
            known = visits.load(connection)
            hours = listing.heard_by_hour(connection, start)
    bars: dict[str, list[int]] = {}
    for source, hour, count in hours:
        bars.setdefault(source, [0] * HOURS)[min(HOURS - 1, int((hour - start) / HOUR))] = count
    rows = [
        Source(
            name=each.source,
            state=TONES[each.state],
            said=each.said,
            visited=known.get(each.source),
            last_at=each.new_at,
            items=sum(bars.get(each.source, ())),
            lag_s=each.latency_s,
            by_hour=bars.get(each.source, [0] * HOURS),
            location=configured[each.source].location if each.configured else "",
        )
        for each in found
    ]
    order = list(reversed(STATES))
    return sorted(rows, key=lambda each: (order.index(each.state), each.name))


@st.cache_data(ttl=10, show_spinner=False)
def dead_letters(url: str) -> pd.DataFrame:
    """Return what could not be used and waits, newest first: failed_at, stage, reason, detail, origin."""
    with opened(url) as store, store.read() as connection:
        letters = dead.letters(connection, limit=LETTERS)
    rows = [
        (
            each.item.failed_at,
            each.item.stage,
            each.item.reason.value,
            each.item.detail,
            each.item.origin,
        )
        for each in letters
    ]
    return pd.DataFrame(rows, columns=["failed_at", "stage", "reason", "detail", "origin"])
