"""A small store with news to label, and labels on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from models.labels import KNOWN_LABELS, Head, HeadKind
from monitor.domain import ClassifiedArticle
from monitor.relabel.answers import answer
from monitor.relabel.heads import Question
from monitor.store import Store, articles
from tests.support.make import T0, classified, risk

HEADS = {
    "topic": Head("topic", HeadKind.SINGLE, KNOWN_LABELS["topic"]),
    "sentiment": Head("sentiment", HeadKind.SINGLE, KNOWN_LABELS["sentiment"]),
    "target": Head("target", HeadKind.TARGET, KNOWN_LABELS["target"]),
    "risk": Head("risk", HeadKind.MULTI, ("bank_run", "fine", "recall")),
}
SENTIMENT = Question("sentiment")
SUBJECTS = (
    "brick", "cocoa", "diesel", "ferry", "ginger", "hotel", "insurer", "jet", "kelp", "lithium", "marble",
    "nickel", "opera", "paper", "quartz", "rubber", "silk", "timber", "uranium", "velvet",
)  # fmt: skip


def news(count: int = 60) -> list[ClassifiedArticle]:
    """Return items of different titles, the later published the later in the list."""
    found = []
    for number in range(count):
        subject = SUBJECTS[number % len(SUBJECTS)]
        item = classified(
            f"n{number}",
            f"{subject.title()} maker number {number} reports on {SUBJECTS[number * 7 % 20]} demand",
            published_at=T0 + timedelta(minutes=number),
            topic=("Earnings", "Macro", "Dividend")[number % 3],
            sentiment=("negative", "neutral", "positive")[number % 3],
            risks=[risk("recall")] if number % 5 == 0 else (),
        )
        found.append(replace(item, sentiment_probability=0.4 + number % 60 / 100))
    return found


def fill(store: Store, items: Sequence[ClassifiedArticle]) -> None:
    with store.write() as connection:
        articles.add(connection, items)


def say(
    store: Store,
    item: ClassifiedArticle,
    value: str,
    who: str = "ann",
    minute: int = 0,
    question: Question = SENTIMENT,
    **more: object,
) -> int:
    """Label an item; return the label's id."""
    now = T0 + timedelta(days=1, minutes=minute)
    with store.write() as connection:
        said = answer(
            connection, HEADS, item, question, value, who, now, **{"sampler": "random", **more}  # type: ignore[arg-type]
        )  # fmt: skip
    assert said.id is not None
    return said.id
