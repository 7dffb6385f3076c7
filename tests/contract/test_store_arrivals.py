"""Who sent something when, and the record in the order it came: on every database."""

from __future__ import annotations

from datetime import timedelta

from monitor.store import Store, articles
from monitor.store.articles import Arrival
from tests.support.make import T0, classified

MINUTE = timedelta(minutes=1)


def fill(store: Store) -> None:
    items = [
        classified(f"{n}", f"{n}", published_at=T0, ingested_at=T0 + minute * MINUTE, publisher=by)
        for n, (minute, by) in enumerate([(0, "a"), (4, "a"), (4, "b"), (4, "b"), (25, "a")])
    ]
    with store.write() as connection:
        articles.add(connection, items)


def test_arrivals_are_told_once_each_and_coarsely(store: Store) -> None:
    with store.read() as connection:
        assert articles.first_arrival(connection) is None
    fill(store)
    with store.read() as connection:
        assert articles.first_arrival(connection) == T0
        found = articles.arrivals(connection, T0, T0 + 25 * MINUTE)
        coarse = articles.arrivals(connection, T0 - MINUTE, T0 + 25 * MINUTE, coarse=True)
    later = [Arrival("wire", by, T0 + minute * MINUTE) for minute, by in ((4, "a"), (4, "b"))]
    last = Arrival("wire", "a", T0 + 25 * MINUTE)
    assert found == [*later, last]
    assert coarse == [*later, last]


def test_the_record_is_read_as_it_came(store: Store) -> None:
    fill(store)
    with store.read() as connection:
        batches = list(articles.by_ingest(connection, T0, T0 + 25 * MINUTE, 1))
        assert articles.count_ingested(connection, T0, T0 + 25 * MINUTE) == 4
    times = [[item.article.ingested_at - T0 for item in batch] for batch in batches]
    assert times == [[0 * MINUTE, *[4 * MINUTE] * 3]]
    with store.read() as connection:
        batches = list(articles.by_ingest(connection, T0, T0 + 26 * MINUTE, 2))
    assert [len(batch) for batch in batches] == [4, 1]
