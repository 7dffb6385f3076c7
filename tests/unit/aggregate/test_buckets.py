"""Laws of counting: order, batching and redelivery of articles change nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.aggregate.buckets import bucket_rows, contributions, publisher_rows
from monitor.aggregate.digest import digest
from monitor.aggregate.stage import count
from monitor.aggregate.weights import Scale
from monitor.domain import ClassifiedArticle, DateStatus, Grain, to_micros
from monitor.store import Store, buckets
from monitor.store.buckets import SUMS
from monitor.store.schema import SCORE_UNIT, metadata
from monitor.store.schema import publishers as publisher_table
from tests.support.make import T0, classified

SENTIMENTS = st.sampled_from(
    [("negative", -0.912345), ("neutral", 0.0), ("positive", 0.7), (None, None)]
)

SCALE = Scale(
    publishers={"x.example": 0.7},
    lists={"acme": ("Banks", ("book", "hot")), "zenith": ("Banks", ("book",))},
)


@st.composite
def items(draw: st.DrawFn) -> ClassifiedArticle:
    sentiment, score = draw(SENTIMENTS)
    published_at = T0 + timedelta(minutes=draw(st.sampled_from([0, 1, 59, 60, 23 * 60])))
    # The ingest time of a revision belongs to it: two revisions never share one.
    title = draw(st.integers(0, 3))
    return classified(
        name=draw(st.sampled_from("abcd")),
        title=f"Title {title}",
        published_at=published_at,
        ingested_at=T0 + timedelta(days=1, minutes=title),
        publisher=draw(st.sampled_from(["x.example", "y.example"])),
        date_status=draw(st.sampled_from([DateStatus.OK, DateStatus.OK, DateStatus.FUTURE])),
        topic=None
        if sentiment is None
        else draw(st.sampled_from(["Earnings", "M&A | Investments"])),
        sentiment=sentiment,
        score=score,
        companies=draw(st.sampled_from([(), ("acme",), ("acme", "zenith")])),
    )


def distinct(found: list[ClassifiedArticle]) -> list[ClassifiedArticle]:
    """One article for each key: the same key always has the same content."""
    return list({(item.article.id, item.article.revision): item for item in found}.values())


# A set of articles in two orders, some of them more than once, each cut into batches.
news = st.lists(items(), max_size=10).map(distinct)


@st.composite
def deliveries(
    draw: st.DrawFn,
) -> tuple[list[list[ClassifiedArticle]], list[list[ClassifiedArticle]]]:
    once = draw(news)
    again = draw(st.lists(st.sampled_from(once), max_size=5)) if once else []
    return batches(draw, draw(st.permutations(once))), batches(
        draw, draw(st.permutations([*once, *again]))
    )


def batches(draw: st.DrawFn, order: Sequence[ClassifiedArticle]) -> list[list[ClassifiedArticle]]:
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=4)))
    ends = [0, *cuts, len(order)]
    return [list(order[begin:end]) for begin, end in pairwise(ends) if begin < end]


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for all examples: `emptied` before each."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('buckets') / 'store.db'}")
    yield store
    store.close()


def emptied(store: Store) -> Store:
    with store.write() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())
    return store


def put(store: Store, batch: Sequence[ClassifiedArticle]) -> None:
    with store.write() as connection:
        count(connection, batch, SCALE)


def contents(store: Store) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Return all bucket rows and all publisher rows, sorted."""
    with store.read() as connection:
        frame = pd.concat([buckets.between(connection, grain, None, None) for grain in Grain])
        writers = [tuple(row) for row in connection.execute(publisher_table.select())]
    return sorted(frame.itertuples(index=False, name=None)), sorted(writers)


@settings(max_examples=25)
@given(pair=deliveries())
@example(
    pair=(
        [[classified("a", "Title 0", companies=())], [classified("a", "Title 1")]],
        [[classified("a", "Title 1"), classified("a", "Title 0", companies=())]],
    )
)
def test_order_batching_and_redelivery_change_nothing(
    shared_store: Store, pair: tuple[list[list[ClassifiedArticle]], list[list[ClassifiedArticle]]]
) -> None:
    found = []
    for delivery in pair:
        store = emptied(shared_store)
        for batch in delivery:
            put(store, batch)
        found.append((contents(store), digest(store)))
    (one, one_digest), (other, other_digest) = found
    assert one == other
    assert one_digest == other_digest
    assert one_digest.buckets_match


@settings(max_examples=50)
@given(news)
def test_buckets_are_what_a_plain_count_gives(found: list[ClassifiedArticle]) -> None:
    rows = bucket_rows(contributions(found))
    counted: dict[tuple[str, str, int, str], Counter[str]] = defaultdict(Counter)
    for item in found:
        if not item.article.date_status.believable:
            continue
        keys = [("market", "all")]
        keys += [("company", company) for company in item.company_ids]
        if item.topic:
            keys.append(("topic", item.topic))
            keys += [("company_topic", f"{company}|{item.topic}") for company in item.company_ids]
        for grain, width_s in (("minute", 60), ("hour", 3600), ("day", 86400)):
            start_us = to_micros(item.article.published_at) // (width_s * 10**6) * width_s * 10**6
            for dimension, key in keys:
                tally = counted[grain, dimension, start_us, key]
                tally["items"] += 1
                tally[item.sentiment or "unread"] += 1
                tally["score_sum"] += round((item.score or 0) * SCORE_UNIT)
    assert len(rows) == len(counted)
    for place, sums in rows.items():
        tally, row = counted[place], dict(zip(SUMS, sums, strict=True))
        for name in ("items", "positive", "neutral", "negative", "score_sum"):
            assert row[name] == tally[name], (place, row, tally)


@settings(max_examples=50)
@given(news)
def test_what_is_displaced_takes_back_what_it_gave(found: list[ClassifiedArticle]) -> None:
    given = contributions(found, found)
    assert not any(any(sums) for sums in bucket_rows(given).values())
    assert not any(any(items) for items in publisher_rows(given).values())


def test_squares_are_in_score_units() -> None:
    rows = bucket_rows(contributions([classified(score=-0.5), classified("b", score=0.5)]))
    held = [dict(zip(SUMS, sums, strict=True)) for sums in rows.values()]
    assert {each["score_squares"] for each in held} == {SCORE_UNIT // 2}
    assert {each["score_sum"] for each in held} == {0}
