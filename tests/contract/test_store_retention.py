"""Old articles are deleted, and nothing that counts or was told goes with them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from monitor.aggregate.digest import digest
from monitor.aggregate.recount import rebuild, verify
from monitor.alert.rulebind import load_rules
from monitor.alert.story import Names
from monitor.domain import ClassifiedArticle
from monitor.store import Store, alerts, articles, progress, retention
from monitor.stream import LocalStreamSettings, open_broker
from tests.contract.test_store_rebuild import tables
from tests.support.desk import WORLD, Desk
from tests.support.make import T0, classified, risk

DAY = timedelta(days=1)
OLD = 700  # more than a batch
DERIVED = ("buckets", "publishers")


def news() -> list[ClassifiedArticle]:
    found = [
        classified(
            f"n{n}",
            f"Profit falls {n // 3}",
            published_at=T0 - 90 * DAY + timedelta(minutes=7 * n),
            publisher=f"p{n % 4}.example",
            companies=(("acme",), ("zenith", "acme"), ())[n % 3],
        )
        for n in range(OLD)
    ]
    found += [classified(f"new{n}", published_at=T0 + timedelta(hours=n)) for n in range(5)]
    told = classified("told", "Acme files", published_at=T0 - 80 * DAY, score=-0.9, risks=[risk()])
    return [*found, told]


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Desk:
    broker = open_broker(LocalStreamSettings(path=tmp_path / "streams.db"))
    broker.create({"news.articles": 1, "alerts": 1})
    desk = Desk(store, broker, load_rules(None, WORLD), Names({"acme": "Acme"}, {}))
    desk.tell(news(), T0 + DAY)
    return desk


def stored(store: Store) -> int:
    return articles.count(store)


def test_old_articles_go_and_counts_alerts_and_evidence_stay(store: Store, desk: Desk) -> None:
    counted, (alert,) = tables(store, DERIVED), alerts.latest(store)
    assert retention.expire(store, T0 - 30 * DAY) == OLD
    assert stored(store) == 6  # the new ones, and what an alert tells of
    assert tables(store, DERIVED) == counted
    assert tables(store, ["mentions"])["mentions"] != []
    with store.read() as connection:
        found = alerts.get(connection, alert.id)
        assert found is not None
        assert [e.title for e in found.evidence] == ["Acme files"]
        keys = [(e.article_id, e.revision) for e in found.evidence]
        assert len(articles.get(connection, keys)) == 1
    assert retention.expire(store, T0 - 30 * DAY) == 0


def test_what_was_deleted_is_a_repeat_when_it_comes_again(store: Store, desk: Desk) -> None:
    retention.expire(store, T0 - 30 * DAY)
    counted, before = tables(store, DERIVED), progress.totals(store)
    again = [*news()[:50], classified("n3", "Profit falls less", published_at=T0)]
    desk.tell(again, T0 + 2 * DAY)
    assert stored(store) == 6
    assert tables(store, DERIVED) == counted
    assert progress.totals(store)[0] == before[0]


def test_what_can_still_be_counted_is_verified_and_rebuilt(store: Store, desk: Desk) -> None:
    retention.expire(store, T0 - 30 * DAY)
    counted, found = tables(store, DERIVED), digest(store)
    assert all(each.is_sound for each in verify(store, {}))
    rebuild(store, {})
    assert tables(store, DERIVED) == counted
    assert digest(store) == found


def test_a_longer_retention_does_not_pretend_that_they_are_back(store: Store, desk: Desk) -> None:
    retention.expire(store, T0 - 30 * DAY)
    retention.expire(store, T0 - 60 * DAY)
    with store.read() as connection:
        since = retention.counted_from(connection)
    assert since is not None
    assert T0 - 31 * DAY < since <= T0 - 30 * DAY
    assert (since.hour, since.minute) == (0, 0)
