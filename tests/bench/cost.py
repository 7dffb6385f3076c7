"""What an item costs besides the model: pipeline and bare engine on the same texts, in one run.

    python -m tests.bench.cost [FILE] [--rows N] [--leads N] [--kafka] [--runs N] [--json]

Titles: processor time an item. CPU seconds are user plus system time of the whole process, from the first
item to the last effect; loading and imports are not counted. Titles with leads, which are as long as most
news is: items a second of the pipeline beside those of the engine alone, with all cores.

Engine and pipeline run one after the other in processes of their own, so that neither warms the other's
caches; each does its part so many times and the median counts. The pipeline is a replay through all stages
over the embedded log and SQLite; with `--kafka` also over Kafka and PostgreSQL, whose processor time counts.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.bench.live import Backends, embedded, servers
from tests.bench.processes import cpu_s, family

RUNS = 3
BATCH = 1_000  # as in the pipeline's table
SHARED = Path(os.environ.get("FORESHOCK_DATA", "../shared/data"))
MENTIONS = SHARED / "labelled/company_mentions.csv.gz"
LEADS_FROM = datetime(2014, 5, 1, tzinfo=UTC)
LEADS_EVERY = timedelta(seconds=30)


def main() -> None:
    parser = argparse.ArgumentParser(description="Cost of an item besides the model.")
    parser.add_argument("file", nargs="?", default=str(SHARED / "replay/reuters_2014-05.csv.gz"))
    parser.add_argument("--watchlist", default=str(SHARED / "replay/watchlist.csv"))
    parser.add_argument("--rows", type=int, default=20_000, help="Titles.")
    parser.add_argument("--leads", type=int, default=4_000, help="Titles with leads; 0: none.")
    parser.add_argument("--kafka", action="store_true", help="Also over Kafka and PostgreSQL.")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", choices=("engine", "pipeline"), help=argparse.SUPPRESS)
    parser.add_argument("--config", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--servers", type=int, nargs="*", default=(), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part == "engine":
        print(json.dumps(engine(given.file, given.watchlist)))
    elif given.part == "pipeline":
        print(json.dumps(pipeline(given.file, given.config, given.servers)))
    else:
        show(measured(given), given.json)


def measured(given: argparse.Namespace) -> dict[str, Any]:
    """Do every part so many times, in turn."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="foreshock-cost-")))
        backends: dict[str, Backends] = {"pipeline": stack.enter_context(embedded())}
        if given.kafka:
            backends["kafka"] = stack.enter_context(servers())
        files = {"titles": folder / "titles.csv"}
        rows = {"titles": first_rows(Path(given.file), files["titles"], given.rows)}
        if given.leads:
            files["leads"] = folder / "leads.csv"
            rows["leads"] = with_leads(files["leads"], given.leads)
        took: dict[str, dict[str, list[dict[str, float]]]] = {
            kind: {part: [] for part in ("engine", *backends)} for kind in files
        }
        for turn, kind, part in itertools.product(range(given.runs), files, ("engine", *backends)):
            began_s = time.monotonic()
            command = [str(files[kind]), "--watchlist", given.watchlist]
            took[kind][part].append(_part(folder, command, backends.get(part)))
            print(
                f"{turn + 1} of {given.runs}: {part} on {rows[kind]} {kind}: "
                f"{time.monotonic() - began_s:.0f} s, {took[kind][part][-1]}",
                file=sys.stderr,
            )
    figures = costs(rows["titles"], took["titles"]) | {"runs": given.runs}
    if given.leads:
        figures["title_and_lead"] = rates(rows["leads"], took["leads"])
    return figures


def _part(folder: Path, command: Sequence[str], backends: Backends | None) -> dict[str, float]:
    """Do one part in a process of its own; return its ``cpu_s``, ``servers_s`` and ``wall_s``."""
    asked = [sys.executable, "-m", "tests.bench.cost", *command, "--part"]
    if backends is None:
        asked.append("engine")
    else:
        config = folder / "foreshock.toml"
        watchlist = command[command.index("--watchlist") + 1]
        config.write_text(
            f'{backends.place()}[watchlist]\npath = "{watchlist}"\n[model]\nengine = "openvino"\n',
            "utf-8",
        )
        asked += ["pipeline", "--config", str(config)]
        asked += ["--servers", *map(str, backends.pids())]
    out = subprocess.run(asked, check=True, stdout=subprocess.PIPE, text=True).stdout
    told: dict[str, float] = json.loads(out.splitlines()[-1])
    return told


