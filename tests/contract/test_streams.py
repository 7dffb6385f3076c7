"""What every adapter of `monitor.stream.port` does: one suite, over the embedded log and a real Kafka."""

from __future__ import annotations

import dataclasses
import multiprocessing
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import ConfigError, PoisonError, StreamUnavailable
from monitor.stream import KafkaSettings, LocalStreamSettings, open_broker
from monitor.stream.port import (
    MAX_VALUE_BYTES,
    Broker,
    Message,
    Partition,
    Record,
    StreamReader,
    StreamWriter,
)

Settings = LocalStreamSettings | KafkaSettings

_WAIT_S = 15.0


def _local(request: pytest.FixtureRequest) -> Settings:
    folder: Path = request.getfixturevalue("tmp_path")
    return LocalStreamSettings(folder / "streams.db", lease_s=1.0)


def _kafka(request: pytest.FixtureRequest) -> Settings:
    server = request.getfixturevalue("kafka")
    return KafkaSettings(
        server.bootstrap, topic_prefix=f"{uuid.uuid4().hex[:12]}.", session_timeout_s=1.0
    )


BROKERS: dict[str, Callable[[pytest.FixtureRequest], Settings]] = {"local": _local, "kafka": _kafka}


@pytest.fixture(params=list(BROKERS))
def settings(request: pytest.FixtureRequest) -> Settings:
    return BROKERS[request.param](request)


