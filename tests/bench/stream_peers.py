"""One process that reads articles from Kafka, classifies them and writes what it read back: ours, or a peer.

    python -m tests.bench.stream_peers KIND BOOTSTRAP PREFIX ITEMS FOLDER

All call the same `ClassifyStage.classify` with the shipped bundle and the same codecs, so that only what is
around it differs. The peers are written as their tutorials do it: no dead letters, no patience in an outage.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from monitor.classify.stage import ClassifyStage
from monitor.pipeline import ARTICLES, CLASSIFIEDS
from monitor.service import Outside, Service, open_outside
from monitor.settings import load_settings
from monitor.stream.codec import ARTICLE, CLASSIFIED, Classified, Origin
from tests.bench.recorded import WATCHED

GROUP = "classify"
POLLED = 1_000  # records at a time, as our stage
Classify = Callable[[Sequence[bytes]], list[tuple[bytes, bytes]]]


def opened(bootstrap: str, prefix: str, folder: Path) -> Outside:
    """Open the streams of one contender, and a store beside them."""
    return open_outside(
        load_settings(
            None,
            {
                "store": {"url": f"sqlite:///{folder / 'store.db'}"},
                "watchlist": {"path": str(WATCHED)},
                "stream": {
                    "kind": "kafka",
                    "partitions": 1,
                    "kafka": {"bootstrap_servers": bootstrap, "topic_prefix": prefix},
                },
            },
        )
    )


def ours(outside: Outside, service: Service, items: int) -> None:
    """Our own loop, until it has committed everything."""
    service.start()
    while sum(lag.committed for lag in outside.broker.lag(GROUP, ARTICLES).values()) < items:
        if service.failure is not None:
            raise service.failure
        time.sleep(0.5)


def bare(bootstrap: str, prefix: str, items: int, classify: Classify, polled: int) -> None:
    """A loop over kafka-python's consumer, so many records at a time, committed when they are out."""
    from kafka import KafkaConsumer, KafkaProducer

    consumer = KafkaConsumer(
        prefix + ARTICLES,
        bootstrap_servers=bootstrap,
        group_id=prefix + GROUP,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_poll_records=polled,
    )
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    done = 0
    while done < items:
        for records in consumer.poll(timeout_ms=200).values():
            for key, value in classify([record.value for record in records]):
                producer.send(prefix + CLASSIFIEDS, key=key, value=value)
            producer.flush()
            consumer.commit()
            done += len(records)
    consumer.close()
    producer.close()


def quix(bootstrap: str, prefix: str, items: int, classify: Classify, folder: Path) -> None:
    """A quixstreams application: a function of one record, which is what it streams."""
    from quixstreams import Application  # type: ignore[import-not-found, unused-ignore]

    app = Application(
        broker_address=bootstrap,
        consumer_group=prefix + GROUP,
        auto_offset_reset="earliest",
        state_dir=str(folder / "state"),
        loglevel="WARNING",
    )
    frame: Any = app.dataframe(app.topic(prefix + ARTICLES, value_deserializer="bytes"))
    frame = frame.apply(lambda value: classify([value])[0][1])
    frame.to_topic(app.topic(prefix + CLASSIFIEDS, value_serializer="bytes"))
    app.run(count=items, timeout=60.0)


def main() -> None:
    kind, bootstrap, prefix, number, name = sys.argv[1:]
    items, folder = int(number), Path(name)
    outside = opened(bootstrap, prefix, folder)
    service = Service(outside, ("classify",), send=False, housekeeping=False)
    stage = service.stages["classify"]
    assert isinstance(stage, ClassifyStage)

    def classify(values: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        found = stage.classify([ARTICLE.decode(value) for value in values])
        return [
            (item.article.id.encode(), CLASSIFIED.encode(Classified(item, Origin(0, at))))
            for at, item in enumerate(found)
        ]

    if kind == "ours":
        ours(outside, service, items)
    elif kind in ("bare-batch", "bare-one"):
        bare(bootstrap, prefix, items, classify, POLLED if kind == "bare-batch" else 1)
    else:
        quix(bootstrap, prefix, items, classify, folder)
    service.close()


if __name__ == "__main__":
    main()
