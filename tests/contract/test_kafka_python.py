"""What kafka-python 3.0.12 does when one does not look out, each with a test that fails without its cure.

Beside `test_streams_kafka.py` (bootstrap errors that hide the reason, a killed broker, what is in flight) and
`tests/chaos`.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kafka import KafkaProducer
from sqlalchemy import func, select

from monitor.aggregate.stage import AggregateStage
from monitor.clock import SystemClock
from monitor.errors import StreamUnavailable
from monitor.metrics import Metrics
from monitor.pipeline import CLASSIFIEDS, DEADS, STAGES, StageLoop
from monitor.store import Store, articles, progress
from monitor.store.schema import articles as article_rows
from monitor.stream import open_broker
from monitor.stream.codec import CLASSIFIED, Classified, Origin
from monitor.stream.port import Broker, Message, Partition, Record, StreamReader
from tests.chaos.surroundings import ProcessClock
from tests.support.kafka import KafkaServer
from tests.support.make import classified
from tests.support.streams import WAIT_S, append_until_taken, read_all, settings_of


@pytest.fixture
def broker(kafka: KafkaServer) -> Iterator[Broker]:
    opened = open_broker(settings_of(kafka.bootstrap))
    opened.create({"s": 2})
    yield opened
    opened.close()


def test_a_producer_goes_on_after_a_freeze_that_outlasts_its_patience(
    fragile: KafkaServer, broker: Broker
) -> None:
    """An idempotent producer whose delivery timeout has expired may never send again, and says nothing."""
    writer = broker.writer()
    append_until_taken(writer, [Message("k", b"0")])
    for number in (1, 2, 3):  # not every freeze hits it at the wrong moment
        fragile.freeze()
        began = time.monotonic()
        with pytest.raises(StreamUnavailable):
            writer.append("s", [Message("k", str(number).encode())])
            writer.flush()
        time.sleep(max(0.0, 3.0 - (time.monotonic() - began)))
        fragile.thaw()
        began = time.monotonic()
        append_until_taken(writer, [Message("k", str(number).encode())])
        assert time.monotonic() - began < 5
    reader = broker.reader("g", ["s"])
    read_all(reader, keys=1, last=3)
    reader.close()
    writer.close()


def test_a_failed_send_that_is_in_the_log_after_all_counts_once(
    fragile: KafkaServer, store: Store
) -> None:
    """A broker takes what lies in its sockets when it goes on; we had given it up and sent it again."""
    broker = open_broker(settings_of(fragile.bootstrap))
    broker.create({CLASSIFIEDS: 1, DEADS: 1})
    writer = broker.writer()
    append_until_taken(writer, [_message("before", 0)], CLASSIFIEDS)
    fragile.freeze()
    with pytest.raises(StreamUnavailable):
        writer.append(CLASSIFIEDS, [_message("failed", 1)])
        writer.flush()
    fragile.thaw()
    append_until_taken(writer, [_message("failed", 1)], CLASSIFIEDS)

    def in_the_log() -> int:
        return sum(lag.end for lag in broker.lag("aggregate", CLASSIFIEDS).values())

    deadline = time.monotonic() + WAIT_S
    while in_the_log() < 3:
        assert time.monotonic() < deadline, "the failed send is not in the log"
        time.sleep(0.1)
    stop = threading.Event()
    stage = AggregateStage(lambda *_: False, SystemClock().now, Metrics())
    loop = StageLoop(STAGES["aggregate"], stage, broker, store, SystemClock(), Metrics(), stop)
    thread = threading.Thread(target=loop.run, daemon=True)
    thread.start()
    while sum(progress.totals(store)) < 2 or any(
        lag.records for lag in broker.lag("aggregate", CLASSIFIEDS).values()
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    stop.set()
    thread.join(WAIT_S)
    with store.read() as connection:
        assert connection.execute(select(func.count()).select_from(article_rows)).scalar_one() == 2
    assert articles.count(store) == 2
    writer.close()
    broker.close()


def _message(name: str, offset: int) -> Message:
    item = classified(name, f"Title {name}")
    return Message(item.article.id, CLASSIFIED.encode(Classified(item, Origin(0, offset))))


def test_memory_stays_while_the_broker_stands_still(fragile: KafkaServer) -> None:
    """`send` never blocks: without a bound of ours it would take all there is."""
    broker = open_broker(
        settings_of(fragile.bootstrap, max_in_flight_bytes=2**20, delivery_timeout_s=4.0)
    )
    broker.create({"s": 2})
    writer = broker.writer()
    append_until_taken(writer, [Message("k", b"0")])
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fragile.freeze()
    with pytest.raises(StreamUnavailable):
        for number in range(20_000):  # 400 MB
            writer.append("s", [Message("k", str(number).encode().zfill(20_000))])
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib) / 1024
    assert grown_mib < 50
    writer.close()
    fragile.thaw()
    broker.close()


def test_what_cannot_be_decoded_does_not_hold_up_a_poll(kafka: KafkaServer, broker: Broker) -> None:
    """A deserialiser that raises makes `poll` spin on its record for ever: none is given to the client."""
    foreign = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    topic = broker._settings.topic_prefix + "s"  # type: ignore[attr-defined]
    foreign.send(topic, value=b"\xff\xfe not text", key=b"\xff key", partition=0).get(10)
    foreign.send(topic, value=None, key=b"k", partition=0).get(10)
    foreign.send(topic, value=b"good", key=b"k", partition=0).get(10)
    foreign.close()
    reader = broker.reader("g", ["s"])
    records: list[Record] = []
    deadline = time.monotonic() + WAIT_S
    while len(records) < 3:
        assert time.monotonic() < deadline
        records += reader.poll(10, 0.2)
    assert [record.value for record in records] == [b"\xff\xfe not text", b"", b"good"]
    assert records[0].key == "\\xff key"
    reader.commit({Partition("s", 0): records[-1].offset + 1})
    assert broker.lag("g", "s")[0].records == 0
    reader.close()


def test_a_rebalance_finishes_while_a_batch_is_in_hand(broker: Broker) -> None:
    """Listeners run on the client's own thread: one that commits, or waits for a database, never returns."""
    writer = broker.writer()
    append_until_taken(writer, [Message(f"k{n}", b"0") for n in range(20)])
    first = broker.reader("g", ["s"])
    in_hand = [record for _ in range(20) for record in first.poll(100, 0.2)]
    assert len(in_hand) == 20
    second = broker.reader("g", ["s"])
    deadline = time.monotonic() + 10
    while not (len(first.assigned()) == len(second.assigned()) == 1):
        assert time.monotonic() < deadline, "the partitions did not move"
        _turn(first, second)
    # What stayed can be committed by the one who has it in hand, and what moved cannot.
    (kept,), (moved,) = first.assigned(), second.assigned()
    ends = {source: lag.end for source, lag in broker.lag("g", "s").items()}
    first.commit({kept: ends[kept.number], moved: ends[moved.number]})
    _turn(first, second)
    lags = broker.lag("g", "s")
    assert (lags[kept.number].committed, lags[moved.number].committed) == (ends[kept.number], 0)
    for opened in (first, second, writer):
        opened.close()


