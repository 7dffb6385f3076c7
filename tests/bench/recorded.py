"""A classified stream as it was recorded: real headlines at their own times, with made-up predictions.

Companies and risk events are found in the headlines by our own resolver and rules; topic and sentiment are
drawn, the same every time: negative where a rule found a risk, else as often as a model says so of a wire.
"""

from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path

from models.labels import TOPICS
from monitor.domain import Article, ClassifiedArticle, Company, DateStatus, article_id, revision_of
from monitor.entities.resolver import Resolver
from monitor.entities.watchlist import load_watchlist
from monitor.stories.risk import RiskPack
from tests.bench.texts import SHARED

NEWS = SHARED / "replay/reuters_2014-05.csv.gz"
WATCHED = SHARED / "replay/watchlist.csv"
PUBLISHERS = 40
SENTIMENTS = (("negative", -0.6), ("neutral", 0.0), ("neutral", 0.05), ("positive", 0.5))


def watched(path: Path = WATCHED) -> tuple[Company, ...]:
    """The companies of the recorded watchlist."""
    return load_watchlist(path).companies


def stream(
    items: int, companies: Sequence[Company], path: Path = NEWS
) -> Iterator[ClassifiedArticle]:
    """Yield the first so many headlines of a recording, classified, as they were published."""
    resolver, rules, chance = Resolver(companies), RiskPack.load(), random.Random(7)
    topics = [chance.choice(TOPICS) for _ in range(997)]
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        for row in islice(csv.DictReader(lines), items):
            at = datetime.fromisoformat(row["published_at"])
            title = row["title"]
            risks = rules.match(title, "", at)
            sentiment, score = chance.choice(SENTIMENTS) if not risks else SENTIMENTS[0]
            yield ClassifiedArticle(
                Article(
                    article_id(row["id"], None, "wire", title, at),
                    revision_of(title, ""),
                    "wire",
                    f"publisher{chance.randrange(PUBLISHERS)}.example",
                    row["id"],
                    title,
                    "",
                    "en",
                    published_at=at,
                    ingested_at=at,
                    date_status=DateStatus.OK,
                ),
                topic=topics[chance.randrange(len(topics))],
                topic_probability=0.9,
                sentiment=sentiment,
                sentiment_probability=0.8,
                score=score,
                mentions=resolver.resolve(title, ""),
                risks=risks,
                model_version="recorded 1",
                bundle_hash="0" * 64,
                classified_at=at,
            )
