"""Run recorded news through the pipeline, and know when everything that follows from it is done."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from monitor.alert.surge import whole_minute
from monitor.collect.stage import CollectStage
from monitor.pipeline import ALERTS, ARTICLES, CLASSIFIEDS, DEADS
from monitor.service import Outside, Service
from monitor.store import Store, alerts, outbox, progress
from monitor.stream.port import Broker

POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replay came to. ``read == articles + repeats + dead``, unless it was stopped before its end."""

    read: int
    articles: int
    repeats: int
    dead: int
    alerts: int
    notifications: dict[str, int]
    seconds: float
    items_per_s: float
    complete: bool  # False: it was asked to stop


@dataclass(frozen=True, slots=True)
class _Counts:
    articles: int
    repeats: int
    dead: int
    alerts: int
    notifications: dict[str, int]


def replay(
    outside: Outside,
    service: Service,
    watch: Callable[[int], None] = lambda aggregated: None,
) -> Outcome:
    """Run a service whose collect stage ends, until all that follows is stored, or until it is stopped.

    Other stages may run in other processes: what is waited for is read from streams and store.

    Parameters
    ----------
    watch
        Called about ten times a second with the number of items aggregated so far.

    Raises
    ------
    ForeshockError
        Whatever made a stage fail.
    """
    collect = service.stages["collect"]
    assert isinstance(collect, CollectStage)
    before = _counts(outside)
    began = time.monotonic()
    service.start()
    done = False
    while not (done or service.stop.is_set()):  # a failure stops it as well
        stored, repeats = progress.totals(outside.store)
        watch(stored + repeats - before.articles - before.repeats)
        time.sleep(POLL_S)
        done = "collect" not in service.running and drained(outside.broker, outside.store)
    seconds = time.monotonic() - began
    service.stop.set()
    service.join()
    after = _counts(outside)
    watch(after.articles + after.repeats - before.articles - before.repeats)
    return Outcome(
        read=collect.read,
        articles=after.articles - before.articles,
        repeats=after.repeats - before.repeats,
        dead=after.dead - before.dead,
        alerts=after.alerts - before.alerts,
        notifications={
            state: count - before.notifications.get(state, 0)
            for state, count in after.notifications.items()
            if count > before.notifications.get(state, 0)
        },
        seconds=round(seconds, 2),
        items_per_s=round(collect.read / seconds, 1),
        complete=done,
    )


def drained(broker: Broker, store: Store) -> bool:
    """Say whether everything appended so far has had all its effects, looked at in the flow's order."""
    for group, stream in (("classify", ARTICLES), ("aggregate", CLASSIFIEDS)):
        if _lag(broker, group, stream):
            return False
    with store.read() as connection:
        collected = progress.load(connection, "collect")
        decided = progress.load(connection, "alert").get((ALERTS, 0))
        reached = min((state.through_at for state in collected.values()), default=None)
        if reached is not None and (decided is None or decided.through_at < whole_minute(reached)):
            return False
        if alerts.waiting_signals(connection, None, 1) or alerts.unrelayed(connection, 1):
            return False
    return not _lag(broker, "notify", ALERTS)


def _lag(broker: Broker, group: str, stream: str) -> int:
    return sum(lag.records for lag in broker.lag(group, stream).values())


def _counts(outside: Outside) -> _Counts:
    stored, repeats = progress.totals(outside.store)
    return _Counts(
        articles=stored,
        repeats=repeats,
        dead=sum(lag.end for lag in outside.broker.lag("dead", DEADS).values()),
        alerts=alerts.count(outside.store),
        notifications=outbox.tally(outside.store),
    )
