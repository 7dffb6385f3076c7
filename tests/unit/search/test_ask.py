"""Search by meaning with the shipped model: other words for the same come first, copies once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest

from models.routing import Router
from monitor.search import ask, vectors
from monitor.search.vectors import Vectors
from monitor.store import Store, articles
from tests.support.make import T0, classified

TITLES = (
    "Depositors queue outside Acme Bank branches",
    "UPDATE 1-Depositors queue outside Acme Bank branches",
    "Zenith recalls 210,000 vehicles over brake fault",
    "Orbit says customer records stolen in attack",
    "Crude holds steady ahead of stock data",
    "Brokers raise price target for Acme Bank",
)


@pytest.fixture(scope="module")
def router() -> Iterator[Router]:
    yield Router.load()


def test_meaning_finds_other_words_and_like_leaves_copies_out(
    sqlite_store: Store, router: Router
) -> None:
    items = [
        classified(f"n{at}", title, published_at=T0 + timedelta(minutes=at))
        for at, title in enumerate(TITLES)
    ]
    with sqlite_store.write() as connection:
        articles.add(connection, items)
    meaning = Vectors(lambda: router)
    with sqlite_store.read() as connection:
        near = ask.candidates(connection, "queue")
        assert sorted(item.article.title for item in near) == sorted(TITLES)
        assert [hit.item.article.title for hit in ask.by_words(connection, "acme -queue", 5)] == [
            TITLES[5]
        ]
    for question, expected in (
        ("customers rush to take their money out", TITLES[:2]),
        ("hackers took client data", TITLES[3:4]),
        ("car maker calls back models", TITLES[2:3]),
    ):
        hits = ask.by_meaning(near, question, meaning, 3)
        assert hits[0].item.article.title in expected, question
        assert [hit.alike for hit in hits] == sorted((h.alike for h in hits), reverse=True)  # type: ignore[type-var]
    alike = ask.like(near, items[0], meaning, 5)
    assert not {TITLES[0], TITLES[1]} & {hit.item.article.title for hit in alike}
    assert len({hit.item.article.title for hit in ask.by_meaning(near, "queue", meaning, 9)}) == 5


def test_vectors_are_kept_bounded_and_one_for_each_title(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "MOST", 2)
    meaning = Vectors(lambda: router)
    items = [classified(f"n{at}", title) for at, title in enumerate(TITLES)]
    first, again = meaning(items), meaning(items)
    assert first.shape == again.shape == (len(items), first.shape[1])
    assert np.allclose(first, again, atol=1e-5)
    assert np.allclose(first[0], first[1])  # a copy of one text
    assert np.allclose(np.linalg.norm(first, axis=1), 1.0, atol=1e-3)
    assert len(meaning._kept) <= 2
    chinese = classified("zh", "恒大破产")
    assert meaning([chinese]).shape[0] == 1 and meaning([]).shape[0] == 0
