"""What collecting costs: a thousand sources polled on time, a hundred thousand new items an hour.

    python -m tests.bench.load [--sources N] [--items-per-hour N] [--interval SECONDS] [--minutes N] [--json]

The collect stage runs in its loop, over the embedded log and SQLite, in a process of its own; so does the
server (`tests.bench.load_server`: every source on an address, feeds of 25 items with HTML, no TLS). CPU and
memory are the collecting process's alone. The first round, in which every source is visited for the first
time and everything is new, is told apart: what counts is the time after it. A visit is late by what has
passed since it was due when it begins.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from monitor.clock import SystemClock
from monitor.collect.dates import DateRules
from monitor.collect.feeds import FeedSource
from monitor.collect.raw import RawItem
from monitor.collect.source import SourceConfig
from monitor.collect.stage import CollectStage
from monitor.domain import EPOCH, DeadItem
from monitor.metrics import Metrics
from monitor.pipeline import ALERTS, ARTICLES, CLASSIFIEDS, DEADS, STAGES, StageLoop
from monitor.store import Store
from monitor.stream import LocalStreamSettings, open_broker
from tests.bench.load_server import address


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU, memory and punctuality of collecting.")
    parser.add_argument("--sources", type=int, default=1_000)
    parser.add_argument("--items-per-hour", type=int, default=100_000)
    parser.add_argument("--interval", type=float, default=300.0, help="Seconds between two visits.")
    parser.add_argument("--minutes", type=float, default=10.0, help="After the first round.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.port is not None:
        print(json.dumps(collected(asked.port, asked.sources, asked.interval, asked.minutes * 60)))
        return
    period_s = 3_600 * asked.sources / asked.items_per_hour
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.load_server", str(period_s)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        command = [sys.executable, "-m", "tests.bench.load", *sys.argv[1:], "--port", port]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    finally:
        server.terminate()
        server.wait()
    figures = json.loads(told.splitlines()[-1])
    if asked.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:40}{value:>12,}")


class TimedFeed(FeedSource):
    """Notes how late each visit begins."""

    visits: CollectStage  # of which it is a source
    place: int

    def __init__(self, config: SourceConfig) -> None:
        super().__init__(config)
        self.late_s: list[float] = []

    def poll(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        due_at = self.visits.visits[self.place].due_at
        if due_at > EPOCH:
            self.late_s.append((SystemClock().now() - due_at).total_seconds())
        yield from super().poll(now)


def collected(port: int, sources: int, interval_s: float, seconds: float) -> dict[str, float]:
    """Collect for so long after the first round; return what it took."""
    feeds = [
        TimedFeed(
            SourceConfig(
                f"s{number}",
                "feed",
                f"http://{address(number)}:{port}/feed/{number}",
                interval_s=interval_s,
            )
        )
        for number in range(sources)
    ]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/store.db")
        broker = open_broker(LocalStreamSettings(path=Path(folder) / "streams.db"))
        broker.create({ARTICLES: 1, CLASSIFIEDS: 1, DEADS: 1, ALERTS: 1})
        clock, metrics = SystemClock(), Metrics()
        stage = CollectStage(
            feeds, DateRules(), broker, store, clock, clock, metrics, max_backlog=10**9
        )
        for place, each in enumerate(feeds):
            each.visits, each.place = stage, place
        stop = threading.Event()
        loop = StageLoop(STAGES["collect"], stage, broker, store, clock, metrics, stop)
        thread = threading.Thread(target=loop.run)
        began, began_cpu = time.monotonic(), time.process_time()
        thread.start()
        while any(visits.due_at == EPOCH for visits in stage.visits):
            time.sleep(0.1)
        first_s, first_cpu_s = time.monotonic() - began, time.process_time() - began_cpu
        for each in feeds:
            each.late_s.clear()
        items, began, began_cpu = stage.read, time.monotonic(), time.process_time()
        new = _appended(broker)
        time.sleep(seconds)
        took_s, cpu_s = time.monotonic() - began, time.process_time() - began_cpu
        read, appended = stage.read - items, _appended(broker) - new
        late_s = sorted(late for each in feeds for late in each.late_s)
        anonymous_mib, resident_mib = _memory_mib()
        stop.set()
        thread.join()
        stage.close()
        broker.close()
        store.close()
    return {
        "sources": sources,
        "interval_s": interval_s,
        "first_round_s": round(first_s, 1),
        "first_round_cpu_s": round(first_cpu_s, 1),
        "measured_s": round(took_s, 1),
        "visits": len(late_s),
        "visits_late_median_s": round(statistics.median(late_s), 2),
        "visits_late_p99_s": round(late_s[int(0.99 * len(late_s))], 2),
        "visits_late_most_s": round(late_s[-1], 2),
        "items_read": read,
        "items_appended": appended,
        "items_appended_per_hour": round(appended / took_s * 3_600),
        "cpu_share_of_a_core_percent": round(100 * cpu_s / took_s, 1),
        "cpu_ms_per_visit": round(1_000 * cpu_s / len(late_s), 2),
        "memory_anonymous_mib": anonymous_mib,
        "memory_highest_resident_mib": resident_mib,
    }


def _appended(broker: object) -> int:
    lags = broker.lag("nobody", ARTICLES).values()  # type: ignore[attr-defined]
    return sum(lag.end for lag in lags)


def _memory_mib() -> tuple[int, int]:
    """Return what is this process's own now, and the most that was ever resident, with mapped files."""
    said = Path("/proc/self/status").read_text()
    anonymous, highest = (
        int(found[1]) // 1024
        for name in ("RssAnon", "VmHWM")
        if (found := re.search(rf"{name}:\s+(\d+)", said)) is not None
    )
    return anonymous, highest


if __name__ == "__main__":
    main()
