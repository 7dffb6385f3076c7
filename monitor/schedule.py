"""Housekeeping: what has to be done now and then, by one process at a time.

APScheduler keeps its jobs in memory; two schedulers on one job store would run every job twice. A lease in
our database decides which process runs a job.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from monitor.clock import Clock
from monitor.domain import Grain
from monitor.errors import ConfigError, RetriableError
from monitor.metrics import Metrics, from_zero
from monitor.store import Store, buckets, comparisons, dead, leases, progress
from monitor.store import retention as articles_past
from monitor.stream.local import LocalBroker
from monitor.stream.port import Broker

log = logging.getLogger(__name__)

LEASE_S = 120.0
COMPARED = timedelta(days=90)  # that what a candidate on trial said of live items is kept
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def next_of_cron(cron: str, after: datetime) -> datetime:
    """Return the first time of a calendar rule after a time; both are UTC, and 0 and 7 are Sunday.

    Raises
    ------
    ConfigError
        It is no rule of five fields.

    Examples
    --------
    >>> monday = datetime.fromisoformat("2026-01-05T09:00:00+00:00")
    >>> {next_of_cron(f"30 2 * * {day}", monday).isoformat() for day in ("6", "sat", "6-6")}
    {'2026-01-10T02:30:00+00:00'}
    """
    *fields, days = cron.split() or [""]
    try:
        # APScheduler counts days of the week from Monday, cron from Sunday.
        named = re.sub(r"(?<![/\d])[0-7](?!\d)", lambda day: _DAYS[int(day[0]) % 7], days)
        trigger = CronTrigger.from_crontab(" ".join([*fields, named]), timezone="UTC")
    except ValueError as error:
        raise ConfigError(f"cron {cron!r}: {error}") from None
    found = trigger.get_next_fire_time(None, after + timedelta(microseconds=1))
    if found is None:
        raise ConfigError(f"cron {cron!r}: there is no such time any more")
    return datetime.fromtimestamp(found.timestamp(), tz=after.tzinfo)


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
        from_zero(metrics.jobs, self.jobs, ["ok", "failed", "not_leader"])
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
            comparisons.expire(connection, self.wall.now() - COMPARED)
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
