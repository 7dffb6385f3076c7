"""Made-up news of hundreds of companies: one day of it, classified, the same every time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from models.labels import TOPICS
from monitor.domain import (
    Article,
    ClassifiedArticle,
    Company,
    DateStatus,
    Mention,
    Relevance,
    RiskMatch,
    digest,
    revision_of,
)

NAMED = 0.3  # of the items name a company
RISKS = 0.002
PUBLISHERS = 40
SAID = ("cuts outlook", "raises dividend", "names finance chief", "to close plant", "wins order")


def watchlist(number: int) -> list[Company]:
    """So many companies, in twenty sectors."""
    return [Company(f"c{at}", f"Company {at}", sector=f"Sector {at % 20}") for at in range(number)]


def day_of(
    start: datetime, number: int, watched: Sequence[Company], run: int = 0
) -> list[ClassifiedArticle]:
    """So many items in the 24 hours from a time on; another ``run`` gives other items."""
    chance = random.Random(run)
    return [
        item(start + timedelta(days=at / number), f"{run}.{at}", watched, chance)
        for at in range(number)
    ]


def item(
    at: datetime, name: str, watched: Sequence[Company], chance: random.Random
) -> ClassifiedArticle:
    """What a classifier would have said of an item, known by its name."""
    named = [chance.choice(watched)] if chance.random() < NAMED else []
    subject = named[0].name if named else "Somebody"
    score = chance.choice((-0.6, 0.0, 0.0, 0.5))
    title = f"{subject} {chance.choice(SAID)}, item {name}"
    risks: tuple[RiskMatch, ...] = ()
    if named and chance.random() < RISKS:
        risks, score = (RiskMatch("recall", "recall", 3, "confirmed", title),), -0.7
    return ClassifiedArticle(
        Article(
            *(digest(f"made up {name}"), revision_of(title, ""), "wire"),
            f"publisher{chance.randrange(PUBLISHERS)}.example",
            f"https://wire.example/2026/03/{name}",
            title=title,
            lead="",
            language="en",
            published_at=at,
            ingested_at=at,
            date_status=DateStatus.OK,
        ),
        topic=chance.choice(TOPICS),
        topic_probability=0.9,
        sentiment="negative" if score < 0 else "positive" if score > 0 else "neutral",
        sentiment_probability=0.8,
        score=score,
        mentions=tuple(
            Mention(each.id, each.name, "title", 0, len(each.name), None, None, Relevance.TITLE)
            for each in named
        ),
        risks=risks,
        model_version="made up 1",
        bundle_hash="0" * 64,
        classified_at=at,
    )
