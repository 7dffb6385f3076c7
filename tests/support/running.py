"""The service in the test's own process: all stages but collect, on an embedded log and SQLite."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from monitor.aggregate.digest import Digest, digest
from monitor.domain import Article, ClassifiedArticle, DateStatus, revision_of
from monitor.domain import digest as id_of
from monitor.pipeline import ARTICLES
from monitor.service import Service, open_outside
from monitor.settings import load_settings
from monitor.store import Store, articles
from monitor.stream.codec import ARTICLE
from monitor.stream.port import Message

WAIT_S = 180.0
STAGES = ("classify", "aggregate", "alert", "notify")


class Running:
    """Runs from the start; ``settings`` are laid over the defaults."""

    def __init__(self, folder: Path, **settings: dict[str, Any]) -> None:
        folder.mkdir(exist_ok=True)
        self.url = f"sqlite:///{folder / 'store.db'}"
        self.outside = open_outside(
            load_settings(
                None, {"store": {"url": self.url}, "stream": {"path": folder / "log"}, **settings}
            )
        )
        self.service = Service(self.outside, STAGES, housekeeping=False)
        self.service.start()

    def publish(self, *titles: str, at: datetime | None = None) -> None:
        """Append articles to the stream, a second apart, from now or from a time on."""
        at = at or datetime.now(UTC)
        writer = self.outside.broker.writer()
        for number, title in enumerate(titles):
            when = at + timedelta(seconds=number)
            article = Article(
                *(id_of(title), revision_of(title, ""), "wire", "wire.example", None, title, ""),
                *("en", when, when, DateStatus.OK),
            )
            writer.append(ARTICLES, [Message(article.id, ARTICLE.encode(article))])
        writer.flush()
        writer.close()

    @property
    def store(self) -> Store:
        return self.outside.store

    def stored(self) -> list[ClassifiedArticle]:
        with self.store.read() as connection:
            return [item for chunk in articles.chunks(connection, 1_000) for item, _ in chunk]

    def named(self) -> dict[str, set[str]]:
        """The companies of each stored title."""
        return {item.article.title: set(item.company_ids) for item in self.stored()}

    def until(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + WAIT_S
        while not done():
            assert self.service.failure is None, self.service.failure
            assert time.monotonic() < end, self.named()
            time.sleep(0.05)

    def digest(self) -> Digest:
        return digest(self.store)
