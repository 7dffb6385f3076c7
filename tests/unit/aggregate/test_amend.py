"""Readings of one article by several watchlists: whatever order they come in, the last watchlist's stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.aggregate.digest import digest
from monitor.aggregate.stage import count
from monitor.aggregate.weights import Scale
from monitor.domain import ClassifiedArticle, Mention, Relevance, to_micros
from monitor.store import Store, amend, articles, weights
from monitor.store.schema import publishers
from tests.support.make import T0, classified

SCALE = Scale({"b.example": 0.5}, {"acme": ("Retail", ("core",)), "zenith": (None, ("core",))})
NAMES = ("acme", "zenith", "orbit")
# Two pairs of copies, so that weight moves between articles; one article in two revisions.
ARTICLES = tuple(
    classified(name, title, publisher=publisher, published_at=T0 + timedelta(minutes=minute))
    for name, title, publisher, minute in (
        ("a", "Plant shut", "a.example", 0),
        ("b", "Plant shut", "b.example", 1),
        ("c", "Profit falls", "b.example", 61),
        ("c", "Profit falls again", "b.example", 62),
        ("d", "Profit falls", "a.example", 70),
    )
)


def reading(number: int, watchlist: int, named: Sequence[str]) -> ClassifiedArticle:
    mentions = tuple(
        Mention(name, name.title(), "title", at, at + 1, "negative", -0.5, Relevance.TITLE)
        for at, name in enumerate(named)
    )
    return replace(ARTICLES[number], mentions=mentions, watchlist=watchlist)


named = st.lists(st.sampled_from(NAMES), unique=True, max_size=3)
# One reading of each article by each watchlist: whom it names there.
readings = st.fixed_dictionaries(
    {(number, watchlist): named for number in range(len(ARTICLES)) for watchlist in (1, 2, 3)}
).map(lambda found: [reading(*key, names) for key, names in found.items()])


@settings(max_examples=20)
@given(st.data())
def test_the_last_watchlist_stands_in_any_order(data: st.DataObject) -> None:
    whole = data.draw(readings)
    last = [item for item in whole if item.watchlist == 3]
    some = data.draw(st.lists(st.sampled_from(whole), max_size=12))
    order = data.draw(st.permutations([*last, *some]))
    with TemporaryDirectory() as folder:
        amended = store_of(Path(folder) / "amended.db", order, data.draw(st.integers(1, 6)))
        fresh = store_of(Path(folder) / "fresh.db", last, len(last))
        assert amended == fresh


def store_of(path: Path, items: Sequence[ClassifiedArticle], batch: int) -> tuple[object, ...]:
    """Count items, so many at once, and return all that follows from them."""
    store = Store(f"sqlite:///{path}")
    try:
        for begin in range(0, len(items), batch):
            with store.write() as connection:
                count(connection, items[begin : begin + batch], SCALE)
        found = digest(store)
        assert found.buckets_match
        with store.read() as connection:
            rows = connection.execute(publishers.select().order_by(*publishers.primary_key)).all()
            places = [(to_micros(i.article.published_at), i.article.id) for i in ARTICLES]
            held = weights.of(connection, places)
            stored = [item for chunk in articles.chunks(connection, 100) for item in chunk]
        return found, rows, held, stored
    finally:
        store.close()


def test_what_nobody_is_told_of_twice(store: Store) -> None:
    """Companies of a later watchlist are filled in; the rest of a reading stays, and no signal is made."""
    before = reading(0, 1, ["acme"])
    later = replace(reading(0, 2, ["zenith"]), topic="Other", model_version="other", score=0.9)
    with store.write() as connection:
        assert len(count(connection, [before], SCALE).counted) == 1
        again = count(connection, [later], SCALE)
        assert again.counted == again.fresh == again.displaced == []
        assert count(connection, [before, later], SCALE).fresh == []  # delivered again
    with store.read() as connection:
        (stored,) = articles.current(connection, [before.article.id])
    assert stored == replace(before, mentions=later.mentions, watchlist=2)
    assert digest(store).buckets_match


def test_articles_of_earlier_watchlists_are_found_newest_first(store: Store) -> None:
    items = [
        replace(
            classified(f"n{n}", f"News {n}", published_at=T0 + timedelta(minutes=n // 2)),
            watchlist=n % 3,
        )
        for n in range(20)
    ]
    with store.write() as connection:
        count(connection, items, Scale())
        found: list[ClassifiedArticle] = []
        place = None
        since = T0 + timedelta(minutes=3)
        while page := amend.of_earlier_watchlists(connection, 2, since, 3, place):
            found += page
            place = (page[-1].article.ingested_at, page[-1].article.id)
        assert len(found) == amend.count_of_earlier_watchlists(connection, 2, since)
    expected = [i for i in items if i.watchlist < 2 and i.article.ingested_at >= since]
    frame = pd.Series([item.article.ingested_at for item in found])
    assert frame.is_monotonic_decreasing
    assert {item.article.id for item in found} == {item.article.id for item in expected}
    assert len(found) == len(expected)
