"""What the Feeds page reads: every source, whether it answers, and what it brings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

import pandas as pd
import streamlit as st

from dashboards import data, desk
from dashboards.data import HOUR
from dashboards.desk import opened
from monitor.domain import OPEN_STATES, AlertKind
from monitor.source_state import SourceState, state_of
from monitor.store import dead, listing, pages, visits
from monitor.store.visits import Visited

HOURS = 24
LAGS = 5_000  # newest items, of which lags are measured
LETTERS = 50
GOOD, MIND, BAD = "well", "look", "fails"
STATES = (GOOD, MIND, BAD)
_TONES = {
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
    with opened(url) as store:
        with store.read() as connection:
            known = visits.load(connection)
            hours = listing.heard_by_hour(connection, start)
            heard = {each.source: each for each in listing.heard_since(connection, start)}
            lags: dict[str, list[float]] = {}
            for name, lag_s in listing.newest_lags(connection, LAGS):
                lags.setdefault(name, []).append(lag_s)
        silent = pages.alert_rows(store, states=OPEN_STATES, kinds=(AlertKind.ABSENCE,))
    configured = {each.name: each for each in desk.current().settings.sources}
    running = not data.standing(url).replay
    found = []
    for name in sorted({*configured, *known, *heard}):
        visited = known.get(name)
        bars = [0] * HOURS
        for source, hour, count in hours:
            if source == name:
                bars[min(HOURS - 1, int((hour - start) / HOUR))] = count
        last = heard[name].last_at if name in heard else visited.new_at if visited else None
        one = configured.get(name)
        every = None if one is None or not running else timedelta(seconds=one.interval_s)
        state, said = judge(visited, last, every, now, one is not None, name in set(silent["key"]))
        found.append(
            Source(
                name=name,
                state=state,
                said=said,
                visited=visited,
                last_at=last,
                items=sum(bars),
                lag_s=median(lags[name]) if name in lags else None,
                by_hour=bars,
                location="" if one is None else one.location,
            )
        )
    order = list(reversed(STATES))
    return sorted(found, key=lambda each: (order.index(each.state), each.name))


def judge(
    visited: Visited | None,
    last_at: datetime | None,
    every: timedelta | None,
    now: datetime,
    configured: bool,
    silent: bool,
) -> tuple[str, str]:
    """Return the state of a source, and why.

    Parameters
    ----------
    last_at
        When it brought something new last; ``None``: not lately, or never.
    every
        How often it is to be visited; ``None`` where that is not known, or nothing visits it now.
    silent
        Whether an alert on its silence is open.
    """
    state, said = state_of(visited, last_at, every, now, configured, silent)
    return _TONES[state], said


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
