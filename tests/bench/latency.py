"""Time to alert while news comes at half of what the service takes at most.

    python -m tests.bench.latency [--backends embedded kafka] [--seconds N] [--rate ITEMS_PER_S] [--json]

All stages but collect run in one process, as `foreshock pipeline` runs them; this process is the collector
and, in threads, the receiver of a webhook. First it hands over as many recorded titles as it can and counts
how many a second are stored (saturation); then they come evenly at half of that, and among them, also
evenly, reports of bankruptcies, each of another watched company, so that each is an alert of its own.

What is measured begins before the append to ``news.articles`` and ends when the receiver has the request. The
stages' parts of it are read from what the service keeps: `classify` until the record of ``news.classified``,
`decide` (aggregate, watermark, the alert stage's turn) until the alert was decided, `relay` until it is in
``alerts``, `outbox` until the message was written, `send` until it was received.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select

from monitor.pipeline import ALERTS, CLASSIFIEDS
from monitor.service import Outside, open_outside
from monitor.settings import load_settings
from monitor.store.schema import notifications
from monitor.stream.codec import ALERT
from monitor.stream.port import Record
from tests.bench.live import Backends, Collector, article, embedded, foreshock, servers, until_ready
from tests.bench.texts import SHARED, titles
from tests.support.program import free_port
from tests.support.receiver import Receiver

FIRST = (
    *("Alder", "Bright", "Corvan", "Delph", "Easter", "Fenwick", "Garland", "Hobart", "Ingram"),
    *("Jarrow", "Kestrel", "Lomax", "Marlow", "Norbury", "Orwell", "Pembrook", "Quill", "Ravens"),
    *("Selwyn", "Tarrant", "Ulster", "Varden", "Wexford", "Yarrow", "Zelda"),
)
SECOND = (
    *("Airways", "Foods", "Motors", "Chemicals", "Mining", "Textiles", "Steel", "Pharma"),
    *("Shipping", "Logistics", "Software", "Cement", "Paper", "Rubber", "Glass", "Breweries"),
)
COMPANIES = tuple(f"{first} {second}" for second in SECOND for first in FIRST)
STAGES = "classify,aggregate,alert,notify"
WARM = 500
CHUNK = 500  # what a collector hands over at once while it has more than it can get rid of
LEAST_PAUSE_S = 0.01
WAIT_S = 60.0
PARTS = ("classify", "decide", "relay", "outbox", "send")
TARGET_MS = {"p50": 250, "p99": 1_000}


def main() -> None:
    parser = argparse.ArgumentParser(description="Time to alert at half of saturation.")
    parser.add_argument(
        "--backends", nargs="+", choices=("embedded", "kafka"), default=("embedded", "kafka")
    )
    parser.add_argument("--titles", type=int, default=10_000, help="To find saturation with.")
    parser.add_argument("--rate", type=float, help="Items a second, instead of half of saturation.")
    parser.add_argument("--seconds", type=float, default=75.0, help="How long news comes evenly.")
    parser.add_argument("--alerts", type=int, default=300, help="Of them, that are an alert.")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.alerts >= len(COMPANIES):
        parser.error(f"--alerts: less than {len(COMPANIES)}; each is of another company")
    found = {}
    for name in given.backends:
        with embedded() if name == "embedded" else servers() as backends:
            found[name] = measured(backends, given.titles, given.rate, given.seconds, given.alerts)
    if given.json:
        print(json.dumps(found, indent=1))
        return
    for name, figures in found.items():
        print(f"== {name}")
        for key, value in figures.items():
            print(f"{key:28} {value}")


def measured(
    backends: Backends, to_saturate: int, rate: float | None, seconds: float, alerts: int
) -> dict[str, Any]:
    """Time to alert over some backends; see the module's text."""
    with service(backends) as (outside, receiver):
        collector = Collector(outside)
        numbers = itertools.count()
        news = itertools.cycle(titles(100_000))

        def hand_over(chunk: Sequence[str]) -> None:
            collector.hand_over([article(next(numbers), title) for title in chunk])

        hand_over([f"{COMPANIES[-1]} files for bankruptcy", *itertools.islice(news, WARM)])
        collector.until_stored(WARM + 1)
        handed = WARM + 1
        saturation = None
        if rate is None:
            _say(f"{backends.name}: handing over {to_saturate} titles")
            began_s = time.monotonic()
            for _ in range(0, to_saturate, CHUNK):
                hand_over(list(itertools.islice(news, CHUNK)))
                handed += CHUNK
            collector.until_stored(handed)
            saturation = (handed - WARM - 1) / (time.monotonic() - began_s)
            rate = saturation / 2
        _say(f"{backends.name}: {rate:.0f} items a second for {seconds:.0f} s")
        begun = _evenly(news, rate, seconds, COMPANIES[:alerts], hand_over)
        told = _received(receiver, begun)
        collector.close()
        figures: dict[str, Any] = {
            "backends": backends.name,
            "saturation_items_per_s": None if saturation is None else round(saturation, 1),
            "rate_items_per_s": round(rate, 1),
            "alerts": len(begun),
            "not_told": len(begun) - len(told),
            **_percentiles([told[name] - begun[name] for name in told]),
            "target_ms": TARGET_MS,
            "of_it": _parts(outside, begun, told),
        }
        return figures


