"""What the board costs over ten million articles, and what one more article costs then.

    python -m tests.bench.board [--articles N] [--companies N] [--database sqlite|postgresql]
                                [--store FOLDER] [--json]

Over a store of so many articles (`tests.bench.multiplied`; ``--store`` keeps it for another run) it
reads everything the board shows, as often as ``--rounds``, with caches empty but for the baselines,
which are good for a quarter of an hour: what a refresh reads. Then the aggregate stage stores new articles,
in the order in which they are published, there and in a store of a hundredth of the size (a hundred thousand
of ten million). Beside it the peer: the same figures by pandas over all rows, as a page without buckets
would, at a size that it can bear.

Without ``--store`` it needs a free disk of 1.5 KB an article in the temporary folder.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from dashboards import data
from dashboards.desk import opened
from monitor.domain import Company, Dimension
from monitor.store import Store, articles
from tests.bench.made_up import day_of, watchlist
from tests.bench.multiplied import PER_DAY, TODAY, aggregate, fill
from tests.support.postgres import FAST, PostgresServer, find_bindir

MOST_P95_MS = 150.0
MOST_TIMES = 1.3  # what one more article may cost, beside a store of a hundredth of the size
DATABASES = ("sqlite", "postgresql")
ITEMS = 80  # the newest that the board lists
HOURS = 168
BATCHES = 18
LIVING = ("_baselines", "_daily", "lists", "names")  # caches that outlive many refreshes


def main() -> None:
    parser = argparse.ArgumentParser(description="The board over many articles.")
    parser.add_argument("--articles", type=int, default=10_000_000)
    parser.add_argument("--companies", type=int, default=500)
    parser.add_argument("--database", choices=DATABASES, help="one of them only")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--peer", type=int, default=500_000, help="articles that the peer reads")
    parser.add_argument("--store", type=Path, help="folder of the stores; kept, and used again")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    watched = watchlist(given.companies)
    figures: dict[str, object] = {
        "articles": given.articles,
        "companies": given.companies,
        "wanted": {"p95_ms": MOST_P95_MS, "times_of_a_hundredth": MOST_TIMES},
    }
    for kind in (given.database,) if given.database else DATABASES:
        with folder_of(given.store, kind) as folder, filled(kind, folder, given, watched) as urls:
            many, few = urls
            found: dict[str, object] = board(many, given.rounds)
            found["one_more"] = one_more(many, few, watched)
            if kind == "sqlite":
                found["pandas"] = naive(many, min(given.peer, given.articles))
            figures[kind] = found
    if given.json:
        print(json.dumps(figures))
    else:
        print(json.dumps(figures, indent=1))


@contextmanager
def folder_of(kept: Path | None, kind: str) -> Iterator[Path]:
    """Lend a folder: one that is kept, or one for this run."""
    if kept is not None:
        path = (kept / kind).resolve()
        path.mkdir(parents=True, exist_ok=True)
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="foreshock-board-") as name:
        yield Path(name)


@contextmanager
def filled(
    kind: str, folder: Path, given: argparse.Namespace, watched: Sequence[Company]
) -> Iterator[tuple[str, str]]:
    """Lend the addresses of a store of many articles and of one of few, filled where they were not."""
    few = max(1_000, given.articles // 100)
    if kind == "sqlite":
        urls = []
        for number in (given.articles, few):
            path = folder / f"{number}.db"
            if not path.exists():
                fill(f"sqlite:///{path}.part", number, watched)
                Path(f"{path}.part").rename(path)
            urls.append(f"sqlite:///{path}")
        yield urls[0], urls[1]
        return
    # Its files go with the run: a server of tests makes its own.
    folder.chmod(0o755)
    server = PostgresServer(find_bindir(), {**FAST, "max_wal_size": "16GB"}, folder)
    try:
        server.start()
        urls = [server.create_database(), server.create_database()]
        for url, number in zip(urls, (given.articles, few), strict=True):
            fill(url, number, watched)
        yield urls[0], urls[1]
    finally:
        server.remove()


def board(url: str, rounds: int) -> dict[str, object]:
    """Read all that the board shows, again and again; milliseconds of each part and of a whole refresh."""
    began_s = time.perf_counter()
    for _, read in parts():
        read(url)
    first_ms = (time.perf_counter() - began_s) * 1_000
    spent: dict[str, list[float]] = {}
    for _ in range(rounds):
        _expire()
        total_ms = 0.0
        for name, read in parts():
            began_s = time.perf_counter()
            read(url)
            took_ms = (time.perf_counter() - began_s) * 1_000
            total_ms += took_ms
            spent.setdefault(name, []).append(took_ms)
        spent.setdefault("a whole refresh", []).append(total_ms)
    with opened(url) as store:
        stored = articles.count(store)
    return {
        "stored": stored,
        "with_every_cache_empty_ms": round(first_ms, 1),
        "median_ms": {name: round(statistics.median(each), 1) for name, each in spent.items()},
        "p95_ms": {name: round(_p95(each), 1) for name, each in spent.items()},
    }


def parts() -> list[tuple[str, Callable[[str], object]]]:
    """What the board reads, in its order; what a part has read already is cached for the next."""
    market = (Dimension.MARKET, "all")
    return [
        ("how far the pipeline is", data.standing),
        ("open alerts", data.open_alerts),
        ("watched companies", data.watch),
        ("numbers at the top", data.overview),
        ("topics", data.topics),
        ("trend", lambda url: data.trend(url, *market, HOURS)),
        ("companies by topic", data.heat),
        (
            "newest items",
            lambda url: data.items(url, watched_only=True, company_id=None, limit=ITEMS),
        ),
        (
            "newest items, all",
            lambda url: data.items(url, watched_only=False, company_id=None, limit=ITEMS),
        ),
        (
            "newest items of a company",
            lambda url: data.items(url, watched_only=False, company_id="c1", limit=ITEMS),
        ),
    ]


def _expire() -> None:
    for name, cached in vars(data).items():
        if hasattr(cached, "clear") and callable(cached) and name not in LIVING:
            cached.clear()


def one_more(many: str, few: str, watched: Sequence[Company]) -> dict[str, float]:
    """Store the news of the next hours in both, batches by turns; microseconds of one, the mean.

    Not the median: what a database puts off (checkpoints, merges) comes every few batches.
    """
    stores = {"many": Store(many), "few": Store(few)}
    spent: dict[str, list[float]] = {name: [] for name in stores}
    size = 1_000
    news = {
        name: day_of(articles.newest(store) or TODAY, PER_DAY, watched, run=articles.count(store))
        for name, store in stores.items()
    }
    for turn in range(BATCHES + 1):
        for name, store in stores.items():
            took_s = aggregate(store, news[name][turn * size : (turn + 1) * size])
            if turn:
                spent[name] += took_s
    for store in stores.values():
        store.close()
    us = {name: statistics.mean(each) / size * 1e6 for name, each in spent.items()}
    return {
        "us_an_article": round(us["many"], 1),
        "us_an_article_at_a_hundredth": round(us["few"], 1),
        "times": round(us["many"] / us["few"], 2),
    }


def naive(url: str, number: int) -> dict[str, float]:
    """The board's figures from rows alone: read them, then group with pandas."""
    import sqlite3

    query = (
        "SELECT a.id, a.published_us, a.publisher, a.title, a.topic, a.sentiment, a.score, "
        "m.company_id FROM (SELECT * FROM articles WHERE current ORDER BY published_us DESC LIMIT ?) a "
        "LEFT JOIN mentions m ON m.published_us = a.published_us "
        "AND m.article_id = a.id AND m.revision = a.revision"
    )
    began_s = time.perf_counter()
    rows = pd.read_sql_query(
        query, sqlite3.connect(url.removeprefix("sqlite:///")), params=(number,)
    )
    read_s = time.perf_counter() - began_s
    rows["at"] = pd.to_datetime(rows["published_us"], unit="us", utc=True)
    end = rows["at"].max().ceil("h")
    once = rows.drop_duplicates("id")
    week = once[once["at"] > end - pd.Timedelta(hours=HOURS)]
    day = rows[rows["at"] > end - pd.Timedelta(hours=24)]
    week.groupby(week["at"].dt.floor("h")).agg(items=("id", "size"), score=("score", "mean"))
    day.groupby("company_id").agg(
        items=("id", "size"),
        negative=("sentiment", lambda each: (each == "negative").sum()),
        score=("score", "mean"),
    )
    named = rows[(rows["at"] > end - pd.Timedelta(hours=HOURS)) & rows["company_id"].notna()]
    named.groupby(["company_id", "topic"]).agg(items=("id", "size"), score=("score", "mean"))
    named.groupby(["company_id", named["at"].dt.floor("h")]).size()
    once.groupby("topic").size().sort_values(ascending=False)
    once.nlargest(ITEMS, "published_us")
    total_s = time.perf_counter() - began_s
    return {
        "articles": float(number),
        "a_refresh_ms": round(total_s * 1_000, 1),
        "of_that_reading_ms": round(read_s * 1_000, 1),
    }


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


if __name__ == "__main__":
    main()
