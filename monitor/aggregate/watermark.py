"""The watermark: the ingest time up to which everything collected has been aggregated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.domain import EPOCH
from monitor.pipeline import ARTICLES, CLASSIFIEDS
from monitor.store import Store, progress
from monitor.store.progress import Progress
from monitor.stream.port import Broker

READS = {"classify": ARTICLES, "aggregate": CLASSIFIEDS}
TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Watermark:
    """``at``: every item ingested up to then is in the buckets. ``collected_at``: how far collecting is.

    ``lags`` holds the records each stage before it has still to read.
    """

    at: datetime
    collected_at: datetime
    replay: bool
    lags: Mapping[str, int]


def watermark(
    store: Store, broker: Broker, collected: Mapping[tuple[str, int], Progress]
) -> Watermark | None:
    """Return the watermark, or ``None`` before anything was collected.

    ``collected`` is the progress of the collect stage, read just before: what a collector had finished then
    is either still in one of the two backlogs that we look at next, or aggregated. A partition without
    backlog does not hold the watermark; one with a backlog holds it just before the ingest time it has
    reached (more items may share that time).
    """
    if not collected:
        return None
    at = min(state.through_at for state in collected.values())
    replay = any(state.replay for state in collected.values())
    lags: dict[str, int] = {}
    behind: set[int] = set()
    for group, lag in broker.lags(READS).items():
        lags[group] = sum(entry.records for entry in lag.values())
        behind |= {partition for partition, entry in lag.items() if entry.records}
    if not behind:
        return Watermark(at, at, replay, lags)
    with store.read() as connection:
        reached = progress.load(connection, "aggregate")
    held = min(
        reached[(ARTICLES, partition)].through_at - TICK
        if (ARTICLES, partition) in reached
        else EPOCH
        for partition in behind
    )
    return Watermark(min(at, held), at, replay, lags)
