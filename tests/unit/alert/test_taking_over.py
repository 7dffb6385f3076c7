"""One process decides at a time; another takes over when it leaves, or stands still for too long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.alert.rulebind import load_rules
from monitor.alert.rulebook import rule_book
from monitor.alert.stage import LEASE_S, AlertStage
from monitor.alert.story import Names
from monitor.clock import ReplayClock
from monitor.metrics import Metrics
from monitor.pipeline import Effects
from monitor.store import Store, alerts
from monitor.stream import LocalStreamSettings, open_broker
from monitor.stream.port import Broker
from tests.support.desk import WORLD, Desk
from tests.support.make import T0, classified, risk

NAMES = Names({"acme": "Acme"}, {})


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    opened = open_broker(LocalStreamSettings(path=tmp_path / "streams.db"))
    opened.create({"news.articles": 1, "alerts": 1})
    yield opened
    opened.close()


def stage(store: Store, broker: Broker, holder: str, clock: ReplayClock) -> AlertStage:
    rules, metrics = load_rules(None, WORLD), Metrics()
    book = rule_book(lambda: rules, None, clock, metrics)
    return AlertStage(store, broker, book, NAMES, holder, clock, clock, metrics)


def decides(effects: Effects) -> bool:
    return effects.write is not None


@pytest.fixture
def clock(store: Store, broker: Broker) -> ReplayClock:
    """The time, with news in the store that nobody has decided on."""
    desk = Desk(store, broker, load_rules(None, WORLD), NAMES)
    desk.alert.process = lambda batch: Effects()  # type: ignore[method-assign]
    found = classified("x", "Acme files", score=-0.9, risks=[risk()], companies=["acme"])
    desk.tell([found], T0 + timedelta(hours=1))
    clock = ReplayClock(None)
    clock.advance_to(T0 + timedelta(hours=1))
    return clock


def test_who_stood_still_until_another_decides_writes_nothing(
    store: Store, broker: Broker, clock: ReplayClock
) -> None:
    frozen, other = stage(store, broker, "frozen", clock), stage(store, broker, "other", clock)
    late = frozen.process(())
    assert late.write is not None
    assert not decides(other.process(()))
    clock.advance_to(clock.now() + timedelta(seconds=LEASE_S + 1))
    assert decides(other.process(()))  # it has not written yet
    with store.write() as connection:
        late.write(connection)
        assert len(alerts.waiting_signals(connection, None, 10)) == 1
    assert alerts.latest(store) == []
    for _ in range(5):
        effects = other.process(())
        if effects.write is not None:
            with store.write() as connection:
                effects.write(connection)
        if effects.after is not None:
            effects.after()
    assert len(alerts.latest(store)) == 1


def test_who_leaves_lets_another_decide_at_once(
    store: Store, broker: Broker, clock: ReplayClock
) -> None:
    leaving, other = stage(store, broker, "leaving", clock), stage(store, broker, "other", clock)
    assert decides(leaving.process(()))
    assert not decides(other.process(()))
    leaving.close()
    assert decides(other.process(()))
