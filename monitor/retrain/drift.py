"""Drift monitors: has the news, or the model's hold on it, changed so that it should be trained?

The last week is set against the weeks before: what the model answers, what its embedding sees, and whether
its confidence is borne out by what people say.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.drift import kernel_width, mean_discrepancy, overconfidence, population_stability
from models.text import model_input
from monitor.domain import ClassifiedArticle, Label
from monitor.relabel.standing import gold, standing
from monitor.store import Store, articles, labels

WINDOW = timedelta(days=7)
POOL = 20_000  # of the newest items
LEAST = 300  # items of each side
SAMPLE = 200  # items of each side that are embedded
LEAST_GOLD = 50
MOVED = 0.25  # population stability index
FARTHER = 3.0  # times as far as the weeks before are from each other
SURE = 3.0  # standard deviations

Embed = Callable[[Sequence[str]], NDArray[np.float32] | None]


@dataclass(frozen=True, slots=True)
class Monitor:
    """One monitor: what it measured against which bound; ``value`` is ``None`` without enough data."""

    name: str
    value: float | None
    bound: float
    detail: str

    @property
    def speaks(self) -> bool:
        """Whether the bound is exceeded."""
        return self.value is not None and self.value > self.bound

    def as_json(self) -> Mapping[str, Any]:
        return {**asdict(self), "speaks": self.speaks}


def look(store: Store, embed: Embed | None, since: datetime | None = None) -> list[Monitor]:
    """Ask every monitor.

    Parameters
    ----------
    embed
        Gives the sentence embeddings of texts, ``(texts, width)``; ``None``: that monitor is left out.
    since
        Labels before it are about another model.
    """
    with store.read() as connection:
        items = articles.newest_read(connection, POOL)
        events = labels.events(connection)
    newest = max((item.article.published_at for item in items), default=None)
    if newest is None:
        now: list[ClassifiedArticle] = []
        before: list[ClassifiedArticle] = []
    else:
        begin = newest - WINDOW
        now = [item for item in items if item.article.published_at > begin]
        before = [item for item in items if item.article.published_at <= begin]
    found = [_answers(head, before, now) for head in ("topic", "sentiment")]
    if embed is not None:
        found.append(_embeddings(before, now, embed))
    found.append(_confidence([e for e in events if since is None or e.at >= since]))
    return found


def _answers(
    head: str, before: Sequence[ClassifiedArticle], now: Sequence[ClassifiedArticle]
) -> Monitor:
    sides = [Counter(_said(item, head) for item in part) for part in (before, now)]
    for side in sides:
        side.pop("", None)
    least = min(side.total() for side in sides)
    if least < LEAST:
        return Monitor(f"answers, {head}", None, MOVED, f"{least} items, {LEAST} are needed")
    moved = population_stability(*sides)
    shares = [{k: n / side.total() for k, n in side.items()} for side in sides]
    most = max(
        shares[0].keys() | shares[1].keys(),
        key=lambda k: abs(shares[1].get(k, 0) - shares[0].get(k, 0)),
    )
    detail = f"{most}: {100 * shares[0].get(most, 0):.1f}% before, {100 * shares[1].get(most, 0):.1f}% now"
    return Monitor(f"answers, {head}", moved, MOVED, detail)


def _said(item: ClassifiedArticle, head: str) -> str:
    return (item.topic if head == "topic" else item.sentiment) or ""


def _embeddings(
    before: Sequence[ClassifiedArticle], now: Sequence[ClassifiedArticle], embed: Embed
) -> Monitor:
    """How far the last week is from the weeks before, in units of how far those are from each other."""
    name = "embedding"
    if min(len(before), len(now)) < LEAST:
        least = min(len(before), len(now))
        return Monitor(name, None, FARTHER, f"{least} items, {LEAST} are needed")
    ordered = sorted(before, key=lambda item: item.article.published_at)
    half = len(ordered) // 2
    parts = [_some(part) for part in (ordered[:half], ordered[half:], now)]
    vectors = embed([text for part in parts for text in part])
    if vectors is None:
        return Monitor(name, None, FARTHER, "the model gives no embedding")
    early, late, recent = np.split(vectors, np.cumsum([len(part) for part in parts])[:-1])
    width = kernel_width(np.concatenate([early, late]))
    usual = max(mean_discrepancy(early, late, width), 1.0 / SAMPLE**2 * 10)
    found = mean_discrepancy(np.concatenate([early, late]), recent, width)
    return Monitor(
        name, max(found, 0.0) / usual, FARTHER, f"MMD2 {found:.5f}, weeks before {usual:.5f}"
    )


def _some(items: Sequence[ClassifiedArticle]) -> list[str]:
    """Return texts of a sample, those whose ids' hashes come first."""
    texts = {item.article.id: model_input(item.article.title, item.article.lead) for item in items}
    order = sorted(texts, key=lambda id_: hashlib.sha256(id_.encode()).digest())
    return [texts[id_] for id_ in order[:SAMPLE]]


def _confidence(events: Sequence[Label]) -> Monitor:
    """Whether the model is surer than gold labels of items asked at random bear out."""
    name = "calibration on gold"
    said = {each.question: each for each in standing(events) if each.sampler == "random"}
    rows = [
        (label.probability, label.predicted == each.value)
        for question, each in gold(events, least=2).items()
        if (label := said.get(question)) is not None and label.probability is not None
    ]
    if len(rows) < LEAST_GOLD:
        detail = f"{len(rows)} gold labels of items asked at random, {LEAST_GOLD} are needed"
        return Monitor(name, None, SURE, detail)
    chances, right = (np.array(side) for side in zip(*rows, strict=True))
    detail = (
        f"{100 * right.mean():.1f}% right, {100 * chances.mean():.1f}% expected, of {len(rows)}"
    )
    return Monitor(name, overconfidence(chances.astype(np.float64), right), SURE, detail)