def costs(rows: int, took: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """Core microseconds an item."""

    def us(part: str, of: Callable[[Mapping[str, float]], float]) -> float:
        return statistics.median(map(of, took[part])) / rows * 1e6

    engine_us = us("engine", lambda run: run["cpu_s"])
    figures: dict[str, Any] = {"items": rows, "engine_core_us_per_item": round(engine_us, 1)}
    for part in took:
        if part != "engine":
            all_us = us(part, lambda run: run["cpu_s"] + run["servers_s"])
            figures[f"{part}_core_us_per_item"] = round(all_us, 1)
            beside = "everything_but_the_model_core_us_per_item"
            name = beside if part == "pipeline" else f"{part}_{beside}"
            figures[name] = round(all_us - engine_us, 1)
            if part != "pipeline":
                servers_us = us(part, lambda run: run["servers_s"])
                figures[f"of_it_{part}_servers_core_us_per_item"] = round(servers_us, 1)
    return figures


def rates(rows: int, took: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """Items a second, and the share of the engine's that each pipeline reaches."""
    per_s = {
        part: rows / statistics.median(run["wall_s"] for run in runs) for part, runs in took.items()
    }
    figures: dict[str, Any] = {"items": rows}
    for part, rate in per_s.items():
        figures[f"{part}_items_per_s"] = round(rate, 1)
        if part != "engine":
            figures[f"{part}_percent_of_engine"] = round(100 * rate / per_s["engine"], 1)
    return figures


def engine(file: str, watchlist: str) -> dict[str, float]:
    """What the bare engine takes for what the pipeline asks of it, in the pipeline's batches.

    That is every text, and once more every watched company a text names; who is named is found before the
    clock starts.
    """
    from models.classifier import Classifier
    from models.text import model_input
    from monitor.entities.resolver import Resolver
    from monitor.entities.watchlist import load_watchlist

    resolver = Resolver(load_watchlist(Path(watchlist)).companies)
    with open(file, encoding="utf-8", newline="") as lines:
        news = [(row["title"], row.get("lead", "")) for row in csv.DictReader(lines)]
    texts = [model_input(title, lead) for title, lead in news]
    asked: list[list[tuple[str, list[str]]]] = []
    for (title, lead), text in zip(news, texts, strict=True):
        names: dict[str, list[str]] = {}
        for mention in resolver.resolve(title, lead):
            names.setdefault(mention.company_id, []).append(mention.alias)
        asked.append([(text, aliases) for aliases in names.values()])
    classifier = Classifier.load(None, "openvino")
    classifier.predict(texts[:200])
    began_cpu_s, began_s = _cpu_s(), time.monotonic()
    for start in range(0, len(texts), BATCH):
        classifier.predict(texts[start : start + BATCH])
        pairs = [pair for each in asked[start : start + BATCH] for pair in each]
        if pairs and classifier.reads_targets:
            classifier.predict_targets(*zip(*pairs, strict=True))
    return _took(began_cpu_s, began_s, 0.0)


def pipeline(file: str, config: Path, servers: Sequence[int]) -> dict[str, float]:
    """What a replay of the same texts through all stages takes, the servers' processor time apart."""
    from monitor.clock import ReplayClock
    from monitor.collect.replay import ReplaySource
    from monitor.collect.source import SourceConfig
    from monitor.replay import replay
    from monitor.service import Service, open_outside
    from monitor.settings import load_settings

    def servers_s() -> float:
        return cpu_s(pid for server in servers for pid in family(server))

    outside = open_outside(load_settings(config), ReplayClock())
    source = ReplaySource(SourceConfig("bench", "replay", file, language="en"))
    stages = ("collect", "classify", "aggregate", "alert", "notify")
    service = Service(outside, stages, [source], send=False, housekeeping=False)
    began_cpu_s, began_s, began_servers_s = _cpu_s(), time.monotonic(), servers_s()
    replay(outside, service)
    took = _took(began_cpu_s, began_s, servers_s() - began_servers_s)
    service.close()
    return took


def _took(began_cpu_s: float, began_s: float, servers_s: float) -> dict[str, float]:
    return {
        "cpu_s": round(_cpu_s() - began_cpu_s, 3),
        "servers_s": round(servers_s, 3),
        "wall_s": round(time.monotonic() - began_s, 3),
    }


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def first_rows(source: Path, target: Path, rows: int) -> int:
    """Copy so many rows of a file; return how many there were."""
    opener = gzip.open if source.suffix == ".gz" else open
    with opener(source, "rt", encoding="utf-8", newline="") as lines:
        reader = csv.reader(lines)
        return _write(target, next(reader), itertools.islice(reader, rows))


def with_leads(target: Path, rows: int) -> int:
    """Write recorded news with leads, all different, one every half minute; return how many."""
    with gzip.open(MENTIONS, "rt", encoding="utf-8") as lines:
        known = {(row["title"], row["lead"]): None for row in csv.DictReader(lines)}
    news = itertools.islice(enumerate(known), rows)
    return _write(
        target,
        ("published_at", "id", "title", "lead"),
        (
            (f"{LEADS_FROM + at * LEADS_EVERY:%Y-%m-%dT%H:%M:%SZ}", f"lead-{at}", title, lead)
            for at, (title, lead) in news
        ),
    )


def _write(target: Path, header: Sequence[str], rows: Iterator[Sequence[str]]) -> int:
    with open(target, "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(header)
        return sum(1 for row in rows if writer.writerow(row))


def show(figures: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        if isinstance(value, Mapping):
            print(name)
            for each, figure in value.items():
                print(f"  {each:53} {figure}")
        else:
            print(f"{name:55} {value}")


if __name__ == "__main__":
    main()