@contextmanager
def service(backends: Backends) -> Iterator[tuple[Outside, Receiver]]:
    """All stages but collect in one process, telling a receiver; ``Outside`` is what we share with it."""
    with tempfile.TemporaryDirectory(prefix="foreshock-latency-") as name:
        folder, port, receiver = Path(name), free_port(), Receiver()
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        watched = (SHARED / "replay/watchlist.csv").read_text("utf-8").rstrip("\n")
        rows = "".join(f"\n{company}," for company in COMPANIES)
        (folder / "watchlist.csv").write_text(f"{watched}{rows}\n", "utf-8")
        config = folder / "foreshock.toml"
        config.write_text(
            f'{backends.place()}[watchlist]\npath = "{folder / "watchlist.csv"}"\n'
            f'[metrics]\nport = {port}\n[[notify.channels]]\nname = "hook"\nkind = "webhook"\n'
            f'url = "{receiver.url}"\nsecret = "of this run only"\n',
            "utf-8",
        )
        arguments = ["pipeline", "--config", str(config), "--stages", STAGES]
        try:
            outside = open_outside(load_settings(config, {}))
            with foreshock(arguments, folder / "pipeline.log") as process:
                until_ready(process, port)
                yield outside, receiver
            outside.broker.close()
            outside.store.close()
        finally:
            receiver.shutdown()


def _evenly(
    news: Iterator[str],
    rate: float,
    seconds: float,
    companies: Sequence[str],
    hand_over: Any,
) -> dict[str, float]:
    """Hand over what is due, again and again; return when each company's report was, in Unix time."""
    begun: dict[str, float] = {}
    began_s = time.monotonic()
    handed = 0
    while (passed_s := time.monotonic() - began_s) < seconds or len(begun) < len(companies):
        due = int(min(passed_s, seconds) * rate) - handed
        reports = companies[len(begun) : int(min(1, passed_s / seconds) * len(companies))]
        chunk = [
            *itertools.islice(news, due),
            *(f"{name} files for bankruptcy" for name in reports),
        ]
        if chunk:
            begun |= dict.fromkeys(reports, time.time())
            hand_over(chunk)
            handed += due
        time.sleep(LEAST_PAUSE_S)
    return begun


def _received(receiver: Receiver, begun: Mapping[str, float]) -> dict[str, float]:
    """Wait for what was sent of these companies; return when each came first, in Unix time."""
    deadline = time.monotonic() + WAIT_S
    while True:
        told: dict[str, float] = {}
        for request in list(receiver.received):
            alert = json.loads(request.body).get("alert") or {}  # one alone, not a group
            name = str(alert.get("title")).partition(":")[0]
            if name in begun:
                told.setdefault(name, request.at_s)
        if len(told) == len(begun) or time.monotonic() > deadline:
            return told
        time.sleep(0.2)


def _parts(
    outside: Outside, begun: Mapping[str, float], told: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """Return what each stage's part took, over the alerts that were told."""
    classified = {each.key: each.appended_at_ms / 1e3 for each in _all(outside, CLASSIFIEDS)}
    with outside.store.read() as connection:
        n = notifications.c
        query = select(n.alert_id, n.created_us).where(n.change == "fired")
        written = {row.alert_id: row.created_us / 1e6 for row in connection.execute(query)}
    steps: list[list[float]] = []
    for record in _all(outside, ALERTS):
        change = ALERT.decode(record.value)
        alert = change.alert
        name = alert.title.partition(":")[0]
        if change.change == "fired" and name in told:
            at = [
                begun[name],
                classified[alert.evidence[0].article_id],
                change.at_us / 1e6,
                record.appended_at_ms / 1e3,
                written[alert.id],
                told[name],
            ]
            steps.append([later - earlier for earlier, later in itertools.pairwise(at)])
    parts = zip(*steps, strict=True)
    return {name: _percentiles(part) for name, part in zip(PARTS, parts, strict=False)}


def _all(outside: Outside, stream: str) -> Iterator[Record]:
    """Read a stream from its beginning, as a group of our own."""
    reader = outside.broker.reader("bench", [stream])
    left = sum(lag.end for lag in outside.broker.lag("bench", stream).values())
    while left > 0:
        records = reader.poll(1_000, 1.0)
        left -= len(records)
        yield from records
    reader.close()


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    if len(seconds) < 2:
        return {}
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {
        "p50_ms": round(cuts[49] * 1e3, 1),
        "p99_ms": round(cuts[98] * 1e3, 1),
        "most_ms": round(max(seconds) * 1e3, 1),
    }


def _say(what: str) -> None:
    print(what, file=sys.stderr)


if __name__ == "__main__":
    main()
