"""What the store does: one suite over SQLite and a real PostgreSQL."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from monitor.aggregate.buckets import bucket_rows, contributions, publisher_rows
from monitor.domain import (
    EPOCH,
    ClassifiedArticle,
    DateStatus,
    Dimension,
    Grain,
    from_micros,
    to_micros,
)
from monitor.store import Store, articles, buckets, companies, leases, progress
from monitor.store.articles import Added
from monitor.store.progress import Progress
from tests.support.make import T0, classified, risk

MINUTE = timedelta(minutes=1)


def put(store: Store, *items: ClassifiedArticle) -> Added:
    """Add articles and what they contribute, as the aggregate stage does."""
    with store.write() as connection:
        added = articles.add(connection, items)
        given = contributions(added.counted, added.displaced)
        buckets.add(connection, bucket_rows(given))
        buckets.add_publishers(connection, publisher_rows(given))
    return added


def current(store: Store) -> list[str]:
    return sorted(articles.latest(store, 100)["title"])


def minutes(store: Store, dimension: Dimension = Dimension.MARKET) -> list[tuple[str, int, int]]:
    """Return (key, minute after T0, items) of every stored minute bucket."""
    with store.read() as connection:
        frame = buckets.between(connection, Grain.MINUTE, None, None, [dimension])
    starts = (frame["start_us"] - to_micros(T0)) // 60_000_000
    return list(zip(frame["key"], starts, frame["items"], strict=True))


# Articles ------------------------------------------------------------------------------------------


def test_a_new_article_comes_back_as_it_was(store: Store) -> None:
    item = classified(companies=("acme", "zenith"), risks=(risk(), risk("fraud", 3, "rumour")))

    added = put(store, item)

    assert added == Added([item], [item], [])
    with store.read() as connection:
        assert articles.get(connection, [(item.article.id, item.article.revision)]) == [item]


def test_what_the_model_did_not_read_stays_none(store: Store) -> None:
    item = classified(topic=None, sentiment=None, score=None, companies=())

    put(store, item)

    with store.read() as connection:
        assert articles.get(connection, [(item.article.id, item.article.revision)]) == [item]


def test_zero_is_a_score_and_not_nothing(store: Store) -> None:
    put(store, classified(sentiment="neutral", score=0.0))

    assert articles.latest(store, 1)["score"].tolist() == [0.0]


def test_a_repeat_and_a_redelivery_add_nothing(store: Store) -> None:
    item = classified()
    put(store, item)
    later = classified(ingested_at=T0 + timedelta(hours=5))

    assert put(store, item) == Added([], [], [])
    assert put(store, later) == Added([], [], [])
    assert minutes(store) == [("all", 0, 1)]


def test_a_repeat_in_one_batch_counts_once(store: Store) -> None:
    added = put(store, classified(), classified())

    assert len(added.fresh) == len(added.counted) == 1
    assert minutes(store) == [("all", 0, 1)]


def test_a_new_revision_displaces_the_old_one(store: Store) -> None:
    old = classified(title="Profit falls")
    new = classified(title="Profit falls 10 pct", ingested_at=T0 + timedelta(minutes=9))
    put(store, old)

    added = put(store, new)

    assert added == Added([new], [new], [old])
    assert current(store) == ["Profit falls 10 pct"]
    assert articles.count(store) == 2
    assert minutes(store) == [("all", 0, 1)]


def test_an_old_revision_that_comes_late_is_kept_and_does_not_count(store: Store) -> None:
    old = classified(title="Profit falls")
    new = classified(title="Profit falls 10 pct", ingested_at=T0 + timedelta(minutes=9))
    put(store, new)

    added = put(store, old)

    assert added == Added([old], [], [])
    assert current(store) == ["Profit falls 10 pct"]


def test_a_repeat_of_an_old_revision_does_not_win_against_a_new_one(store: Store) -> None:
    """A headline changed, and changed back: the text that came back is a repeat, not a third revision."""
    first = classified(title="A")
    second = classified(title="B", ingested_at=T0 + 2 * MINUTE)
    back = classified(title="A", ingested_at=T0 + 3 * MINUTE)
    third = classified(title="C", ingested_at=T0 + timedelta(seconds=150))
    put(store, first, second, back)
    assert current(store) == ["B"]

    put(store, back, third)

    assert current(store) == ["C"]


def test_revisions_in_any_order_and_batching_leave_the_same(store: Store) -> None:
    def revisions(name: str) -> list[ClassifiedArticle]:
        return [
            classified(name, "A", sentiment="negative"),
            classified(name, "B", sentiment="positive", ingested_at=T0 + 5 * MINUTE),
            classified(
                name, "C", published_at=T0 + MINUTE, ingested_at=T0 + 7 * MINUTE, companies=()
            ),
        ]

    orders = list(itertools.permutations(range(3)))
    for number, order in enumerate(orders):
        items = [revisions(f"one-{number}")[place] for place in order]
        for item in items:
            put(store, item)
        together = [revisions(f"all-{number}")[place] for place in order]
        put(store, *together)

    assert current(store) == ["C"] * 2 * len(orders)
    assert minutes(store) == [("all", 1, 2 * len(orders))]
    assert minutes(store, Dimension.COMPANY) == []


def test_an_unbelievable_date_is_stored_and_counted_nowhere(store: Store) -> None:
    put(store, classified("a", date_status=DateStatus.STALE))
    put(store, classified("b", date_status=DateStatus.FUTURE))
    put(store, classified("c", date_status=DateStatus.MISSING))

    assert articles.count(store) == 3
    assert minutes(store) == [("all", 0, 1)]


def test_items_of_a_company_are_those_that_count(store: Store) -> None:
    put(store, classified("a", "A", score=-0.2), classified("b", "B", score=-0.9))
    put(store, classified("c", "C", score=None, sentiment=None))
    put(store, classified("d", "D", companies=("zenith",)))
    # It named acme once; what it says now does not.
    put(store, classified("e", "E", score=-1.0))
    put(store, classified("e", "E2", score=-1.0, companies=(), ingested_at=T0 + 5 * MINUTE))
    start_us, end_us = to_micros(T0), to_micros(T0 + MINUTE)

    with store.read() as connection:
        found = articles.of_key(connection, Dimension.COMPANY, "acme", start_us, end_us)
        topic = articles.of_key(connection, Dimension.TOPIC, "Earnings", start_us, end_us)

    score = dict(zip(found["title"], found["score"].astype(object), strict=True))
    assert (score["A"], score["B"], len(score)) == (-0.2, -0.9, 3)
    assert score["C"] != score["C"]  # not read: no score, and no sentiment
    assert found["sentiment"].isna().sum() == 1
    assert sorted(topic["title"]) == ["A", "B", "C", "D", "E2"]


def test_chunks_give_every_revision_once_in_order_of_time(store: Store) -> None:
    items = [
        classified(str(i), f"Title {j}", published_at=T0 - i // 2 * MINUTE)
        for i in range(7)
        for j in range(2)
    ]
    put(store, *items)

    with store.read() as connection:
        chunks = list(articles.chunks(connection, 4))

    def key(item: ClassifiedArticle) -> tuple[datetime, str, str]:
        return item.article.published_at, item.article.id, item.article.revision

    assert [key(item) for chunk in chunks for item, _ in chunk] == sorted(map(key, items))
    assert sum(flag for chunk in chunks for _, flag in chunk) == 7
    assert [len(chunk) for chunk in chunks] == [4, 4, 4, 2]


# Buckets and publishers ----------------------------------------------------------------------------


def test_buckets_roll_up(store: Store) -> None:
    put(
        store, classified("a"), classified("b", published_at=T0 + 61 * MINUTE, sentiment="positive")
    )

    def series(grain: Grain, end: datetime) -> list[tuple[int, int]]:
        frame = buckets.series(store, Dimension.COMPANY, "acme", grain, T0, end)
        return list(zip(frame["items"], frame["negative"], strict=True))

    assert series(Grain.HOUR, T0 + 120 * MINUTE) == [(1, 1), (1, 0)]
    assert series(Grain.DAY, T0 + MINUTE) == [(2, 1)]  # the day that T0 falls into, whole
    assert len(series(Grain.MINUTE, T0 + 90 * MINUTE)) == 90


def test_a_series_without_articles_is_zeros_and_no_score(store: Store) -> None:
    frame = buckets.series(store, Dimension.COMPANY, "acme", Grain.HOUR, T0, T0 + 120 * MINUTE)

    assert frame["items"].tolist() == [0, 0]
    assert frame["score"].isna().all()


def test_publishers_are_counted_once(store: Store) -> None:
    items = [
        classified(str(i), publisher=f"{i % 3}.example", published_at=T0 + i * 5 * MINUTE)
        for i in range(24)
    ]
    put(store, *items)

    def publishers(hours: int) -> int:
        end_us = to_micros(T0 + timedelta(hours=hours))
        with store.read() as connection:
            return buckets.publisher_count(
                connection, Dimension.COMPANY, "acme", to_micros(T0), end_us
            )

    assert (publishers(1), publishers(2)) == (3, 3)


def test_a_displaced_publisher_does_not_count(store: Store) -> None:
    put(store, classified("a", "A", publisher="wrong.example"))
    put(store, classified("a", "B", publisher="right.example", ingested_at=T0 + 5 * MINUTE))

    end_us = to_micros(T0 + MINUTE)
    with store.read() as connection:
        assert (
            buckets.publisher_count(connection, Dimension.COMPANY, "acme", to_micros(T0), end_us)
            == 1
        )


def test_expiring_fine_buckets_keeps_coarse_ones(store: Store) -> None:
    put(store, classified("a"), classified("b", published_at=T0 + timedelta(days=2)))

    with store.write() as connection:
        deleted = buckets.expire(connection, Grain.MINUTE, T0 + timedelta(days=1))

    assert deleted == 4  # market, topic, company, company-topic
    assert minutes(store) == [("all", 2 * 24 * 60, 1)]
    with store.read() as connection:
        assert len(buckets.between(connection, Grain.HOUR, None, None, [Dimension.MARKET])) == 2


def test_writers_at_once_lose_nothing(store: Store) -> None:
    """Threads add to the same buckets, each in an order of its own, and some of them the same articles."""
    items = [
        classified(str(i), publisher=f"{i % 4}.example", published_at=T0 + (i % 5) * MINUTE)
        for i in range(60)
    ]
    failed: list[BaseException] = []

    def work(number: int) -> None:
        mine = [item for i, item in enumerate(items) if (i + number) % 4 != 0]
        if number % 2:
            mine.reverse()
        try:
            for begin in range(0, len(mine), 7):
                put(store, *mine[begin : begin + 7])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failed
    assert articles.count(store) == 60
    assert minutes(store) == [("all", minute, 12) for minute in range(5)]


def test_revisions_written_at_once_leave_one_current(store: Store) -> None:
    start = threading.Barrier(4)

    def work(number: int) -> None:
        for name in range(15):
            start.wait()
            put(store, classified(str(name), f"T{number}", ingested_at=T0 + number * MINUTE))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert current(store) == ["T3"] * 15
    assert minutes(store) == [("all", 0, 15)]


def test_a_failed_write_leaves_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.write() as connection:
        articles.add(connection, [classified()])
        _ = 1 / 0

    assert articles.count(store) == 0


def test_a_read_is_one_snapshot(store: Store) -> None:
    put(store, classified("a"))
    with store.read() as connection:
        before = buckets.between(connection, Grain.DAY, None, None)
        put(store, classified("b"))
        after = buckets.between(connection, Grain.DAY, None, None)

    pd.testing.assert_frame_equal(before, after)


# Progress and leases -------------------------------------------------------------------------------


def test_progress_is_kept_per_stage_and_partition(store: Store) -> None:
    states = [
        Progress("aggregate", "news.articles", 0, origin=7, through_at=T0, articles=5, repeats=2),
        Progress("aggregate", "news.articles", 1, articles=1, replay=True, beat_at=T0),
        Progress("collect", "news.articles", 0, articles=99),
    ]
    with store.write() as connection:
        for state in states:
            progress.save(connection, Progress(state.stage, state.stream, state.partition))
            progress.save(connection, state)

    with store.read() as connection:
        loaded = progress.load(connection, "aggregate")
    assert loaded == {("news.articles", 0): states[0], ("news.articles", 1): states[1]}
    assert progress.totals(store) == (6, 2)


def hold(store: Store, holder: str, at_s: float) -> bool:
    with store.write() as connection:
        return leases.hold(connection, "join", holder, T0 + timedelta(seconds=at_s), 10)


def test_one_holder_at_a_time(store: Store) -> None:
    assert hold(store, "a", 0)
    assert not hold(store, "b", 5)
    assert hold(store, "a", 9)  # renewed until 19
    assert not hold(store, "b", 15)
    assert hold(store, "b", 20)
    assert not hold(store, "a", 21)


def test_a_lease_given_back_is_free(store: Store) -> None:
    assert hold(store, "a", 0)
    with store.write() as connection:
        leases.release(connection, "join", "b")
    assert not hold(store, "b", 1)
    with store.write() as connection:
        leases.release(connection, "join", "a")
    assert hold(store, "b", 1)


def test_of_many_who_ask_at_once_one_holds(store: Store) -> None:
    start = threading.Barrier(6)
    won: list[str] = []

    def ask(holder: str) -> None:
        start.wait()
        if hold(store, holder, 0):
            won.append(holder)

    threads = [threading.Thread(target=ask, args=(f"h{i}",)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


# Watchlist -----------------------------------------------------------------------------------------


def test_the_watchlist_is_replaced(store: Store) -> None:
    from monitor.domain import Company

    def keep(watched: Sequence[Company]) -> None:
        with store.write() as connection:
            companies.replace(connection, watched, EPOCH)

    acme = Company(
        *("acme", "Acme", ("ACME Inc",), "ACM", "US0378331005"),
        rics=("ACM.N", "ACM.L"),
        lei="5493001KJTIIGC8Y1R12",
        credit_code="91350100M000100Y43",
        parent="zenith",
        sector="Tools",
        country="US",
        groups=("core", "long only"),
    )
    zenith = Company("zenith", "Zenith")
    keep([zenith, acme])
    assert companies.load(store) == (acme, zenith)
    keep([])
    assert companies.load(store) == ()


def test_times_keep_their_microseconds(store: Store) -> None:
    when = datetime(2026, 1, 5, 9, 0, 0, 123456, tzinfo=UTC)
    put(store, classified(published_at=when))

    assert articles.newest(store) == when == from_micros(to_micros(when))
