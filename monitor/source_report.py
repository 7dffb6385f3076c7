"""Every source as it is now: its state and why, its visits, what they bring and how late."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from monitor.collect.source import SourceConfig
from monitor.source_state import SourceState, state_of
from monitor.store import Store, counts, listing, visits

DAY = timedelta(hours=24)
LAGS = 5_000  # newest items, of which latencies are measured


@dataclass(frozen=True, slots=True)
class SourceReport:
    """A source; ``None`` is "not known", never zero.

    ``parse_yield`` is the share of the items of the last visit that could be used, in [0, 1]; ``latency_s``
    the median time from publication to collection, of the newest items of all sources.
    """

    source: str
    kind: str | None
    configured: bool
    state: SourceState
    said: str
    tried_at: datetime | None
    succeeded_at: datetime | None
    new_at: datetime | None
    due_at: datetime | None
    cadence_s: float | None
    failures: int  # in a row
    failure: str
    failure_kind: str
    took_s: float | None
    items: int | None  # of the last visit
    parse_yield: float | None
    articles: int  # new, in 24 hours
    latency_s: float | None


def reports(
    store: Store, configured: Iterable[SourceConfig], now: datetime, visiting: bool
) -> list[SourceReport]:
    """Return every configured source, and what else was visited or brought something in 24 hours, by name.

    Parameters
    ----------
    visiting
        Whether sources are visited now; of a replay they are not.
    """
    with store.read() as connection:
        known = visits.load(connection)
        heard = {each.source: each for each in listing.heard_since(connection, now - DAY)}
        silent = counts.silent_keys(connection)
        lags: dict[str, list[float]] = {}
        for name, lag_s in listing.newest_lags(connection, LAGS):
            lags.setdefault(name, []).append(lag_s)
    named = {each.name: each for each in configured}
    found = []
    for name in sorted({*named, *known, *heard}):
        one, visited = named.get(name), known.get(name)
        last = heard[name].last_at if name in heard else visited.new_at if visited else None
        every = timedelta(seconds=one.interval_s) if one is not None and visiting else None
        state, said = state_of(visited, last, every, now, one is not None, name in silent)
        items = None if visited is None else visited.items
        unusable = None if visited is None else visited.unusable
        found.append(
            SourceReport(
                source=name,
                kind=None if one is None else one.kind,
                configured=one is not None,
                state=state,
                said=said,
                tried_at=visited.tried_at if visited else None,
                succeeded_at=visited.succeeded_at if visited else None,
                new_at=last,
                due_at=visited.due_at if visited else None,
                cadence_s=visited.cadence_s if visited else None,
                failures=visited.failures if visited else 0,
                failure=visited.failure if visited else "",
                failure_kind=visited.kind if visited else "",
                took_s=visited.took_s if visited else None,
                items=items,
                parse_yield=1 - (unusable or 0) / items if items else None,
                articles=heard[name].articles if name in heard else 0,
                latency_s=median(lags[name]) if name in lags else None,
            )
        )
    return found
