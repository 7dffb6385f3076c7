"""The three questions: items with these words, items that mean this, items like this one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.domain import ClassifiedArticle
from monitor.search.vectors import Vectors
from monitor.store import Connection, articles, words
from monitor.stories.copies import report_key

NEWEST = 1_500  # items whose meaning is compared, whatever their words
WORDED = 500  # further ones, of any age, that have a word in common with the question
LEAST_LIKE = 0.35  # cosine below which two titles have nothing to do with each other


@dataclass(frozen=True, slots=True)
class Hit:
    """An item that answers; ``alike``: a cosine in [-1, 1], ``None`` where words were looked for."""

    item: ClassifiedArticle
    alike: float | None = None


def by_words(connection: Connection, question: str, limit: int) -> list[Hit]:
    """Return items that hold every word of a question, the newest first; see `monitor.store.words.find`."""
    ids = words.find(connection, question, limit)
    found = {item.article.id: item for item in articles.current(connection, ids)}
    return [Hit(found[id_]) for id_ in ids if id_ in found]


def candidates(connection: Connection, text: str) -> list[ClassifiedArticle]:
    """Return the items whose meaning is compared with a text: the newest, and those that share a word."""
    newest = articles.newest_read(connection, NEWEST)
    known = {item.article.id for item in newest}
    worded = words.find(connection, text, WORDED, any_word=True)
    return [*newest, *articles.current(connection, [id_ for id_ in worded if id_ not in known])]


def by_meaning(
    items: Sequence[ClassifiedArticle], question: str, vectors: Vectors, limit: int
) -> list[Hit]:
    """Return those of some items that mean what a question says, the most alike first; copies once."""
    asked = vectors.of_text(question)
    return [] if asked is None else _alike(items, asked, vectors, limit)


def like(
    items: Sequence[ClassifiedArticle], one: ClassifiedArticle, vectors: Vectors, limit: int
) -> list[Hit]:
    """Return those of some items that are like one, the most alike first; its copies are left out."""
    asked = vectors([one])[0]
    key = report_key(one.article.title)
    others = [item for item in items if report_key(item.article.title) != key]
    return _alike(others, asked, vectors, limit) if asked.any() else []


def _alike(
    items: Sequence[ClassifiedArticle], asked: NDArray[np.float32], vectors: Vectors, limit: int
) -> list[Hit]:
    once: dict[str, ClassifiedArticle] = {}
    for item in items:
        once.setdefault(report_key(item.article.title), item)
    unique = list(once.values())
    if not unique:
        return []
    cosines = vectors(unique) @ asked
    order = np.argsort(-cosines, kind="stable")[:limit]
    return [Hit(unique[at], float(cosines[at])) for at in order if cosines[at] >= LEAST_LIKE]
