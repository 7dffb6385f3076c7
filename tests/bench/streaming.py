"""Classification over Kafka beside what a user would write instead: consume, classify, produce.

    python -m tests.bench.streaming [--items N] [--without-quixstreams] [--json]

A real broker on this machine; each contender in a process of its own, one after the other, on the same
headlines (`tests.bench.stream_peers`). Items a second are taken from the broker's clock, which stamps what it
is given: from the first fifth of the results, when everything is warm, to the last.

quixstreams is installed into an environment of its own under the cache folder (``XDG_CACHE_HOME``), which
sees our packages behind its own; the first run needs a package index.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from monitor.domain import Article
from monitor.pipeline import ARTICLES, CLASSIFIEDS
from monitor.stream.codec import ARTICLE
from monitor.stream.port import Message
from tests.bench import recorded
from tests.bench.environments import environment
from tests.bench.stream_peers import opened
from tests.support.kafka import KafkaServer, require_kafka

QUIX = "quixstreams==3.28.1"
OURS = "ours"
NAMES = {
    OURS: "Foreshock's classify stage",
    "bare-batch": "kafka-python loop, up to 1,000 records at a time",
    "bare-one": "kafka-python loop, a record at a time",
    "quixstreams": "quixstreams, a record at a time",
}
WARM = 0.2  # of the results
LONGEST_S = 900


def main() -> None:
    parser = argparse.ArgumentParser(description="Classification over Kafka beside its peers.")
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--without-quixstreams", action="store_true", help="install nothing")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    programs = {kind: sys.executable for kind in NAMES if kind != "quixstreams"}
    why_not = "not asked for"
    if not given.without_quixstreams:
        try:
            programs["quixstreams"] = str(environment(QUIX, seeing_ours=True))
        except subprocess.CalledProcessError as error:
            why_not = f"did not install: {str(error.stderr).strip()[-300:]}"
    found = [item.article for item in recorded.stream(given.items, recorded.watched())]
    rates = measured(found, programs)
    figures: dict[str, object] = {
        "items": len(found),
        "items_per_s": {NAMES[kind]: round(rate, 1) for kind, rate in rates.items()},
        "ours_is_times": {
            NAMES[kind]: round(rates[OURS] / rate, 2) for kind, rate in rates.items()
        },
    }
    if "quixstreams" not in programs:
        figures["without_quixstreams"] = why_not
    print(json.dumps(figures, indent=None if given.json else 1))


def measured(items: Sequence[Article], programs: dict[str, str]) -> dict[str, float]:
    """Let each read the same articles; return items a second."""
    require_kafka()
    rates: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="foreshock-streaming-") as name:
        server = KafkaServer(Path(name) / "kafka")
        server.start()
        try:
            for kind, python in programs.items():
                folder = Path(name) / kind
                folder.mkdir()
                rates[kind] = rate(kind, python, server.bootstrap, folder, items)
        finally:
            server.stop()
    return rates


def rate(kind: str, python: str, bootstrap: str, folder: Path, items: Sequence[Article]) -> float:
    """Lay the articles into a contender's stream, run it, and read when its results came."""
    outside = opened(bootstrap, f"{kind}.", folder)
    writer = outside.broker.writer()
    writer.append(ARTICLES, [Message(item.id, ARTICLE.encode(item)) for item in items])
    writer.flush()
    writer.close()
    outside.store.close()
    command = [python, "-m", "tests.bench.stream_peers", kind, bootstrap, f"{kind}."]
    subprocess.run([*command, str(len(items)), folder], check=True, timeout=LONGEST_S)
    times_ms = sorted(arrived_ms(bootstrap, f"{kind}.{CLASSIFIEDS}", len(items)))
    begin = times_ms[int(len(times_ms) * WARM)]
    counted = sum(at > begin for at in times_ms)
    return counted / ((times_ms[-1] - begin) / 1_000)


def arrived_ms(bootstrap: str, topic: str, number: int) -> list[int]:
    """Return the broker's times of so many records (Unix ms)."""
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=5_000
    )
    found = []
    for record in consumer:
        found.append(record.timestamp)
        if len(found) == number:
            break
    consumer.close()
    if len(found) < number:
        raise RuntimeError(f"{topic} holds {len(found)} of {number} records")
    return found


if __name__ == "__main__":
    main()
