"""Housekeeping: what has to be done now and then, by one process at a time.

APScheduler keeps its jobs in memory; two schedulers on one job store would run every job twice. A lease in
our database decides which process runs a job.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from monitor.clock import Clock
from monitor.domain import Grain
from monitor.errors import RetriableError
from monitor.metrics import Metrics
from monitor.store import Store, buckets, dead, leases, progress
from monitor.store import retention as articles_past
from monitor.stream.local import LocalBroker
from monitor.stream.port import Broker

log = logging.getLogger(__name__)

LEASE_S = 120.0


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept."""

    minute: timedelta
    hour: timedelta
    records: timedelta
    articles: timedelta | None = None  # for ever


class Housekeeping:
    """Runs the jobs until closed.

    Buckets roll up as they are written (a minute's items are added to its hour and day in the same
    transaction), and baselines are computed from hour buckets where they are needed, in a tenth of a second;
    neither can be out of date. What is left is retention (of fine buckets, old articles and the embedded
    log) and the database's own upkeep. Ages are counted in the pipeline's time: a replay of 2014 does not
    expire as it arrives.
    """

    def __init__(
        self,
        store: Store,
        broker: Broker,
        retention: Retention,
        holder: str,
        wall: Clock,
        metrics: Metrics,
        every_s: Mapping[str, float],
    ) -> None:
        self.store = store
        self.broker = broker
        self.retention = retention
        self.holder = holder
        self.wall = wall
        self.metrics = metrics
        self.jobs: Mapping[str, Callable[[datetime], None]] = {
            "retention": self.expire,
            "maintenance": lambda now: self.store.maintain(),
        }
        self._scheduler = BackgroundScheduler(timezone="UTC")
        for name in self.jobs:
            self._scheduler.add_job(
                self.run, "interval", [name], seconds=every_s[name], max_instances=1, coalesce=True
            )

    def start(self) -> None:
        self._scheduler.start()

    def close(self) -> None:
        self._scheduler.shutdown(wait=True)

    def run(self, name: str) -> bool:
        """Run one job if its lease can be had; say whether it ran."""
        try:
            with self.store.write() as connection:
                held = leases.hold(connection, f"job:{name}", self.holder, self.wall.now(), LEASE_S)
            if not held:
                self.metrics.jobs.labels(name, "not_leader").inc()
                return False
            now = self._now()
            if now is not None:
                self.jobs[name](now)
        except RetriableError as error:
            log.warning("job %s: %s; it runs again at its next time", name, error)
            self.metrics.jobs.labels(name, "failed").inc()
            return False
        self.metrics.jobs.labels(name, "ok").inc()
        return True

    def expire(self, now: datetime) -> None:
        """Delete fine buckets and consumed records that are past their time."""
        with self.store.write() as connection:
            minutes = buckets.expire(connection, Grain.MINUTE, now - self.retention.minute)
            hours = buckets.expire(connection, Grain.HOUR, now - self.retention.hour)
            dead.expire(connection, self.wall.now() - self.retention.records)
        old = 0
        if self.retention.articles is not None:
            old = articles_past.expire(self.store, now - self.retention.articles)
        records = 0
        if isinstance(self.broker, LocalBroker):
            before = self.wall.now() - self.retention.records
            records = self.broker.trim(int(before.timestamp() * 1000))
        log.info(
            "retention: %d minute buckets, %d hour buckets, %d articles, %d records",
            *(minutes, hours, old, records),
        )

    def _now(self) -> datetime | None:
        """The time the pipeline has reached."""
        with self.store.read() as connection:
            reached = progress.load(connection, "collect").values()
        return max((state.through_at for state in reached), default=None)
