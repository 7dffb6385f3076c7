"""Items a second of the aggregate stage over SQLite.

    python -m tests.bench.aggregate [--items N] [--json]

A third of the items are copies, half name companies of one sector, in batches of 500.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from datetime import timedelta

from monitor.aggregate.stage import AggregateStage
from monitor.aggregate.weights import Scale
from monitor.domain import ClassifiedArticle
from monitor.metrics import Metrics
from monitor.pipeline import Input
from monitor.store import Store
from monitor.stream.codec import Classified, Origin
from monitor.stream.port import Record
from tests.support.make import T0, classified

BATCH = 500
SCALE = Scale(lists={"acme": ("Banks", ("book",)), "zenith": ("Banks", ())})


def news(number: int) -> list[ClassifiedArticle]:
    rng = random.Random(1)
    return [
        classified(
            f"item {at}",
            f"Title {rng.randrange(number * 2 // 3)}",
            published_at=T0 + timedelta(seconds=at * 4),
            publisher=f"p{rng.randrange(40)}.example",
            topic=rng.choice(["Earnings", "Energy", "Macro"]),
            companies=rng.choice([(), (), ("acme",), ("acme", "zenith")]),
        )
        for at in range(number)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Items a second of the aggregate stage.")
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    number = given.items
    items = [
        Input(
            Classified(item, Origin(0, at)),
            Record("news.classified", 0, at, item.article.id, b"", 0),
        )
        for at, item in enumerate(news(number))
    ]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/store.db")
        stage = AggregateStage(lambda item: False, lambda: T0, Metrics(), SCALE)
        wall, cpu = time.perf_counter(), time.process_time()
        for begin in range(0, number, BATCH):
            with store.write() as connection:
                write = stage.process(items[begin : begin + BATCH]).write
                assert write is not None
                write(connection)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        store.close()
    figures = {"items_per_s": number / wall, "items_per_core_s": number / cpu}
    if given.json:
        print(json.dumps(figures))
    else:
        print("\n".join(f"{name}: {value:.0f}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
