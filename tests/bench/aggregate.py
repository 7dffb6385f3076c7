"""Items a second from a classified stream to alerts and stories, one process, over both databases.

    python -m tests.bench.aggregate [--items N] [--store sqlite|postgresql] [--json]

A recorded stream (`tests.bench.recorded`) lies in the embedded log; the clock runs while the aggregate, alert
and notify stages take it, as `foreshock run` runs them, until nothing is left to do. What would be sent is
recorded. Then every day's articles are read back and joined to stories, by words. A core second is one of
processor time of this process; what PostgreSQL's own processes take is not in it. It needs PostgreSQL's
programs; without them, ``--store sqlite``.
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.clock import ReplayClock
from monitor.domain import ClassifiedArticle, Company
from monitor.pipeline import ARTICLES, CLASSIFIEDS
from monitor.replay import drained
from monitor.service import Outside, Service, open_outside
from monitor.settings import load_settings
from monitor.store import Store, alerts, articles, companies, progress
from monitor.store.progress import Progress
from monitor.stories.report import joined
from monitor.stories.risk import RiskPack
from monitor.stream.codec import CLASSIFIED, Classified, Origin
from monitor.stream.port import Message
from tests.bench import recorded
from tests.support.postgres import PostgresServer, find_bindir

#: Items a second that a worker has to pass.
TARGETS = {"sqlite": 5_000, "postgresql": 4_000}
STAGES = ("aggregate", "alert", "notify")
DAY = timedelta(days=1)
LOOK_S = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description="Items a second from classified to alerts.")
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--store", choices=tuple(TARGETS), help="one of them only")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    watched = recorded.watched()
    items = list(recorded.stream(given.items, watched))
    gc.collect()
    gc.freeze()  # what the benchmark itself holds is nothing that a worker's collector looks through
    figures: dict[str, object] = {"items": len(items), "target_items_per_s": TARGETS}
    for kind in (given.store,) if given.store else TARGETS:
        with tempfile.TemporaryDirectory(prefix="foreshock-aggregate-") as name:
            folder = Path(name)
            with database(kind, folder) as url:
                figures[kind] = measured(url, folder, items, watched)
    if given.json:
        print(json.dumps(figures))
    else:
        show(figures)


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """Make an empty database; PostgreSQL as its package sets it up, so that a commit is on disk."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'store.db'}"
        return
    server = PostgresServer(find_bindir(), {})
    try:
        server.start()
        yield server.create_database()
    finally:
        server.remove()


@dataclass(frozen=True, slots=True)
class Spent:
    """Time of the clock, and of this process's cores."""

    wall_s: float
    core_s: float


@contextmanager
def clocked(into: list[Spent]) -> Iterator[None]:
    """Append what a block spends."""
    wall, core = time.perf_counter(), time.process_time()
    yield
    into.append(Spent(time.perf_counter() - wall, time.process_time() - core))


def measured(
    url: str, folder: Path, items: Sequence[ClassifiedArticle], watched: Sequence[Company]
) -> dict[str, object]:
    """Pass a stream through the stages, then join stories."""
    settings = load_settings(
        None, {"store": {"url": url}, "stream": {"path": folder / "log.db", "partitions": 1}}
    )
    outside = open_outside(settings, ReplayClock(None))
    with outside.store.write() as connection:
        companies.replace(connection, watched, items[0].article.ingested_at)
    append(outside, items)
    spent: list[Spent] = []
    service = Service(outside, STAGES, send=False, housekeeping=False)
    with clocked(spent):
        service.start()
        while not drained(outside.broker, outside.store):
            if service.failure is not None:
                raise service.failure
            time.sleep(LOOK_S)
    service.close()
    pack = RiskPack.load()
    with clocked(spent):
        several = join(outside.store, items, pack)
    stored, told = articles.count(outside.store), alerts.count(outside.store)
    outside.store.close()
    wall_s, core_s = sum(s.wall_s for s in spent), sum(s.core_s for s in spent)
    return {
        "items_per_s": round(len(items) / wall_s),
        "items_per_core_s": round(len(items) / core_s),
        "stages_s": round(spent[0].wall_s, 2),
        "stages_core_s": round(spent[0].core_s, 2),
        "stories_s": round(spent[1].wall_s, 2),
        "stories_core_s": round(spent[1].core_s, 2),
        "articles": stored,
        "alerts": told,
        "stories_of_several_reports": several,
    }


def append(outside: Outside, items: Sequence[ClassifiedArticle]) -> None:
    """Lay the whole stream into the log, as a replay that has collected all of it."""
    writer = outside.broker.writer()
    writer.append(
        CLASSIFIEDS,
        [
            Message(item.article.id, CLASSIFIED.encode(Classified(item, Origin(0, at))))
            for at, item in enumerate(items)
        ],
    )
    writer.flush()
    writer.close()
    reached = max(item.article.ingested_at for item in items)
    with outside.store.write() as connection:
        progress.save(
            connection,
            Progress(
                "collect", ARTICLES, 0, through_at=reached, replay=True, beat_at=datetime.now(UTC)
            ),
        )


def join(store: Store, items: Sequence[ClassifiedArticle], pack: RiskPack) -> int:
    """Read every day back and join its stories; return how many have more than one report."""
    start = items[0].article.published_at.replace(hour=0, minute=0, second=0)
    end = max(item.article.published_at for item in items)
    several = 0
    while start <= end:
        with store.read() as connection:
            found = articles.published(connection, start, start + DAY)
        several += sum(len(story.articles) > 1 for story in joined(found, pack, None))
        start += DAY
    return several


def show(figures: dict[str, object]) -> None:
    """Print a table."""
    from rich.console import Console
    from rich.table import Table

    kinds = {kind: found for kind in TARGETS if isinstance(found := figures.get(kind), dict)}
    table = Table(title=f"{figures['items']} classified items to alerts and stories, one process")
    table.add_column("")
    for kind in kinds:
        table.add_column(f"{kind} (wanted: {TARGETS[kind]:,} items/s)", justify="right")
    for name in next(iter(kinds.values())):
        table.add_row(name, *(f"{found[name]:,}" for found in kinds.values()))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
