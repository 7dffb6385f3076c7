"""The weight of a report is counted once: whatever the order, the batches, the revisions, the writers."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

from monitor.aggregate.digest import digest
from monitor.aggregate.stage import count
from monitor.aggregate.weights import Scale
from monitor.domain import ClassifiedArticle, Dimension, Grain
from monitor.store import Store, buckets
from monitor.store.schema import SCORE_UNIT, WEIGHT_UNIT
from tests.support.make import T0, classified

MINUTE = timedelta(minutes=1)
BANKS = Scale(
    publishers={"good.example": 2.0, "poor.example": 0.0},
    lists={"acme": ("Banks", ("book",)), "zenith": ("Banks", ("book", "hot"))},
)


def put(store: Store, *items: ClassifiedArticle, scale: Scale = BANKS) -> None:
    with store.write() as connection:
        count(connection, items, scale)


def day(
    store: Store, dimension: Dimension = Dimension.MARKET, key: str | None = None
) -> list[tuple[str, int, float, float]]:
    """Return (key, items, weight, weighted sum), weights and sums in whole units, of the day buckets."""
    with store.read() as connection:
        rows = buckets.between(connection, Grain.DAY, None, None, [dimension], key)
    scale = WEIGHT_UNIT * SCORE_UNIT
    return [
        (row["key"], row["items"], row["weight"] / WEIGHT_UNIT, row["weighted_sum"] / scale)
        for row in rows.to_dict("records")
    ]


def copies(number: int, title: str = "Acme to cut jobs") -> list[ClassifiedArticle]:
    return [
        classified(f"copy {at}", title, published_at=T0 + at * MINUTE, score=-0.5 - at / 100)
        for at in range(number)
    ]


def test_forty_copies_weigh_what_the_first_published_weighs(sqlite_store: Store) -> None:
    for item in reversed(copies(40)):
        put(sqlite_store, item)
    assert day(sqlite_store) == [("all", 40, 1.0, -0.5)]
    assert digest(sqlite_store).buckets_match


def test_an_update_in_the_title_is_a_copy_and_the_next_day_is_not(sqlite_store: Store) -> None:
    first, second = copies(1), copies(1, "UPDATE 1-Acme to cut jobs")
    later = classified("later", "Acme to cut jobs", published_at=T0 + timedelta(days=1), score=-0.5)
    put(sqlite_store, *first, classified("other", second[0].article.title, score=-0.9), later)
    assert [row[1:3] for row in day(sqlite_store)] == [(2, 1.0), (1, 1.0)]


def test_a_publisher_weighs_what_the_settings_say(sqlite_store: Store) -> None:
    put(
        sqlite_store,
        classified("a", "One", publisher="good.example", score=0.5),
        classified("b", "Two", publisher="poor.example", score=-1.0),
        classified("c", "Three", publisher="wire.example", score=-0.25),
    )
    assert day(sqlite_store) == [("all", 3, 3.0, 0.75)]


def test_a_holder_that_is_revised_hands_its_weight_on(sqlite_store: Store) -> None:
    first, second = copies(2)
    put(sqlite_store, first, second)
    put(
        sqlite_store,
        classified(
            "copy 0", "Something else", published_at=T0, ingested_at=T0 + 9 * MINUTE, score=0.5
        ),
    )
    assert day(sqlite_store) == [("all", 2, 2.0, -0.01)]
    assert digest(sqlite_store).buckets_match


def test_two_companies_of_a_sector_count_once_in_it(sqlite_store: Store) -> None:
    put(sqlite_store, classified(companies=("acme", "zenith"), score=-0.5))
    assert day(sqlite_store, Dimension.SECTOR) == [("Banks", 1, 1.0, -0.5)]
    assert day(sqlite_store, Dimension.PORTFOLIO) == [("book", 1, 1.0, -0.5), ("hot", 1, 1.0, -0.5)]


def test_an_article_takes_back_what_it_gave_though_the_watchlist_has_changed(
    sqlite_store: Store,
) -> None:
    put(sqlite_store, classified("a", "Old words", score=-0.5))
    moved = Scale(lists={"acme": ("Insurers", ())})
    put(
        sqlite_store,
        classified("a", "New words", score=0.5, ingested_at=T0 + 9 * MINUTE),
        scale=moved,
    )
    assert day(sqlite_store, Dimension.SECTOR) == [("Insurers", 1, 1.0, 0.5)]
    assert day(sqlite_store, Dimension.PORTFOLIO) == []
    assert digest(sqlite_store).buckets_match


def test_two_writers_do_not_both_count_a_report(store: Store) -> None:
    items, start, failures = copies(24), threading.Barrier(2), list[BaseException]()

    def write(mine: Sequence[ClassifiedArticle]) -> None:
        try:
            start.wait(10)
            for item in mine:
                put(store, item)
        except BaseException as error:
            failures.append(error)

    threads = [
        threading.Thread(target=write, args=(part,)) for part in (items[::2][::-1], items[1::2])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert day(store) == [("all", 24, 1.0, -0.5)]
    assert digest(store).buckets_match
