"""A store of millions of articles, made in minutes: one day that the real stages stored, multiplied.

The aggregate stage stores one day of made-up news of some hundred companies, and some alerts are opened.
Every further day is a copy of its rows in the database, so many days earlier: articles, mentions, weights,
the index of words, publishers, and the buckets that retention would have kept. So counts and sums are what
the pipeline would have written.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import make_url

from monitor.aggregate.stage import AggregateStage
from monitor.alert.story import may_concern
from monitor.domain import ClassifiedArticle, Company
from monitor.metrics import Metrics
from monitor.pipeline import ARTICLES, Input
from monitor.store import Store, alerts, articles, companies, progress
from monitor.store.progress import Progress
from monitor.store.schema import metadata
from monitor.stream.codec import Classified, Origin
from monitor.stream.port import Record
from tests.bench.made_up import day_of
from tests.support.make import alert

TODAY = datetime(2026, 3, 17, tzinfo=UTC)
PER_DAY = 20_000
BATCH = 1_000
MINUTE_DAYS, HOUR_DAYS = 35, 800  # as the settings keep buckets
ALERTS = 60
DAY_US = 86_400_000_000

Execute = Callable[[str], list[tuple[object, ...]]]


def fill(url: str, number: int, watched: Sequence[Company]) -> None:
    """Make an empty database hold about so many articles."""
    per_day = min(PER_DAY, number)
    store = Store(url)
    with store.write() as connection:
        companies.replace(connection, watched, TODAY)
        for at, company in enumerate(watched[:ALERTS]):
            since = TODAY + timedelta(minutes=20 * at)
            opened = alert(company.id, at=since, severity=1 + at % 5, name=company.name)
            alerts.save(connection, opened)
    aggregate(store, day_of(TODAY, per_day, watched))
    with store.write() as connection:
        reached = TODAY + timedelta(days=1)
        for stage, stream in (("collect", ARTICLES), ("alert", "alerts")):
            state = Progress(stage, stream, 0, through_at=reached, replay=True, beat_at=reached)
            progress.save(connection, state)
    store.close()
    with executing(url) as execute:
        _multiply(execute, url.startswith("sqlite"), number // per_day)
    store = Store(url)
    store.maintain()
    store.close()


def aggregate(store: Store, items: Sequence[ClassifiedArticle]) -> list[float]:
    """Put items through the aggregate stage; return the processor and waiting seconds of every batch."""
    stage = AggregateStage(may_concern, lambda: TODAY, Metrics())
    first, spent_s = articles.count(store), []
    for begin in range(0, len(items), BATCH):
        batch = [
            Input(
                Classified(item, Origin(0, first + begin + at)),
                Record("news.classified", 0, first + begin + at, item.article.id, b"", 0),
            )
            for at, item in enumerate(items[begin : begin + BATCH])
        ]
        began_s = time.perf_counter()
        with store.write() as connection:
            write = stage.process(batch).write
            assert write is not None
            write(connection)
        spent_s.append(time.perf_counter() - began_s)
    return spent_s


@contextmanager
def executing(url: str) -> Iterator[Execute]:
    """Lend a connection that forgets safety: a fill that is cut short is begun again."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(str(make_url(url).database), isolation_level=None)) as file:
            for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-1000000"):
                file.execute(f"PRAGMA {pragma}").fetchall()
            yield lambda statement: file.execute(statement).fetchall()
            file.execute("PRAGMA journal_mode=WAL").fetchall()
        return
    import psycopg

    with psycopg.connect(url, autocommit=True) as server:
        server.execute("SET statement_timeout = 0")
        server.execute("SET maintenance_work_mem = '1GB'")

        def run(statement: str) -> list[tuple[object, ...]]:
            found = server.execute(statement.encode())
            return found.fetchall() if found.description else []

        yield run


def _multiply(execute: Execute, sqlite: bool, days: int) -> None:
    tables = ("articles", "mentions", "weights", "publishers", "buckets")
    for table in (*tables, "item_words"):
        columns = "rowid AS place, article_id, words" if sqlite and table == "item_words" else "*"
        execute(f"CREATE TEMP TABLE one_{table} AS SELECT {columns} FROM {table}")
    indices = _indices(execute, sqlite, (*tables, "item_words"))
    for name in indices:
        execute(f"DROP INDEX {name}")
    for back in range(days - 1, 0, -1):  # the oldest first: what is newest is appended
        execute("BEGIN")
        for table in tables:
            if table == "buckets":
                kept = ["day"] + ["hour"] * (back < HOUR_DAYS) + ["minute"] * (back < MINUTE_DAYS)
                only = f" WHERE grain IN ({', '.join(map(repr, kept))})"
            else:
                only = ""
            execute(_copy(table, back) + only)
        at = "rowid" if sqlite else "place"
        execute(
            f"INSERT INTO item_words({at}, article_id, words) "
            f"SELECT place - {back * 86_400 << 31}, {_id('article_id', back)}, words "
            "FROM one_item_words"
        )
        execute("COMMIT")
    for statement in indices.values():
        execute(statement)
    execute("ANALYZE" if sqlite else "VACUUM ANALYZE")


def _copy(table: str, back: int) -> str:
    """Return the statement that copies a table's day, so many days back."""
    day = f"{TODAY - timedelta(days=back):%Y%m%d}"
    changed = {
        "report": f"'{day}' || substr(report, 9)",
        **{name: _id(name, back) for name in ("id", "article_id")},
        **{
            name: f"{name} - {back * DAY_US}"
            for name in ("published_us", "ingested_us", "classified_us", "hour_us", "start_us")
        },
    }
    columns = [column.name for column in metadata.tables[table].columns]
    quoted = {name: f'"{name}"' for name in columns}
    values = (changed.get(name, quoted[name]) for name in columns)
    return (
        f"INSERT INTO {table} ({', '.join(quoted.values())}) "
        f"SELECT {', '.join(values)} FROM one_{table}"
    )


def _id(column: str, back: int) -> str:
    """A day's ids are spread over all ids, as hashes are."""
    return f"substr({column}, 1, 26) || '{back:06x}'"


def _indices(execute: Execute, sqlite: bool, tables: Sequence[str]) -> dict[str, str]:
    """Return the statements that make the secondary indices, by name."""
    names = ", ".join(map(repr, tables))
    rows = execute(
        f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql > '' AND tbl_name IN ({names})"
        if sqlite
        else f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ({names}) "
        "AND indexname LIKE 'ix_%'"
    )
    return {str(name): str(statement) for name, statement in rows}
