"""Absence rule: a source, a publisher or the whole pipeline is silent for longer than it usually is.

"No bad news" must not be read off a dead feed. What is silent is told once, and the alert is over with the
first item that comes. Silences are measured in ingest time, between items that were new to the store.

How long is too long is stated, or learned: the *usual* silence is the one that is reached about once a week
(of a history of n days the ``n/7``-th longest), so that nights and weekends are no surprise and one outage
does not hide the next; beyond ``times_usual`` of it people are told. The history ends at a midnight, so all
decisions of a day are made with one limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from monitor.alert.states import Finding, Life
from monitor.domain import AlertKind, Dimension

WEEK = timedelta(days=7)
NEVER = timedelta(days=36_500)
PIPELINE_KEY = "all"


class Of(StrEnum):
    """Whose silence."""

    SOURCE = "source"
    PUBLISHER = "publisher"
    PIPELINE = "pipeline"


@dataclass(frozen=True, slots=True)
class AbsenceRule:
    """``names`` are the sources or publishers that are watched; empty: all that have sent something.

    ``silent_hours`` ``None``: the limit is learned, from ``min_items`` items over ``warmup_days`` at least.
    """

    name: str
    description: str = ""
    of: Of = Of.SOURCE
    names: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    silent_hours: float | None = None
    times_usual: float = 2.0
    least_hours: float = 1.0
    min_items: int = 50
    warmup_days: float = 7.0
    history_days: float = 28.0
    severity: int = 3
    cooldown_hours: float = 0.0

    @property
    def life(self) -> Life:
        """Only news ends a silence."""
        return Life(NEVER, timedelta(hours=self.cooldown_hours))

    def watches(self, name: str) -> bool:
        return (not self.names or name in self.names) and name not in self.exclude

    def limit(self, arrivals: Sequence[datetime]) -> timedelta | None:
        """Return how long a silence has to be to be told; ``None`` where too little is known.

        Parameters
        ----------
        arrivals
            When items came before the midnight that the limit is for, oldest first.

        Examples
        --------
        >>> hourly = [datetime(2026, 1, 1) + timedelta(hours=n) for n in range(24 * 14)]
        >>> AbsenceRule("quiet", times_usual=3).limit(hourly)
        datetime.timedelta(seconds=10800)
        >>> AbsenceRule("quiet", silent_hours=6).limit([])
        datetime.timedelta(seconds=21600)
        """
        if self.silent_hours is not None:
            return timedelta(hours=self.silent_hours)
        if len(arrivals) < self.min_items:
            return None
        known = arrivals[-1] - arrivals[0]
        if known < timedelta(days=self.warmup_days):
            return None
        silences = sorted((b - a for a, b in pairwise(arrivals)), reverse=True)
        usual = silences[max(1, round(known / WEEK)) - 1]
        return max(self.times_usual * usual, timedelta(hours=self.least_hours))

    def finding(
        self, name: str, since: datetime, limit: timedelta, at: datetime, decided_at: datetime
    ) -> Finding:
        """Return what to say of a silence that reached its limit at ``at``."""
        who = "the pipeline" if self.of is Of.PIPELINE else f"{self.of.value} {name}"
        return Finding(
            fingerprint=f"absence|{self.of.value}|{name}",
            kind=AlertKind.ABSENCE,
            dimension=Dimension.MARKET,
            key=name,
            event="silence",
            severity=self.severity,
            title=f"Nothing new from {who}",
            at=at,
            decided_at=decided_at,
            fires=True,
            mark="",
            details={
                "of": self.of.value,
                "silent_since": since.isoformat(),
                "limit_minutes": round(limit / timedelta(minutes=1)),
                "learned": self.silent_hours is None,
            },
            evidence=(),
            rules=(self.name,),
        )


def silences(
    last: datetime, arrivals: Sequence[datetime], limit: timedelta, until: datetime
) -> Iterator[tuple[datetime, datetime, datetime | None]]:
    """Yield the silences that reached their limit by ``until``: since when, at when told, when over.

    Parameters
    ----------
    last
        When the item before ``arrivals`` came.
    arrivals
        When items came after it, oldest first, none after ``until``.

    Examples
    --------
    >>> at = lambda hour: datetime(2026, 1, 1, hour)
    >>> [[m and m.hour for m in each] for each in silences(at(0), [at(9)], timedelta(hours=6), at(20))]
    [[0, 6, 9], [9, 15, None]]
    """
    for arrival in (*arrivals, None):
        told_at = last + limit
        if arrival is None:
            if told_at <= until:
                yield last, told_at, None
        else:
            if told_at < arrival:
                yield last, told_at, arrival
            last = arrival
