"""What the collect stage knows of one source: how its visits went, and when the next is due."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.collect.pace import Pace, cadence_s
from monitor.collect.repeats import Repeats
from monitor.collect.source import Paced, Remembers, Source
from monitor.domain import EPOCH
from monitor.store.visits import Visited

LONGEST_DUE = timedelta(days=1)


@dataclass(slots=True)
class Visits:
    """One source, what is known of its visits, and when the next is due, in the pipeline's time."""

    source: Source
    repeats: Repeats = field(default_factory=Repeats)
    due_at: datetime = EPOCH
    failures: int = 0  # in a row
    new_at: datetime | None = None  # when it brought something new last
    cadence_s: float | None = None
    items: int = 0  # of the visit in hand
    unusable: int = 0  # of those
    settled: bool = False  # a visit was read to its end: what comes now is news

    def recall(self, known: Visited, now: datetime) -> None:
        """Take up what an earlier process left."""
        if known.due_at is not None:
            self.due_at = min(known.due_at, now + LONGEST_DUE)
        self.failures, self.new_at, self.cadence_s = known.failures, known.new_at, known.cadence_s
        self.settled = known.succeeded_at is not None
        if isinstance(self.source, Remembers) and known.memory:
            self.source.remember(known.memory)

    def brought(self, new: int, now: datetime) -> None:
        """Note new items: how often they come."""
        if not new:
            return
        if self.new_at is not None and now > self.new_at:
            gap_s = (now - self.new_at).total_seconds()
            self.cadence_s = cadence_s(self.cadence_s, gap_s, new)
        self.new_at = now

    def wait_s(self, now: datetime, retry_after_s: float, jitter: float) -> float:
        """Return how long to wait for the next visit."""
        paced = self.source if isinstance(self.source, Paced) else None
        cadence = self.cadence_s
        if cadence is not None and self.new_at is not None:
            cadence = max(cadence, (now - self.new_at).total_seconds())
        return Pace(
            self.source.interval_s,
            paced.slowest_s if paced else self.source.interval_s,
            cadence,
            paced.fresh_s if paced else 0.0,
            self.failures,
            retry_after_s,
        ).wait_s(jitter if paced else 0.0)
