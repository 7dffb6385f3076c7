"""The port: what a stage may ask of a stream, whatever carries it.

A *stream* is an ordered, partitioned, append-only log of byte records (a Kafka topic, or rows of
the embedded log). A *group* is a set of readers that share a stream's partitions; each partition
belongs to one reader of a group at a time. Delivery is at least once: after a crash, or when a
partition moves, records after the last committed offset are read again.

Two adapters hold to one contract suite (``tests/contract/test_streams.py``):
`monitor.stream.local.LocalBroker` and `monitor.stream.kafka.KafkaBroker`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

MAX_VALUE_BYTES = 8 * 2**20
READ_NOW = "group {group} is being read now: stop the processes of that stage first"
"""The largest value either adapter takes."""


class Partition(NamedTuple):
    """One partition of one stream."""

    stream: str
    number: int

    def __str__(self) -> str:
        return f"{self.stream}[{self.number}]"


@dataclass(frozen=True, slots=True)
class Message:
    """What is appended: records of one key keep their order and land in one partition."""

    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """What is polled.

    ``appended_at_ms`` is the wall clock of the append in Unix milliseconds: good for measuring
    delay, never for deciding anything.
    """

    stream: str
    partition: int
    offset: int
    key: str
    value: bytes
    appended_at_ms: int

    @property
    def source(self) -> Partition:
        return Partition(self.stream, self.partition)


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a group is behind on one partition.

    ``committed`` is the next offset the group would read, ``end`` the next offset to be written.
    """

    committed: int
    end: int

    @property
    def records(self) -> int:
        return max(0, self.end - self.committed)


class StreamWriter(Protocol):
    """Appends. One writer belongs to one thread."""

    def append(self, stream: str, messages: Sequence[Message]) -> None:
        """Hand over a batch; blocks while too much is in flight. Durable only after `flush`.

        Raises
        ------
        StreamUnavailable
            The broker did not take it in time. The batch may or may not be in the log.
        PoisonError
            Reason ``too_large``: a value is above `MAX_VALUE_BYTES`. Nothing of the batch was appended.
        """
        ...

    def flush(self) -> None:
        """Return once everything appended so far is durable (acknowledged by all in-sync replicas).

        Raises
        ------
        StreamUnavailable
            Some of it is not; the caller appends the same batch again (readers drop the repeats).
        """
        ...

    def close(self) -> None: ...


class StreamReader(Protocol):
    """Reads one or more streams as a member of a group. One reader belongs to one thread."""

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """Return up to ``max_records`` records, in offset order within each partition.

        Starts at the group's committed offset, or at the beginning of the log. Paused partitions
        give nothing but stay assigned. An empty list after ``timeout_s`` seconds means there was
        nothing.

        Raises
        ------
        StreamUnavailable
        """
        ...

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Commit the next offset to read, per partition, synchronously.

        While partitions are moving between members, it may be put off until the next `poll`.
        A partition that has moved to another member meanwhile is left out silently: its new owner
        reads the records again.
        """
        ...

    def seek(self, offsets: Mapping[Partition, int]) -> None:
        """Read from these offsets next (after a failed batch). Partitions not assigned are left out."""
        ...

    def pause(self, partitions: Iterable[Partition]) -> None: ...

    def resume(self, partitions: Iterable[Partition]) -> None: ...

    def assigned(self) -> frozenset[Partition]:
        """The partitions this reader owns now."""
        ...

    def close(self) -> None:
        """Leave the group at once, so that another member takes over without waiting."""
        ...


class Broker(Protocol):
    """Makes streams, writers and readers."""

    def create(self, streams: Mapping[str, int]) -> None:
        """Create each missing stream with that many partitions; an existing one is left as it is."""
        ...

    def writer(self) -> StreamWriter: ...

    def reader(self, group: str, streams: Sequence[str]) -> StreamReader: ...

    def lag(self, group: str, stream: str) -> dict[int, Lag]:
        """Committed and end offset of every partition. Safe to call from any thread."""
        ...

    def lags(self, reads: Mapping[str, str]) -> dict[str, dict[int, Lag]]:
        """As `lag`, of several groups and the stream that each reads, by group.

        All ends are looked at after all commits: what went from one of these streams to another meanwhile
        is in the backlog of one of them.
        """
        ...

    def rewind(self, group: str, stream: str, to_ms: int) -> dict[int, Lag]:
        """Let a group that nobody reads for go on from the first records appended at or after a time.

        Parameters
        ----------
        to_ms
            Unix milliseconds, by the clock that stamps records. Before the oldest record: from that one on;
            after the newest: from the end on.

        Returns
        -------
        dict
            As `lag` says afterwards.

        Raises
        ------
        ConfigError
            A reader of the group is there; stop its process first.
        """
        ...

    def close(self) -> None: ...