class Bench:
    """A broker, and whatever a test opens on it, to be closed at its end."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.broker: Broker = open_broker(settings)
        self._opened: list[StreamReader | StreamWriter] = []

    def writer(self) -> StreamWriter:
        writer = self.broker.writer()
        self._opened.append(writer)
        return writer

    def reader(self, group: str, *streams: str) -> StreamReader:
        reader = self.broker.reader(group, streams)
        self._opened.append(reader)
        return reader

    def write(self, stream: str, messages: Sequence[Message]) -> None:
        writer = self.writer()
        writer.append(stream, messages)
        writer.flush()

    def close(self) -> None:
        for opened in self._opened:
            opened.close()
        self.broker.close()


@pytest.fixture
def bench(settings: Settings) -> Iterator[Bench]:
    bench = Bench(settings)
    yield bench
    bench.close()


def numbered(count: int, keys: int = 7) -> list[Message]:
    return [Message(f"k{i % keys}", str(i).encode()) for i in range(count)]


def read(reader: StreamReader, count: int, most: int = 100) -> list[Record]:
    """Poll until ``count`` records have come."""
    records: list[Record] = []
    deadline = time.monotonic() + _WAIT_S
    while len(records) < count:
        records += reader.poll(most, 0.2)
        assert time.monotonic() < deadline, f"{len(records)} of {count} records after {_WAIT_S} s"
    return records


def until(readers: Sequence[StreamReader], done: Callable[[], bool]) -> list[Record]:
    """Let the readers poll in turn until the condition holds; what they were given."""
    records: list[Record] = []
    deadline = time.monotonic() + _WAIT_S
    while not done():
        for reader in readers:
            records += reader.poll(100, 0.05)
        assert time.monotonic() < deadline, [sorted(reader.assigned()) for reader in readers]
    return records


def nexts(records: Sequence[Record]) -> dict[Partition, int]:
    offsets: dict[Partition, int] = {}
    for record in records:
        offsets[record.source] = max(offsets.get(record.source, 0), record.offset + 1)
    return offsets


def values(records: Sequence[Record]) -> list[int]:
    return sorted(int(record.value) for record in records)


def by_key(records: Sequence[Record]) -> Mapping[str, list[bytes]]:
    found: dict[str, list[bytes]] = defaultdict(list)
    for record in records:
        found[record.key].append(record.value)
    return found


def total_lag(broker: Broker, group: str, stream: str) -> int:
    return sum(lag.records for lag in broker.lag(group, stream).values())


def test_round_trip_keeps_the_order_of_a_key(bench: Bench) -> None:
    bench.broker.create({"s": 3})
    before_ms = int(time.time() * 1000)
    sent = numbered(300)
    writer = bench.writer()
    for start in range(0, 300, 50):
        writer.append("s", sent[start : start + 50])
    writer.flush()

    records = read(bench.reader("g", "s"), 300)

    assert len(records) == 300
    for key, got in by_key(records).items():
        assert got == [message.value for message in sent if message.key == key]
    for key in {message.key for message in sent}:
        assert len({record.partition for record in records if record.key == key}) == 1
    assert len({record.partition for record in records}) > 1
    assert all(record.stream == "s" for record in records)
    for number in range(3):
        offsets = [record.offset for record in records if record.partition == number]
        assert offsets == sorted(set(offsets))
    assert all(abs(record.appended_at_ms - before_ms) < 60_000 for record in records)


def test_create_leaves_an_existing_stream_as_it_is(bench: Bench) -> None:
    bench.broker.create({"s": 2})
    bench.write("s", numbered(10))
    bench.broker.create({"s": 5, "t": 1})
    assert set(bench.broker.lag("g", "s")) == {0, 1}
    assert set(bench.broker.lag("g", "t")) == {0}
    assert len(read(bench.reader("g", "s"), 10)) == 10


def test_appending_to_a_stream_that_was_not_created_is_refused(bench: Bench) -> None:
    with pytest.raises(StreamUnavailable, match="missing"):
        bench.writer().append("missing", numbered(1))


def test_an_empty_batch_and_an_empty_flush_do_nothing(bench: Bench) -> None:
    bench.broker.create({"s": 1})
    writer = bench.writer()
    writer.flush()
    writer.append("s", [])
    writer.flush()
    assert bench.broker.lag("g", "s")[0].end == 0


def test_a_new_reader_starts_at_the_committed_offset(bench: Bench) -> None:
    bench.broker.create({"s": 2})
    bench.write("s", numbered(40))
    first = bench.reader("g", "s")
    done = read(first, 10, most=10)
    first.commit(nexts(done))
    first.close()

    rest = read(bench.reader("g", "s"), 40 - len(done))

    assert values([*done, *rest]) == list(range(40))


def test_uncommitted_records_are_read_again(bench: Bench) -> None:
    bench.broker.create({"s": 2})
    bench.write("s", numbered(20))
    first = bench.reader("g", "s")
    assert values(read(first, 20)) == list(range(20))
    first.close()
    assert values(read(bench.reader("g", "s"), 20)) == list(range(20))


def test_groups_are_independent(bench: Bench) -> None:
    bench.broker.create({"s": 2})
    bench.write("s", numbered(20))
    one, two = bench.reader("one", "s"), bench.reader("two", "s")
    one.commit(nexts(read(one, 20)))
    assert values(read(two, 20)) == list(range(20))
    assert total_lag(bench.broker, "one", "s") == 0
    assert total_lag(bench.broker, "two", "s") == 20


def test_one_reader_of_two_streams(bench: Bench) -> None:
    bench.broker.create({"s": 2, "t": 1})
    bench.write("s", numbered(10))
    bench.write("t", numbered(5))
    reader = bench.reader("g", "s", "t")
    records = read(reader, 15)
    reader.commit(nexts(records))
    assert sorted(record.stream for record in records) == ["s"] * 10 + ["t"] * 5
    assert reader.assigned() == {Partition("s", 0), Partition("s", 1), Partition("t", 0)}
    assert total_lag(bench.broker, "g", "s") == total_lag(bench.broker, "g", "t") == 0


def test_two_readers_share_the_partitions(bench: Bench) -> None:
    bench.broker.create({"s": 4})
    a, b = bench.reader("g", "s"), bench.reader("g", "s")
    until([a, b], lambda: len(a.assigned()) == len(b.assigned()) == 2)
    assert a.assigned().isdisjoint(b.assigned())

    bench.write("s", numbered(100, keys=20))
    got: list[Record] = []
    deadline = time.monotonic() + _WAIT_S
    while len(got) < 100 and time.monotonic() < deadline:
        for reader in (a, b):
            got += reader.poll(100, 0.05)
    assert values(got) == list(range(100))


def test_partitions_move_when_a_reader_closes(bench: Bench) -> None:
    bench.broker.create({"s": 4})
    a, b = bench.reader("g", "s"), bench.reader("g", "s")
    until([a, b], lambda: len(a.assigned()) == len(b.assigned()) == 2)
    kept = b.assigned()
    started = time.monotonic()
    a.close()
    until([b], lambda: len(b.assigned()) == 4)
    assert kept < b.assigned()
    assert time.monotonic() - started < 5
    bench.write("s", numbered(20))
    assert values(read(b, 20)) == list(range(20))


def test_what_stays_is_not_read_again_when_another_reader_joins(bench: Bench) -> None:
    bench.broker.create({"s": 4})
    bench.write("s", numbered(40, keys=20))
    a = bench.reader("g", "s")
    first = read(a, 40)
    b = bench.reader("g", "s")
    again = until([a, b], lambda: len(a.assigned()) == len(b.assigned()) == 2)
    assert {record.source for record in again} <= b.assigned()

    def only_what_stayed_is_committed() -> bool:
        lags = bench.broker.lag("g", "s").items()
        return all((lag.records == 0) == (Partition("s", n) in a.assigned()) for n, lag in lags)

    a.commit(nexts(first))
    # Amid a rebalance a commit may be put off until the next poll.
    until([a, b], only_what_stayed_is_committed)


def test_a_third_reader_of_two_partitions_stands_by(bench: Bench) -> None:
    bench.broker.create({"s": 2})
    readers = [bench.reader("g", "s") for _ in range(3)]
    until(readers, lambda: sorted(len(r.assigned()) for r in readers) == [0, 1, 1])
    busy = next(reader for reader in readers if reader.assigned())
    busy.close()
    others = [reader for reader in readers if reader is not busy]
    until(others, lambda: [len(r.assigned()) for r in others] == [1, 1])


def test_a_killed_process_is_replaced(bench: Bench) -> None:
    bench.broker.create({"s": 2})
    bench.write("s", numbered(20))
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_read_and_hang, args=(bench.settings, theirs))
    process.start()
    assert ours.poll(30), "the other process read nothing"
    assert ours.recv() == 20
    process.kill()
    process.join()

    started = time.monotonic()
    assert values(read(bench.reader("g", "s"), 20)) == list(range(20))
    assert time.monotonic() - started < 6


def _read_and_hang(settings: Settings, connection: Connection) -> None:
    reader = open_broker(settings).reader("g", ["s"])
    connection.send(len(read(reader, 20)))
    time.sleep(60)


def test_a_commit_for_a_lost_partition_is_left_out(settings: Settings) -> None:
    bench = Bench(dataclasses.replace(settings, max_poll_interval_s=1.0))
    try:
        bench.broker.create({"s": 1})
        bench.write("s", numbered(20))
        slow, other = bench.reader("g", "s"), bench.reader("g", "s")
        late = read(slow, 20)
        # The slow one does not poll meanwhile.
        assert [record.offset for record in read(other, 5, most=5)] == list(range(5))
        other.commit({Partition("s", 0): 5})
        slow.commit(nexts(late))
        assert bench.broker.lag("g", "s")[0].committed == 5
        # It comes back as a member with nothing to do, and takes over when the other goes.
        other.close()
        until([slow], lambda: bool(slow.assigned()))
    finally:
        bench.close()


def test_a_commit_of_a_partition_never_assigned_is_left_out(bench: Bench) -> None:
    bench.broker.create({"s": 1, "t": 1})
    bench.write("t", numbered(5))
    reader = bench.reader("g", "s")
    until([reader], lambda: bool(reader.assigned()))
    reader.commit({Partition("t", 0): 3})
    reader.seek({Partition("t", 0): 3})
    reader.pause([Partition("t", 0)])
    reader.resume([Partition("t", 0)])
    assert bench.broker.lag("g", "t")[0].committed == 0


def test_lags_of_several_groups_are_those_of_each(bench: Bench) -> None:
    bench.broker.create({"s": 2, "t": 1})
    bench.write("s", numbered(20))
    bench.write("t", numbered(5))
    reader = bench.reader("g", "s")
    reader.commit(nexts(read(reader, 20)))
    reads = {"g": "s", "h": "t"}
    found = bench.broker.lags(reads)
    assert found == {group: bench.broker.lag(group, stream) for group, stream in reads.items()}
    assert {group: sum(lag.records for lag in lags.values()) for group, lags in found.items()} == {
        "g": 0,
        "h": 5,
    }


def test_paused_partitions_give_nothing_and_stay(settings: Settings) -> None:
    bench = Bench(dataclasses.replace(settings, max_poll_interval_s=2.0))
    try:
        bench.broker.create({"s": 2})
        reader = bench.reader("g", "s")
        until([reader], lambda: len(reader.assigned()) == 2)
        bench.write("s", numbered(40, keys=20))
        first = read(reader, 1, most=1)
        reader.pause(reader.assigned())
        until_s = time.monotonic() + 3.0  # longer than the session and the poll interval
        while time.monotonic() < until_s:
            assert reader.poll(100, 0.25) == []
        assert len(reader.assigned()) == 2
        # The one that was not in hand when all were paused goes first: it is read to its end.
        (half,) = reader.assigned() - {first[0].source}
        reader.resume([half])
        some = reader.poll(100, 5.0)
        assert {record.source for record in some} == {half}
        reader.resume(reader.assigned())
        assert values([*first, *some, *read(reader, 39 - len(some))]) == list(range(40))
    finally:
        bench.close()


def test_seek_reads_again_from_there(bench: Bench) -> None:
    bench.broker.create({"s": 1})
    bench.write("s", numbered(30))
    reader = bench.reader("g", "s")
    read(reader, 30)
    reader.seek({Partition("s", 0): 10})
    assert [record.offset for record in read(reader, 20)] == list(range(10, 30))
    reader.seek({Partition("s", 0): 25})
    again = read(reader, 5)
    reader.commit(nexts(again))
    assert bench.broker.lag("g", "s")[0].records == 0


def test_lag_before_and_after_a_commit(bench: Bench) -> None:
    bench.broker.create({"s": 2})
    assert total_lag(bench.broker, "g", "s") == 0
    bench.write("s", numbered(50))
    assert total_lag(bench.broker, "g", "s") == 50
    reader = bench.reader("g", "s")
    records = read(reader, 50)
    assert total_lag(bench.broker, "g", "s") == 50
    reader.commit(nexts(records[:20]))
    committed = sum(lag.committed for lag in bench.broker.lag("g", "s").values())
    assert committed == sum(nexts(records[:20]).values())
    reader.commit(nexts(records))
    assert total_lag(bench.broker, "g", "s") == 0
    assert sum(lag.end for lag in bench.broker.lag("g", "s").values()) == 50


def test_lag_from_many_threads(bench: Bench) -> None:
    bench.broker.create({"s": 2})
    bench.write("s", numbered(10))
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(total_lag(bench.broker, "g", "s")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [10] * 8


def test_a_group_goes_on_from_a_time(bench: Bench) -> None:
    bench.broker.create({"s": 2})
    bench.write("s", numbered(10))
    time.sleep(0.05)
    between_ms = int(time.time() * 1000)
    time.sleep(0.05)
    bench.write("s", numbered(20)[10:])
    reader = bench.reader("g", "s")
    reader.commit(nexts(read(reader, 20)))
    with pytest.raises(ConfigError, match="being read now"):
        bench.broker.rewind("g", "s", between_ms)
    reader.close()
    bench.broker.rewind("g", "s", between_ms)
    assert total_lag(bench.broker, "g", "s") == 10
    again = bench.reader("g", "s")
    assert values(read(again, 10)) == list(range(10, 20))
    again.close()
    for to_ms, left in ((0, 20), (between_ms + 60_000, 0)):
        bench.broker.rewind("g", "s", to_ms)
        assert total_lag(bench.broker, "g", "s") == left
    bench.broker.rewind("never read", "s", between_ms)
    assert total_lag(bench.broker, "never read", "s") == 10


def test_an_empty_poll_returns_after_its_timeout(bench: Bench) -> None:
    bench.broker.create({"s": 1})
    reader = bench.reader("g", "s")
    until([reader], lambda: bool(reader.assigned()))
    started = time.monotonic()
    assert reader.poll(10, 0.5) == []
    assert 0.45 < time.monotonic() - started < 1.5
    started = time.monotonic()
    assert reader.poll(10, 0.0) == []
    assert time.monotonic() - started < 0.3


def test_a_waiting_poll_wakes_for_an_append(bench: Bench) -> None:
    bench.broker.create({"s": 1})
    reader = bench.reader("g", "s")
    until([reader], lambda: bool(reader.assigned()))
    writer = bench.writer()

    def append() -> None:
        time.sleep(0.2)
        writer.append("s", [Message("k", repr(time.monotonic()).encode())])
        writer.flush()

    thread = threading.Thread(target=append)
    thread.start()
    (record,) = read(reader, 1)
    delay_s = time.monotonic() - float(record.value)
    thread.join()
    assert delay_s < 0.5


def test_poll_gives_at_most_max_records(bench: Bench) -> None:
    bench.broker.create({"s": 3})
    bench.write("s", numbered(100, keys=30))
    reader = bench.reader("g", "s")
    records: list[Record] = []
    while len(records) < 100:
        some = reader.poll(7, 5.0)
        assert 0 < len(some) <= 7 or not records
        records += some
    assert values(records) == list(range(100))


def test_values_and_keys_are_untouched(bench: Bench) -> None:
    bench.broker.create({"s": 2})
    sent = [
        Message("empty", b""),
        Message("", b"no key"),
        Message("binary", bytes(range(256))),
        Message("键 é \x00 \U0001f4c8", "新闻".encode("utf-16")),
        Message("k" * 1000, b"long key"),
    ]
    bench.write("s", sent)
    records = read(bench.reader("g", "s"), len(sent))
    assert {(record.key, record.value) for record in records} == {(m.key, m.value) for m in sent}


def test_large_values_survive(bench: Bench) -> None:
    bench.broker.create({"s": 2})
    sent = [Message(f"k{i}", bytes([i]) * (2**20)) for i in range(8)]
    sent.append(Message("largest", b"x" * MAX_VALUE_BYTES))
    bench.write("s", sent)
    records = read(bench.reader("g", "s"), len(sent))
    assert {record.key: record.value for record in records} == {m.key: m.value for m in sent}


def test_a_value_that_is_too_large_is_refused_and_appends_nothing(bench: Bench) -> None:
    bench.broker.create({"s": 1})
    writer = bench.writer()
    with pytest.raises(PoisonError, match="too_large"):
        writer.append("s", [Message("a", b"fine"), Message("b", b"x" * (MAX_VALUE_BYTES + 1))])
    writer.flush()
    assert bench.broker.lag("g", "s")[0].end == 0


def test_threads_and_processes_write_at_once(bench: Bench) -> None:
    bench.broker.create({"s": 3})
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_write, args=(bench.settings, f"process{i}")) for i in range(2)
    ]
    threads = [
        threading.Thread(target=_write_on, args=(bench.broker, f"thread{i}")) for i in range(3)
    ]
    workers: list[Any] = [*processes, *threads]
    for worker in workers:
        worker.start()
    reader = bench.reader("g", "s")
    records = read(reader, 5 * 400, most=500)
    for worker in workers:
        worker.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert reader.poll(10, 0.2) == []
    for got in by_key(records).values():
        assert got == [str(i).encode() for i in range(400)]
    assert len(by_key(records)) == 5


def _write(settings: Settings, key: str) -> None:
    broker = open_broker(settings)
    _write_on(broker, key)
    broker.close()


def _write_on(broker: Broker, key: str) -> None:
    writer = broker.writer()
    for start in range(0, 400, 20):
        writer.append("s", [Message(key, str(i).encode()) for i in range(start, start + 20)])
        writer.flush()
    writer.close()


def test_readers_in_threads_lose_nothing_while_one_comes_and_goes(bench: Bench) -> None:
    bench.broker.create({"s": 4})
    seen: set[int] = set()
    stop = threading.Event()

    def consume(leave_after_s: float) -> None:
        reader = bench.broker.reader("g", ["s"])
        started = time.monotonic()
        while not stop.is_set() and time.monotonic() - started < leave_after_s:
            records = reader.poll(20, 0.1)
            seen.update(values(records))
            reader.commit(nexts(records))
        reader.close()

    threads = [threading.Thread(target=consume, args=(s,)) for s in (_WAIT_S, _WAIT_S, 1.5)]
    for thread in threads:
        thread.start()
    writer = bench.writer()
    for start in range(0, 1000, 50):
        writer.append(
            "s", [Message(f"k{i % 50}", str(i).encode()) for i in range(start, start + 50)]
        )
        writer.flush()
        time.sleep(0.1)
    deadline = time.monotonic() + _WAIT_S
    while total_lag(bench.broker, "g", "s") and time.monotonic() < deadline:
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()
    assert seen == set(range(1000))
    assert total_lag(bench.broker, "g", "s") == 0


def test_closing_twice_is_harmless(bench: Bench) -> None:
    bench.broker.create({"s": 1})
    reader, writer = bench.reader("g", "s"), bench.writer()
    for opened in (reader, writer, reader, writer):
        opened.close()
