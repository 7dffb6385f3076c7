"""The embedded log: streams in one SQLite file, for one machine and no broker.

Several threads and several processes may write and read; `monitor.stream.local_group` shares
partitions among a group's readers, `monitor.stream.local_log` describes the file. The file must lie
on a local disk (SQLite's WAL needs shared memory). Make the broker after a fork, not before.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from monitor.errors import ConfigError, PoisonError, StreamUnavailable
from monitor.stream.local_group import Membership, renew
from monitor.stream.local_log import connect, first_id, open_log, outages, transaction
from monitor.stream.local_reader import LocalReader
from monitor.stream.port import MAX_VALUE_BYTES, READ_NOW, Lag, Message

log = logging.getLogger(__name__)

_TRIM_RECORDS = 2000


@dataclass(frozen=True, slots=True)
class LocalStreamSettings:
    """Where the embedded log lies, and how patient it is.

    Parameters
    ----------
    path
        The file; its folder is made where it is missing.
    lease_s
        How long the partitions of a killed process wait for another reader of its group.
    max_poll_interval_s
        A reader that has not polled for so long gives its partitions up.
    busy_timeout_s
        How long to wait for another process that writes.
    """

    path: Path
    lease_s: float = 5.0
    max_poll_interval_s: float = 300.0
    busy_timeout_s: float = 10.0


class LocalBroker:
    """`monitor.stream.port.Broker` over one SQLite file.

    Parameters
    ----------
    settings
        See `LocalStreamSettings`.
    clock
        Unix seconds; decides leases and stamps records.

    Raises
    ------
    ConfigError
        The file cannot be made or written, or is something else.
    """

    def __init__(
        self, settings: LocalStreamSettings, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._path = settings.path
        self._clock = clock
        self._lock = threading.Lock()
        self._connection = open_log(self._path, settings.busy_timeout_s)
        self._appended = threading.Condition()
        self._keeper = _LeaseKeeper(settings, clock)

    def create(self, streams: Mapping[str, int]) -> None:
        with self._lock, outages(self._path), transaction(self._connection):
            for stream, partitions in streams.items():
                exists = "SELECT 1 FROM partitions WHERE stream = ?"
                if self._connection.execute(exists, (stream,)).fetchone() is None:
                    self._connection.executemany(
                        "INSERT INTO partitions (stream, number) VALUES (?, ?)",
                        [(stream, number) for number in range(partitions)],
                    )

    def writer(self) -> LocalWriter:
        return LocalWriter(self._connect(), self._path, self._appended, self._clock)

    def reader(self, group: str, streams: Sequence[str]) -> LocalReader:
        connection = self._connect()
        membership = Membership(connection, group, streams, self._settings.lease_s, self._clock)
        self._keeper.keep(membership)
        return LocalReader(
            connection,
            self._path,
            membership,
            self._appended,
            lambda: self._keeper.drop(membership),
        )

    def lag(self, group: str, stream: str) -> dict[int, Lag]:
        return self.lags({group: stream})[group]

    def lags(self, reads: Mapping[str, str]) -> dict[str, dict[int, Lag]]:
        found: dict[str, dict[int, Lag]] = {group: {} for group in reads}
        with self._lock, outages(self._path):
            rows = self._connection.execute(  # of one snapshot
                "SELECT r.key, p.number, max(coalesce(c.committed, 0), p.first_offset), p.end_offset "
                "FROM json_each(?) r JOIN partitions p ON p.stream = r.value "
                "LEFT JOIN claims c ON c.group_name = r.key AND c.slot = p.slot",
                (json.dumps(dict(reads)),),
            )
            for group, number, committed, end in rows:
                found[group][number] = Lag(committed, end)
        return found

    def rewind(self, group: str, stream: str, to_ms: int) -> dict[int, Lag]:
        with self._lock, outages(self._path), transaction(self._connection):
            now_ms = int(self._clock() * 1000)
            alive = "SELECT 1 FROM members WHERE group_name = ? AND renewed_at_ms + lease_ms > ?"
            if self._connection.execute(alive, (group, now_ms)).fetchone() is not None:
                raise ConfigError(READ_NOW.format(group=group))
            query = "SELECT slot, first_offset, end_offset FROM partitions WHERE stream = ?"
            for slot, first, end in self._connection.execute(query, (stream,)).fetchall():
                to = self._first_since(slot, first, end, to_ms)
                self._connection.execute(
                    "INSERT INTO claims VALUES (?, ?, NULL, 0, ?) "
                    "ON CONFLICT (group_name, slot) DO UPDATE SET committed = excluded.committed",
                    (group, slot, to),
                )
        return self.lag(group, stream)

    def _first_since(self, slot: int, first: int, end: int, to_ms: int) -> int:
        """Return the first offset of a slot appended at or after a time, by bisection."""
        query = "SELECT appended_at_ms FROM records WHERE id = ?"
        while first < end:
            middle = (first + end) // 2
            (at_ms,) = self._connection.execute(query, (first_id(slot, middle),)).fetchone()
            if at_ms < to_ms:
                first = middle + 1
            else:
                end = middle
        return first

    def trim(self, before_ms: int) -> int:
        """Delete records appended before ``before_ms`` that every group of their stream has committed.

        A group counts from its first poll until `forget`. Returns how many were deleted.
        """
        with self._lock, outages(self._path):
            slots = self._connection.execute(
                "SELECT p.slot, min(p.end_offset, coalesce(min(c.committed), p.end_offset)) "
                "FROM partitions p LEFT JOIN claims c ON c.slot = p.slot GROUP BY p.slot"
            ).fetchall()
            return sum(self._trim_slot(slot, end, before_ms) for slot, end in slots)

    def forget(self, group: str) -> None:
        """Drop a group that will not read again: its offsets, and its hold on old records."""
        with self._lock, outages(self._path), transaction(self._connection):
            for table, column in (
                ("claims", "group_name"),
                ("members", "group_name"),
                ("groups", "name"),
            ):
                self._connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (group,))

    def close(self) -> None:
        self._keeper.stop()
        with self._lock:
            self._connection.close()

    def _connect(self) -> sqlite3.Connection:
        with outages(self._path):
            return connect(self._path, self._settings.busy_timeout_s)

    def _trim_slot(self, slot: int, end: int, before_ms: int) -> int:
        """Delete in short transactions, so that writers hardly wait."""
        trimmed = 0
        while True:
            with transaction(self._connection):
                rows = self._connection.execute(
                    "SELECT id, appended_at_ms FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
                    (first_id(slot, 0), first_id(slot, end), _TRIM_RECORDS),
                ).fetchall()
                # Stop at the first record that is to stay: stamps of several writers are not quite
                # in order.
                count = next(
                    (i for i, (_, at_ms) in enumerate(rows) if at_ms >= before_ms), len(rows)
                )
                if count == 0:
                    return trimmed
                last = rows[count - 1][0]
                self._connection.execute(
                    "DELETE FROM records WHERE id >= ? AND id <= ?", (first_id(slot, 0), last)
                )
                self._connection.execute(
                    "UPDATE partitions SET first_offset = ? WHERE slot = ?",
                    (last + 1 - first_id(slot, 0), slot),
                )
            trimmed += count


class LocalWriter:
    """`monitor.stream.port.StreamWriter` over the embedded log; see `LocalBroker.writer`."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        appended: threading.Condition,
        clock: Callable[[], float],
    ) -> None:
        self._connection = connection
        self._path = path
        self._appended = appended
        self._clock = clock
        self._slots: dict[str, list[int]] = {}
        self._unflushed = False

    def append(self, stream: str, messages: Sequence[Message]) -> None:
        if not messages:
            return
        for message in messages:
            if len(message.value) > MAX_VALUE_BYTES:
                raise PoisonError(
                    "too_large", f"{len(message.value)} bytes under key {message.key!r}"
                )
        slots = self._slots_of(stream)
        batches: dict[int, list[Message]] = {}
        for message in messages:
            slot = slots[zlib.crc32(message.key.encode()) % len(slots)]
            batches.setdefault(slot, []).append(message)
        at_ms = int(self._clock() * 1000)
        with outages(self._path), transaction(self._connection):
            for slot, batch in batches.items():
                ((end,),) = self._connection.execute(
                    "UPDATE partitions SET end_offset = end_offset + ? WHERE slot = ? RETURNING end_offset",
                    (len(batch), slot),
                ).fetchall()
                start = first_id(slot, end - len(batch))
                self._connection.executemany(
                    "INSERT INTO records VALUES (?, ?, ?, ?)",
                    [(start + i, m.key, m.value, at_ms) for i, m in enumerate(batch)],
                )
        self._unflushed = True
        with self._appended:
            self._appended.notify_all()

    def flush(self) -> None:
        """Make what was appended survive a power cut.

        A commit with ``synchronous = FULL`` fsyncs the WAL file, and with it every earlier commit
        in it (https://www.sqlite.org/pragma.html#pragma_synchronous).
        """
        if not self._unflushed:
            return
        with outages(self._path):
            self._connection.execute("PRAGMA synchronous = FULL")
            try:
                with transaction(self._connection):
                    self._connection.execute("UPDATE flushes SET count = count + 1")
            finally:
                self._connection.execute("PRAGMA synchronous = NORMAL")
        self._unflushed = False

    def close(self) -> None:
        self._connection.close()

    def _slots_of(self, stream: str) -> list[int]:
        if stream not in self._slots:
            with outages(self._path):
                rows = self._connection.execute(
                    "SELECT slot FROM partitions WHERE stream = ? ORDER BY number", (stream,)
                ).fetchall()
            if not rows:
                raise StreamUnavailable(
                    f"there is no stream {stream!r} in {self._path}: create it first"
                )
            self._slots[stream] = [slot for (slot,) in rows]
        return self._slots[stream]


class _LeaseKeeper:
    """Renews the leases of this process's readers while they work on a long batch.

    A killed process stops renewing, so its partitions move within ``lease_s``; a reader that only
    takes long keeps them for ``max_poll_interval_s``.
    """

    def __init__(self, settings: LocalStreamSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: set[Membership] = set()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def keep(self, membership: Membership) -> None:
        with self._lock:
            self._kept.add(membership)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="stream-leases", daemon=True)
                self._thread.start()

    def drop(self, membership: Membership) -> None:
        with self._lock:
            self._kept.discard(membership)

    def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._settings.lease_s / 3):
            try:
                self._renew()
            except Exception as error:
                # The readers meet the same outage in poll, and say so.
                log.debug("leases in %s not renewed: %s", self._settings.path, error)

    def _renew(self) -> None:
        now = self._clock()
        with self._lock:
            busy = [m for m in self._kept if now - m.polled_at < self._settings.max_poll_interval_s]
        with closing(connect(self._settings.path, self._settings.busy_timeout_s)) as connection:
            for membership in busy:
                renew(connection, membership.group, membership.member, now)
