"""A year of real feeds through the collect stage: nothing lost, repeats told, languages right."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.aggregate.stage import AggregateStage
from monitor.clock import ReplayClock, SystemClock
from monitor.collect.dates import DateRules
from monitor.collect.replay import ReplaySource
from monitor.collect.stage import CollectStage
from monitor.domain import Article, digest
from monitor.metrics import Metrics
from monitor.pipeline import ARTICLES, DEADS, Input
from monitor.store import Store, progress
from monitor.stream import LocalStreamSettings, open_broker
from monitor.stream.codec import ARTICLE, Classified, Origin
from monitor.stream.port import Record
from tests.support.make import T0, classified

ITEMS = 3_373
#: A sample of 200 (``random.Random(8)``) whose languages a person told by reading title and summary.
READ = Path(__file__).with_name("rss_archive_languages.csv")


@pytest.fixture
def archive(shared_data: Path) -> ReplaySource:
    file = shared_data / "replay" / "rss_archive_2025_2026.jsonl.gz"
    return ReplaySource.of(file, language="auto", publisher=None)


def collected(source: ReplaySource, store: Store, folder: Path) -> tuple[list[Article], int]:
    """Run the stage to its end; return what it appended, and how many dead items it told of."""
    broker = open_broker(LocalStreamSettings(path=folder / "streams.db"))
    broker.create({name: 1 for name in (ARTICLES, "news.classified", DEADS, "alerts")})
    wall = SystemClock()
    stage = CollectStage(
        [source], DateRules(), broker, store, ReplayClock(), wall, Metrics(), 100_000
    )
    articles: list[Article] = []
    dead = 0
    while not (effects := stage.process(())).done:
        articles += [ARTICLE.decode(each.value) for each in effects.outputs.get(ARTICLES, ())]
        dead += len(effects.outputs.get(DEADS, ()))
        if effects.after is not None:
            effects.after()
    assert stage.read == ITEMS
    stage.close()
    broker.close()
    return articles, dead


def stored(store: Store, articles: list[Article], first_offset: int) -> tuple[int, int]:
    """Store articles as read from these offsets; return how many there are, and how many were repeats."""
    stage = AggregateStage(lambda _: False, lambda: T0, Metrics())
    for begin in range(0, len(articles), 500):
        batch = [
            Input(
                Classified(replace(classified(), article=article, mentions=()), Origin(0, offset)),
                Record("news.classified", 0, offset, article.id, b"", 0),
            )
            for offset, article in enumerate(articles[begin : begin + 500], first_offset + begin)
        ]
        effects = stage.process(batch)
        assert effects.write is not None
        with store.write() as connection:
            effects.write(connection)
    return progress.totals(store)


def named(article: Article) -> str:
    """What the sample calls an item: nothing of its text can be told from it."""
    return digest(f"{article.url}\n{article.title}")[:16]


def test_a_year_of_feeds_is_collected_whole(
    archive: ReplaySource, sqlite_store: Store, tmp_path: Path
) -> None:
    articles, dead = collected(archive, sqlite_store, tmp_path)
    assert (len(articles), dead) == (ITEMS, 0)
    assert all(article.title for article in articles)

    # Repeats are the store's to count. The archive has none by itself; read a second time it is nothing else.
    assert stored(sqlite_store, articles, 0) == (ITEMS, 0)
    assert stored(sqlite_store, articles, ITEMS) == (ITEMS, ITEMS)

    languages = Counter(article.language for article in articles)
    assert languages.keys() == {"en", "zh"} and min(languages.values()) > 1_000, languages

    with READ.open(encoding="utf-8") as lines:
        read = {row["item"]: row["language"] for row in csv.DictReader(lines)}
    told = {named(article): article.language for article in articles}
    assert len(read) == 200 and read.keys() <= told.keys()
    wrong = {item: told[item] for item, language in read.items() if told[item] != language}
    assert len(wrong) <= 2, wrong
