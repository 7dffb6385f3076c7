"""What an item costs besides the model: pipeline and bare engine on the same titles, in one run.

    python -m tests.bench.cost [FILE] [--rows N] [--json]

CPU seconds are user plus system time of the whole process, from the first item to the last effect; loading
and imports are not counted. Engine and pipeline run one after the other in processes of their own, so that
neither warms the other's caches; each process does both of its parts `RUNS` times and the median counts.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

RUNS = 3
BATCH = 1_000  # as in the pipeline's table
SHARED = Path(os.environ.get("FORESHOCK_DATA", "../shared/data"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Cost of an item besides the model.")
    parser.add_argument("file", nargs="?", default=str(SHARED / "replay/reuters_2014-05.csv.gz"))
    parser.add_argument("--watchlist", default=str(SHARED / "replay/watchlist.csv"))
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", choices=("engine", "pipeline"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part == "engine":
        print(engine(given.file, given.watchlist))
        return
    if given.part == "pipeline":
        print(pipeline(given.file, given.watchlist))
        return
    with tempfile.TemporaryDirectory() as folder:
        head = Path(folder) / "head.csv"
        rows = first_rows(Path(given.file), head, given.rows)
        parts: dict[str, list[float]] = {"engine": [], "pipeline": []}
        for _ in range(RUNS):
            for part, seen in parts.items():
                command = [sys.executable, "-m", "tests.bench.cost", str(head), "--part", part]
                command += ["--watchlist", given.watchlist]
                out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                seen.append(float(out.strip().splitlines()[-1]) / rows * 1e6)
    engine_us = statistics.median(parts["engine"])
    pipeline_us = statistics.median(parts["pipeline"])
    figures = {
        "items": rows,
        "runs": RUNS,
        "pipeline_core_us_per_item": round(pipeline_us, 1),
        "engine_core_us_per_item": round(engine_us, 1),
        "everything_but_the_model_core_us_per_item": round(pipeline_us - engine_us, 1),
    }
    if given.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:45} {value}")


def engine(file: str, watchlist: str) -> float:
    """CPU seconds of the bare engine on what the pipeline asks of it, in the pipeline's batches.

    That is every title, and once more every watched company a title names; who is named is found before the
    clock starts.
    """
    from models.classifier import Classifier
    from models.text import model_input
    from monitor.entities.resolver import Resolver
    from monitor.entities.watchlist import load_watchlist

    resolver = Resolver(load_watchlist(Path(watchlist)).companies)
    with open(file, encoding="utf-8", newline="") as lines:
        titles = [row["title"] for row in csv.DictReader(lines)]
    texts = [model_input(title) for title in titles]
    asked: list[list[tuple[str, list[str]]]] = []
    for title, text in zip(titles, texts, strict=True):
        names: dict[str, list[str]] = {}
        for mention in resolver.resolve(title, ""):
            names.setdefault(mention.company_id, []).append(mention.alias)
        asked.append([(text, aliases) for aliases in names.values()])
    classifier = Classifier.load(None, "openvino")
    classifier.predict(texts[:200])
    began = _cpu_s()
    for start in range(0, len(texts), BATCH):
        classifier.predict(texts[start : start + BATCH])
        pairs = [pair for each in asked[start : start + BATCH] for pair in each]
        if pairs and classifier.reads_targets:
            classifier.predict_targets(*zip(*pairs, strict=True))
    return _cpu_s() - began


def pipeline(file: str, watchlist: str) -> float:
    """CPU seconds of a replay of the same titles through all stages and the embedded log."""
    from monitor.clock import ReplayClock
    from monitor.collect.replay import ReplaySource
    from monitor.collect.source import SourceConfig
    from monitor.replay import replay
    from monitor.service import Service, open_outside
    from monitor.settings import load_settings

    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(
            None,
            {
                "store": {"url": f"sqlite:///{folder}/bench.db"},
                "watchlist": {"path": watchlist},
                "model": {"engine": "openvino"},
            },
        )
        outside = open_outside(settings, ReplayClock())
        source = ReplaySource(SourceConfig("bench", "replay", file, language="en"))
        stages = ("collect", "classify", "aggregate", "alert", "notify")
        service = Service(outside, stages, [source], send=False, housekeeping=False)
        began = _cpu_s()
        replay(outside, service)
        spent = _cpu_s() - began
        service.close()
    return spent


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def first_rows(source: Path, target: Path, rows: int) -> int:
    opener = gzip.open if source.suffix == ".gz" else open
    with opener(source, "rt", encoding="utf-8", newline="") as lines:
        reader = csv.reader(lines)
        with open(target, "w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(next(reader))
            count = 0
            for count, row in enumerate(reader, 1):
                writer.writerow(row)
                if count == rows:
                    break
    return count


if __name__ == "__main__":
    main()