def _turn(*readers: StreamReader) -> None:
    for reader in readers:
        reader.poll(100, 0.1)


def test_a_broker_that_comes_back_is_found_within_seconds(
    fragile: KafkaServer, broker: Broker
) -> None:
    """Left alone, the client waits twice as long after each try, up to half a minute."""
    writer, reader = broker.writer(), broker.reader("g", ["s"])
    append_until_taken(writer, [Message("k", b"0")])
    read_all(reader, keys=1, last=0)
    fragile.kill()
    gone = time.monotonic() + 9  # the sixth wait of the client's own would be 6 s
    while time.monotonic() < gone:
        with pytest.raises(StreamUnavailable):
            while time.monotonic() < gone:
                reader.poll(10, 0.5)
            raise StreamUnavailable("the time is over")
    fragile.start()
    back = time.monotonic()
    append_until_taken(writer, [Message("k", b"1")])
    read_all(reader, keys=1, last=1)
    assert time.monotonic() - back < 4
    reader.close()
    writer.close()


WRITE = """
import sys
from monitor.stream import KafkaSettings, open_broker
from monitor.stream.port import Message
from tests.chaos.worker import mend_sleep
from tests.support.streams import append_until_taken
mend_sleep()
writer = open_broker(KafkaSettings(sys.argv[1], topic_prefix=sys.argv[2])).writer()
append_until_taken(writer, [Message("k", b"1")])
"""
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("ahead_s", [7_200, -10 * 365 * 86_400])
def test_a_wrong_clock_of_a_writer_harms_no_record(
    kafka: KafkaServer, tmp_path: Path, ahead_s: int
) -> None:
    """The broker refuses records from the future, and its retention deletes old ones: its clock counts."""
    clock = ProcessClock(tmp_path / "clock")
    if clock.library is None:
        pytest.skip("no libfaketime (Debian: faketime)")
    clock.set(ahead_s)
    settings = settings_of(kafka.bootstrap)
    broker = open_broker(settings)
    broker.create({"s": 1})
    done = subprocess.run(
        [sys.executable, "-c", WRITE, kafka.bootstrap, settings.topic_prefix],
        cwd=ROOT,
        env={**os.environ, **clock.environment()},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    reader = broker.reader("g", ["s"])
    (record,) = read_all(reader, keys=1, last=1)
    appended_at = datetime.fromtimestamp(record.appended_at_ms / 1000, UTC)
    assert abs((datetime.now(UTC) - appended_at).total_seconds()) < 60
    reader.close()
    broker.close()
