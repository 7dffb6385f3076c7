"""Reading the embedded log as a member of a group."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from monitor.stream.local_group import Claim, Membership
from monitor.stream.local_log import OFFSET_BITS, first_id, outages
from monitor.stream.port import Partition, Record

log = logging.getLogger(__name__)

# How often a waiting reader looks for appends of other processes, and the most one poll returns.
_LOOK_EVERY_S = 0.04
_POLL_BYTES = 32 * 2**20
_OFFSET_MASK = (1 << OFFSET_BITS) - 1


@dataclass(slots=True)
class _Position:
    partition: Partition
    epoch: int
    next_offset: int
    paused: bool = False


class LocalReader:
    """`monitor.stream.port.StreamReader` over the embedded log; see `LocalBroker.reader`.

    Parameters
    ----------
    appended
        Notified by writers of this process, so that a waiting poll wakes at once.
    on_close
        Called once, to stop the broker from renewing this member's lease.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        membership: Membership,
        appended: threading.Condition,
        on_close: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._path = path
        self._membership = membership
        self._appended = appended
        self._on_close = on_close
        self._positions: dict[int, _Position] = {}
        self._turn = 0
        self._closed = False

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        deadline = time.monotonic() + timeout_s
        with outages(self._path):
            while True:
                version = self._data_version()
                self._refresh()
                records = self._read(max_records)
                if records or not self._wait(version, deadline):
                    return records

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        slots = self._slots()
        held = {
            slots[partition]: (self._positions[slots[partition]].epoch, offset)
            for partition, offset in offsets.items()
            if partition in slots
        }
        if len(held) < len(offsets):
            log.debug(
                "group %s: left out of a commit: %s", self._membership.group, offsets.keys() - slots
            )
        if held:
            with outages(self._path):
                self._membership.commit(held)

    def seek(self, offsets: Mapping[Partition, int]) -> None:
        slots = self._slots()
        for partition, offset in offsets.items():
            if partition in slots:
                self._positions[slots[partition]].next_offset = offset

    def pause(self, partitions: Iterable[Partition]) -> None:
        self._set_paused(partitions, True)

    def resume(self, partitions: Iterable[Partition]) -> None:
        self._set_paused(partitions, False)

    def assigned(self) -> frozenset[Partition]:
        return frozenset(position.partition for position in self._positions.values())

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._on_close()
        self._positions.clear()
        try:
            with outages(self._path):
                self._membership.leave()
        finally:
            self._connection.close()

    def _slots(self) -> dict[Partition, int]:
        return {position.partition: slot for slot, position in self._positions.items()}

    def _set_paused(self, partitions: Iterable[Partition], paused: bool) -> None:
        slots = self._slots()
        for partition in partitions:
            if partition in slots:
                self._positions[slots[partition]].paused = paused

    def _refresh(self) -> None:
        if not self._membership.stale():
            return
        held = self._membership.settle()
        before = {slot: position.epoch for slot, position in self._positions.items()}
        if before == {slot: claim.epoch for slot, claim in held.items()}:
            return
        self._positions = {slot: self._position(slot, claim) for slot, claim in held.items()}
        log.debug(
            "group %s: now reads %s", self._membership.group, sorted(map(str, self.assigned()))
        )

    def _position(self, slot: int, claim: Claim) -> _Position:
        position = self._positions.get(slot)
        if position is not None and position.epoch == claim.epoch:
            return position
        return _Position(claim.partition, claim.epoch, claim.committed)

    def _read(self, max_records: int) -> list[Record]:
        """Read on from each partition in turn; another one is first each time, so that none starves."""
        slots = [slot for slot, position in self._positions.items() if not position.paused]
        self._turn += 1
        start = self._turn % len(slots) if slots else 0
        records: list[Record] = []
        room_bytes = _POLL_BYTES
        for slot in slots[start:] + slots[:start]:
            if len(records) >= max_records or room_bytes <= 0:
                break
            room_bytes -= self._read_slot(slot, max_records - len(records), room_bytes, records)
        return records

    def _read_slot(self, slot: int, limit: int, room_bytes: int, records: list[Record]) -> int:
        position = self._positions[slot]
        stream, number = position.partition
        read_bytes = 0
        rows = self._connection.execute(
            "SELECT id, key, value, appended_at_ms FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
            (first_id(slot, position.next_offset), first_id(slot + 1, 0), limit),
        )
        try:
            for row_id, key, value, appended_at_ms in rows:
                offset = row_id & _OFFSET_MASK
                records.append(Record(stream, number, offset, key, value, appended_at_ms))
                position.next_offset = offset + 1
                read_bytes += len(value)
                if read_bytes >= room_bytes:
                    break
        finally:
            rows.close()  # an open cursor would keep the WAL from being checkpointed
        return read_bytes

    def _wait(self, version: int, deadline: float) -> bool:
        """Wait for a change; False when the deadline came first."""
        while (left := deadline - time.monotonic()) > 0:
            with self._appended:
                # Asked under the lock, so an append of this process since our read is not missed.
                if self._data_version() != version:
                    return True
                self._appended.wait(min(_LOOK_EVERY_S, left))
            if self._membership.due():
                return True
        return False

    def _data_version(self) -> int:
        """A number that changes when another connection, of any process, has written."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
