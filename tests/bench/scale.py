"""How classifying scales out: two processes on Kafka beside one, each with one thread on a core of its own.

    python -m tests.bench.scale [--leads N] [--json]

So many titles with leads are appended to ``news.articles``; the time until all are classified counts, from
before the append. Only classify runs; the processes have read before, so that partitions are shared out and
models are warm. The broker, the database and this process use the same cores.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import itertools
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2 as httpx

from monitor.service import open_outside
from monitor.settings import load_settings
from tests.bench.live import Collector, Servers, article, foreshock, servers, until_ready
from tests.bench.texts import SHARED
from tests.support.program import free_port

CHUNK = 500
WARM = 64
SHARE_S = 120.0  # that it may take until each process has partitions
LOOK_S = 0.1
TARGET = 1.8
_TAKEN = re.compile(r'^foreshock_pipeline_records_total\{stage="classify"\} (\S+)', re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description="Two classifier processes beside one.")
    parser.add_argument("--leads", type=int, default=4_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        raise SystemExit("two processes beside one: this needs two cores")
    with servers() as backends:
        one, two = (rate(backends, cores[:count], given.leads) for count in (1, 2))
    figures = {
        "leads": given.leads,
        "one_process_items_per_s": round(one, 1),
        "two_processes_items_per_s": round(two, 1),
        "times": round(two / one, 2),
        "target_times": TARGET,
    }
    if given.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:32} {value}")


def rate(backends: Servers, cores: Sequence[int], leads: int) -> float:
    """Items a second of a classifier on each of these cores."""
    with tempfile.TemporaryDirectory(prefix="foreshock-scale-") as name, ExitStack() as stack:
        place, folder = backends.place(), Path(name)
        ports, configs = [free_port() for _ in cores], []
        for number, port in enumerate(ports):
            configs.append(folder / f"{number}.toml")
            configs[-1].write_text(
                f'{place}[watchlist]\npath = "{SHARED / "replay/watchlist.csv"}"\n'
                f"[model]\nthreads = 1\n[metrics]\nport = {port}\n",
                "utf-8",
            )
        outside = open_outside(load_settings(configs[0], {}))
        stack.callback(outside.store.close)
        stack.callback(outside.broker.close)
        for core, port, config in zip(cores, ports, configs, strict=True):
            arguments = ["pipeline", "--config", str(config), "--stages", "classify"]
            log = config.with_suffix(".log")
            one_thread = {"OMP_NUM_THREADS": "1"}
            process = stack.enter_context(foreshock(arguments, log, {core}, one_thread))
            until_ready(process, port)
        collector, numbers, news = Collector(outside), itertools.count(), itertools.cycle(_leads())

        def hand_over(count: int) -> None:
            for done in range(0, count, CHUNK):
                some = itertools.islice(news, min(CHUNK, count - done))
                collector.hand_over([article(next(numbers), *each) for each in some])

        _share_out(collector, hand_over, ports)
        began_s, before = time.monotonic(), [_taken(port) for port in ports]
        hand_over(leads)
        _classified(collector)
        found = leads / (time.monotonic() - began_s)
        shares = [_taken(port) - had for port, had in zip(ports, before, strict=True)]
        print(f"{len(cores)}: {found:.1f} items a second, shared {shares}", file=sys.stderr)
        collector.close()
        return found


def _share_out(collector: Collector, hand_over: Any, ports: Sequence[int]) -> None:
    """Hand over a little, again and again, until each process takes of it."""
    deadline = time.monotonic() + SHARE_S
    while True:
        before = [_taken(port) for port in ports]
        hand_over(WARM)
        _classified(collector)
        if all(_taken(port) > had for port, had in zip(ports, before, strict=True)):
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"one process has no partitions after {SHARE_S:.0f} s: {before}")


def _classified(collector: Collector) -> None:
    while collector.waiting():
        time.sleep(LOOK_S)


def _taken(port: int) -> float:
    """Records that a process has taken from ``news.articles``."""
    found = _TAKEN.search(httpx.get(f"http://127.0.0.1:{port}/metrics").text)
    return float(found[1]) if found else 0.0


def _leads() -> Iterator[tuple[str, str]]:
    with gzip.open(SHARED / "labelled/company_mentions.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield row["title"], row["lead"]


if __name__ == "__main__":
    main()
