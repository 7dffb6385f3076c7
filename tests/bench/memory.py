"""How much memory a long stream takes: the resident size while a million articles pass.

    python -m tests.bench.memory [--items N] [--json]

Classification is stubbed: what a classifier would have said is made up and appended to ``news.classified``,
as fast as the aggregate, alert and notify stages take it, over the embedded log and SQLite. The size is that
of this process; ``anonymous`` leaves out the pages of files that it maps (SQLite maps 256 MiB of its file).
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.cli.progress import progress_of
from monitor.clock import ReplayClock
from monitor.domain import Company
from monitor.pipeline import ARTICLES, CLASSIFIEDS
from monitor.service import Outside, Service, open_outside
from monitor.settings import load_settings
from monitor.store import companies, progress
from monitor.store.progress import Progress
from monitor.stream.codec import CLASSIFIED, Classified, Origin
from monitor.stream.port import Message
from tests.bench.made_up import item

START = datetime(2025, 1, 6, tzinfo=UTC)
DAYS = 60.0
BATCH = 1_000
MOST_WAITING = 20_000
SAMPLES = 20
WARM = 0.2  # of the items: caches fill, and the first days have no baselines
STAGES = ("aggregate", "alert", "notify")
Watch = Callable[[int, int], None]
WATCHED = tuple(Company(f"c{number}", f"Company {number}") for number in range(200))


def main() -> None:
    parser = argparse.ArgumentParser(description="Memory of a long stream.")
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with progress_of("articles") as watch:
        found = measure(asked.items, watch)
    if asked.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:32} {value}")


def measure(items: int, watch: Watch = lambda done, total: None) -> dict[str, object]:
    """Pass so many articles through; return sizes in MB and their growth after the warm-up."""
    with tempfile.TemporaryDirectory(prefix="foreshock-memory-") as name:
        folder = Path(name)
        settings = load_settings(None, {"store": {"url": f"sqlite:///{folder / 'store.db'}"}})
        outside = open_outside(settings, ReplayClock(None))
        with outside.store.write() as connection:
            companies.replace(connection, WATCHED, START)
        service = Service(outside, STAGES, send=False, housekeeping=False)
        service.start()
        began = time.monotonic()
        try:
            sizes = list(_passed(outside, service, items, watch))
        finally:
            service.close()
        seconds = time.monotonic() - began
    warm = [size for size in sizes if size[0] >= WARM * items]
    growth = {
        kind: round(100 * (max(s[at] for s in warm) / warm[0][at] - 1), 1)
        for at, kind in ((1, "resident"), (2, "anonymous"))
    }
    return {
        "items": items,
        "items_per_s": round(items / seconds),
        "resident_mb": [round(size[1]) for size in sizes],
        "anonymous_mb": [round(size[2]) for size in sizes],
        "resident_growth_percent": growth["resident"],
        "anonymous_growth_percent": growth["anonymous"],
    }


def _passed(
    outside: Outside, service: Service, items: int, watch: Watch
) -> Iterator[tuple[int, float, float]]:
    """Append everything, never far ahead of the stages; yield (items stored, resident, anonymous MB)."""
    writer = outside.broker.writer()
    chance = random.Random(5)
    every = items // SAMPLES
    sampled = 0
    for begin in range(0, items, BATCH):
        batch = [
            item(START + timedelta(days=DAYS * number / items), str(number), WATCHED, chance)
            for number in range(begin, min(items, begin + BATCH))
        ]
        writer.append(
            CLASSIFIEDS,
            [
                Message(each.article.id, CLASSIFIED.encode(Classified(each, Origin(0, begin + at))))
                for at, each in enumerate(batch)
            ],
        )
        writer.flush()
        reached = batch[-1].article.ingested_at
        with outside.store.write() as connection:
            progress.save(
                connection,
                Progress("collect", ARTICLES, 0, through_at=reached, replay=True, beat_at=START),
            )
        while _waiting(outside) > MOST_WAITING:
            _check(service)
            time.sleep(0.05)
        stored = begin + len(batch) - _waiting(outside)
        watch(stored, items)
        if stored - sampled >= every:
            sampled = stored
            yield (stored, *_size_mb())
    while _waiting(outside):
        _check(service)
        time.sleep(0.1)
    yield (items, *_size_mb())


def _waiting(outside: Outside) -> int:
    return sum(lag.records for lag in outside.broker.lag("aggregate", CLASSIFIEDS).values())


def _check(service: Service) -> None:
    if service.failure is not None:
        raise service.failure


def _size_mb() -> tuple[float, float]:
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Rss")}
    resident = sum(map(int, fields.values()))
    return resident / 1024, int(fields["RssAnon"]) / 1024


if __name__ == "__main__":
    main()
