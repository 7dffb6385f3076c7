"""News for the chaos run: what is accepted is what the broker acknowledged."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from monitor.domain import Article, DateStatus, digest, revision_of
from monitor.errors import StreamUnavailable
from monitor.pipeline import ARTICLES
from monitor.stream.codec import ARTICLE
from monitor.stream.port import Broker, Message

COMPANIES = tuple(
    f"{first} {second}"
    for first in ("Alder", "Bright", "Corvan", "Delph", "Easter", "Fenwick")
    for second in ("Airways", "Foods", "Motors", "Bank", "Oil", "Chemicals")
)
TOLD = (
    "recalls thousands of products over fire risk",
    "files for bankruptcy",
    "fined $40 mln over money laundering",
    "posts record quarterly profit",
    "hit by data breach",
    "names new chief financial officer",
    "shares fall after profit warning",
)
POISON = (b"not JSON", b"{}", b'{"schema_version": 99, "kind": "article", "body": {}}')


@dataclass
class Accepted:
    """What the broker took: articles by (id, revision), and how many records of poison."""

    articles: set[tuple[str, str]] = field(default_factory=set)
    poison: int = 0
    sent_again: int = 0  # batches that were sent once more, since nothing said that they had come


class Wire(threading.Thread):
    """Appends news until told to stop: new items, revisions, repeats, and now and then poison.

    A batch that was not acknowledged is sent again, whole, as a collector does.
    """

    def __init__(self, broker: Broker, seed: int, per_second: float) -> None:
        super().__init__(name="wire", daemon=True)
        self.broker = broker
        self.chance = random.Random(seed)
        self.per_second = per_second
        self.accepted = Accepted()
        self.stopped = threading.Event()
        self.failure: BaseException | None = None
        self._number = 0
        self._recent: list[Article] = []

    def run(self) -> None:
        writer = self.broker.writer()
        try:
            while not self.stopped.wait(0.5):
                self._deliver(writer, [self._next() for _ in range(self._count())])
        except BaseException as error:
            self.failure = error
        finally:
            writer.close()

    def _count(self) -> int:
        return max(1, round(self.per_second * 0.5 * self.chance.uniform(0.5, 1.5)))

    def _deliver(self, writer, batch: list[tuple[Message, Article | None]]) -> None:  # type: ignore[no-untyped-def]
        while True:
            try:
                writer.append(ARTICLES, [message for message, _ in batch])
                writer.flush()
                break
            except StreamUnavailable:
                self.accepted.sent_again += 1
                time.sleep(0.5)
        for _, article in batch:
            if article is None:
                self.accepted.poison += 1
            else:
                self.accepted.articles.add((article.id, article.revision))

    def _next(self) -> tuple[Message, Article | None]:
        dice = self.chance.random()
        if dice < 0.01:
            return Message(str(self._number), self.chance.choice(POISON)), None
        if dice < 0.08 and self._recent:
            article = self.chance.choice(self._recent)  # a repeat
        else:
            before = self.chance.choice(self._recent) if dice < 0.13 and self._recent else None
            article = self._article(before)
            self._recent = [*self._recent[-200:], article]
        return Message(article.id, ARTICLE.encode(article)), article

    def _article(self, before: Article | None) -> Article:
        self._number += 1
        now = datetime.now(UTC)
        who = self.chance.choice(COMPANIES)
        title = f"{who} {self.chance.choice(TOLD)}, item {self._number}"
        if self.chance.random() < 0.5:
            title = f"Gold steady as traders wait, item {self._number}"
        url = f"https://wire.example/{self._number}" if before is None else before.url
        id_ = digest(str(self._number)) if before is None else before.id
        return Article(
            id=id_,
            revision=revision_of(title, ""),
            source="wire",
            publisher="wire.example",
            url=url,
            title=title,
            lead="",
            language="en",
            published_at=now,
            ingested_at=now,
            date_status=DateStatus.OK,
        )


def watchlist() -> str:
    return "name\n" + "".join(f"{name}\n" for name in COMPANIES)
