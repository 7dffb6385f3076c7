"""The embedded log: leases under a turned clock, trimming, and files that cannot be used."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import ConfigError, StreamUnavailable
from monitor.stream.local import LocalBroker, LocalStreamSettings
from monitor.stream.local_group import fair_share
from monitor.stream.port import MAX_VALUE_BYTES, Lag, Message, Partition, StreamReader

S0 = Partition("s", 0)


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def broker(tmp_path: Path, clock: Clock) -> Iterator[LocalBroker]:
    # The background renewal works in real time: it must not meet a clock that is turned in jumps.
    settings = LocalStreamSettings(
        tmp_path / "deep" / "streams.db", lease_s=5.0, max_poll_interval_s=0.0, busy_timeout_s=0.2
    )
    broker = LocalBroker(settings, clock)
    yield broker
    broker.close()


def write(broker: LocalBroker, count: int, stream: str = "s") -> None:
    writer = broker.writer()
    writer.append(stream, [Message("k", str(i).encode()) for i in range(count)])
    writer.flush()
    writer.close()


def offsets(reader: StreamReader, most: int = 100) -> list[int]:
    return [record.offset for record in reader.poll(most, 0.0)]


def test_a_member_whose_lease_ran_out_is_fenced(broker: LocalBroker, clock: Clock) -> None:
    broker.create({"s": 1})
    write(broker, 10)
    slow, other = broker.reader("g", ["s"]), broker.reader("g", ["s"])
    assert offsets(slow) == list(range(10))
    assert offsets(other) == []

    clock.now += 4.9
    assert offsets(other) == []
    clock.now += 2.0
    assert offsets(other, 4) == [0, 1, 2, 3]
    slow.commit({S0: 10})
    assert broker.lag("g", "s") == {0: Lag(0, 10)}
    other.commit({S0: 4})
    assert broker.lag("g", "s") == {0: Lag(4, 10)}

    assert offsets(slow) == []
    assert slow.assigned() == frozenset()
    other.close()
    assert offsets(slow) == [4, 5, 6, 7, 8, 9]
    slow.commit({S0: 10})
    assert broker.lag("g", "s") == {0: Lag(10, 10)}
    slow.close()


def test_a_lease_that_ran_out_unnoticed_is_taken_up_again(
    broker: LocalBroker, clock: Clock
) -> None:
    broker.create({"s": 1})
    write(broker, 3)
    reader = broker.reader("g", ["s"])
    assert offsets(reader) == [0, 1, 2]
    clock.now += 3600
    reader.commit({S0: 2})
    assert broker.lag("g", "s") == {0: Lag(2, 3)}
    assert offsets(reader) == []
    reader.close()


def test_a_clock_set_back_does_not_keep_a_dead_member(broker: LocalBroker, clock: Clock) -> None:
    broker.create({"s": 1})
    write(broker, 3)
    dead = broker.reader("g", ["s"])
    assert offsets(dead) == [0, 1, 2]
    clock.now -= 3600
    heir = broker.reader("g", ["s"])
    assert offsets(heir) == [0, 1, 2]
    heir.close()
    dead.close()


def test_a_commit_never_goes_back(broker: LocalBroker) -> None:
    broker.create({"s": 1})
    write(broker, 10)
    reader = broker.reader("g", ["s"])
    reader.poll(10, 0.0)
    reader.commit({S0: 8})
    reader.commit({S0: 3})
    assert broker.lag("g", "s") == {0: Lag(8, 10)}
    reader.close()


def test_trim_keeps_what_a_group_still_needs(broker: LocalBroker, clock: Clock) -> None:
    broker.create({"s": 1})
    write(broker, 5000)
    clock.now += 100
    write(broker, 10)
    quick, late = broker.reader("quick", ["s"]), broker.reader("late", ["s"])
    quick.poll(6000, 0.0)
    quick.commit({S0: 5010})
    late.poll(1, 0.0)
    late.commit({S0: 3000})
    late.close()
    before_ms = int((clock.now - 50) * 1000)

    assert broker.trim(before_ms) == 3000
    assert broker.lag("late", "s") == {0: Lag(3000, 5010)}
    assert broker.lag("new", "s") == {0: Lag(3000, 5010)}
    broker.forget("late")
    assert broker.trim(before_ms) == 2000
    assert broker.trim(before_ms) == 0
    newcomer = broker.reader("new", ["s"])
    assert offsets(newcomer) == list(range(5000, 5010))
    write(broker, 1)
    assert offsets(quick) == [5010]
    newcomer.close()
    quick.close()


def test_a_poll_is_bounded_in_bytes(broker: LocalBroker) -> None:
    broker.create({"s": 1})
    writer, reader = broker.writer(), broker.reader("g", ["s"])
    for _ in range(6):
        writer.append("s", [Message("k", bytes(MAX_VALUE_BYTES))])
    assert [len(offsets(reader)) for _ in range(3)] == [4, 2, 0]
    writer.close()
    reader.close()


def test_two_brokers_on_one_file(broker: LocalBroker, tmp_path: Path) -> None:
    broker.create({"s": 1})
    second = LocalBroker(LocalStreamSettings(tmp_path / "deep" / "streams.db"))
    reader = second.reader("g", ["s"])
    write(broker, 3)
    assert offsets(reader) == [0, 1, 2]
    reader.close()
    second.close()


def test_a_locked_file_is_an_outage(broker: LocalBroker, tmp_path: Path) -> None:
    broker.create({"s": 1})
    writer = broker.writer()
    holder = sqlite3.connect(tmp_path / "deep" / "streams.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StreamUnavailable, match=r"streams\.db.*another process"):
        writer.append("s", [Message("k", b"v")])
    holder.execute("ROLLBACK")
    holder.close()
    writer.append("s", [Message("k", b"v")])
    writer.flush()
    assert broker.lag("g", "s") == {0: Lag(0, 1)}
    writer.close()


def test_a_full_disk_is_an_outage(broker: LocalBroker) -> None:
    broker.create({"s": 1})
    writer = broker.writer()
    writer._connection.execute("PRAGMA max_page_count = 20")
    with pytest.raises(StreamUnavailable, match="disk is full"):
        writer.append("s", [Message("k", bytes(200_000))])
    writer._connection.execute("PRAGMA max_page_count = 1000000")
    writer.append("s", [Message("k", bytes(200_000))])
    assert broker.lag("g", "s") == {0: Lag(0, 1)}
    writer.close()


def _a_folder(path: Path) -> None:
    path.mkdir()


def _a_text(path: Path) -> None:
    path.write_text("This is not a log. " * 100)


def _another_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.close()


def _a_newer_log(path: Path) -> None:
    LocalBroker(LocalStreamSettings(path)).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


@pytest.mark.parametrize("make", [_a_folder, _a_text, _another_database, _a_newer_log])
def test_a_file_that_cannot_be_the_log_is_refused(tmp_path: Path, make: object) -> None:
    path = tmp_path / "streams.db"
    make(path)  # type: ignore[operator]
    with pytest.raises(ConfigError, match=r"streams\.db"):
        LocalBroker(LocalStreamSettings(path))


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="folder"):
        LocalBroker(LocalStreamSettings(tmp_path / "file" / "streams.db"))


@given(
    partitions=st.integers(0, 40),
    held=st.lists(st.integers(0, 12), min_size=1, max_size=8),
)
def test_fair_shares_add_up(partitions: int, held: list[int]) -> None:
    counts = Counter({f"m{i}": count for i, count in enumerate(held)})
    members = [f"m{i}" for i in range(len(held))]
    shares = [fair_share(member, partitions, members, counts, counts) for member in members]
    assert sum(shares) == partitions
    assert max(shares) - min(shares) <= 1
