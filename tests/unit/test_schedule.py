"""Housekeeping: one process at a time, in the pipeline's time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.aggregate.buckets import bucket_rows, contributions
from monitor.clock import SystemClock
from monitor.domain import Dimension, Grain
from monitor.metrics import Metrics
from monitor.pipeline import ARTICLES
from monitor.schedule import Housekeeping, Retention
from monitor.store import Store, buckets, progress
from monitor.store.progress import Progress
from monitor.stream import LocalStreamSettings, open_broker
from monitor.stream.port import Broker
from tests.support.make import T0, classified

KEPT = Retention(timedelta(days=1), timedelta(days=30), timedelta(days=7))
NEVER = {"retention": 1e6, "maintenance": 1e6}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = open_broker(LocalStreamSettings(tmp_path / "streams.db"))
    yield broker
    broker.close()


def housekeeping(store: Store, broker: Broker, holder: str) -> Housekeeping:
    return Housekeeping(store, broker, KEPT, holder, SystemClock(), Metrics(), NEVER)


def fill(store: Store) -> None:
    items = [classified("old", published_at=T0 - timedelta(days=2)), classified("new")]
    with store.write() as connection:
        buckets.add(connection, bucket_rows(contributions(items)))
        progress.save(connection, Progress("collect", ARTICLES, 0, through_at=T0))


def starts(store: Store, grain: Grain) -> int:
    with store.read() as connection:
        return len(buckets.between(connection, grain, None, None, [Dimension.MARKET]))


def test_fine_buckets_expire_in_the_pipelines_time(sqlite_store: Store, broker: Broker) -> None:
    fill(sqlite_store)
    assert housekeeping(sqlite_store, broker, "a").run("retention")
    assert starts(sqlite_store, Grain.MINUTE) == 1
    assert starts(sqlite_store, Grain.HOUR) == 2
    assert starts(sqlite_store, Grain.DAY) == 2


def test_one_process_at_a_time(sqlite_store: Store, broker: Broker) -> None:
    fill(sqlite_store)
    assert housekeeping(sqlite_store, broker, "a").run("retention")
    assert not housekeeping(sqlite_store, broker, "b").run("retention")
    assert housekeeping(sqlite_store, broker, "a").run("retention")


def test_maintenance_empties_the_write_ahead_log(sqlite_store: Store, broker: Broker) -> None:
    fill(sqlite_store)
    log = Path(f"{sqlite_store.url.database}-wal")
    assert log.stat().st_size > 0
    assert housekeeping(sqlite_store, broker, "a").run("maintenance")
    assert log.stat().st_size == 0
