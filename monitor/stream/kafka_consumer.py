"""Reading Kafka as a member of a consumer group.

What kafka-python 3 leaves to its caller, and how it is done here:

- The broker takes a commit for a partition that has moved, as long as the member is in the group.
  So a commit covers only partitions that are ours, and offsets that we were given since they became
  ours.
- A commit in the middle of a rebalance fails, though most partitions stay: it is kept, and done by
  the next `poll`, unless the partition has gone.
- ``auto_offset_reset`` would silently jump when a committed offset is gone from the log: it is off,
  new groups are put at the beginning, and a jump is logged as an error.
- ``poll`` on a dead broker looks like silence: after some of it, the broker is asked something.
- Rebalance listeners run on the client's I/O thread, where a blocking call would never return.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from monitor.stream.kafka_client import opened, unavailable
from monitor.stream.kafka_mends import mend
from monitor.stream.kafka_settings import KafkaSettings
from monitor.stream.port import MAX_VALUE_BYTES, Partition, Record

log = logging.getLogger(__name__)

_NOT_NOW = (
    CommitFailedError,
    IllegalGenerationError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
_COMMIT_MS = 10_000
_CLOSE_MS = 3_000
# After so much silence the broker must answer a question within so much.
_SILENCE_S = 4.0
_ANSWER_MS = 4_000


class KafkaReader:
    """`monitor.stream.port.StreamReader` over one consumer; see `KafkaBroker.reader`."""

    def __init__(self, settings: KafkaSettings, group: str, streams: Sequence[str]) -> None:
        self._settings = settings
        self._group = settings.topic_prefix + group
        self._topics = {settings.topic_prefix + stream: stream for stream in streams}
        # The least offset we may commit, for partitions that gave us records since they became
        # ours.
        self._floor: dict[TopicPartition, int] = {}
        self._uncommitted: dict[TopicPartition, int] = {}
        self._heard_at = time.monotonic()
        session_ms = int(settings.session_timeout_s * 1000)
        self._consumer: Any = opened(
            settings,
            KafkaConsumer,
            group_id=self._group,
            auto_offset_reset="none",
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            partition_assignment_strategy=[CooperativeStickyAssignor],
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=min(3000, session_ms // 3),
            max_poll_interval_ms=int(settings.max_poll_interval_s * 1000),
            max_partition_fetch_bytes=2 * MAX_VALUE_BYTES,
            # New topics and partitions are noticed within half a minute.
            metadata_max_age_ms=30_000,
            metrics_enabled=False,
        )
        mend(self._consumer)
        self._consumer.subscribe(list(self._topics), listener=_Loss(self._lost))
        self._learn_topics()

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        deadline = time.monotonic() + timeout_s
        while True:
            left_ms = max(0.0, deadline - time.monotonic()) * 1000
            batches = self._fetch(max_records, left_ms)
            if self._uncommitted:
                self._commit_late()
            if batches:
                self._heard_at = time.monotonic()
                return self._records(batches)
            if time.monotonic() >= deadline:
                self._ask_when_silent()
                return []

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        assigned = self._consumer.assignment()
        allowed = dict(self._uncommitted)
        for partition, offset in offsets.items():
            source = self._source(partition)
            if source in assigned and offset >= self._floor.get(source, offset + 1):
                allowed[source] = offset
            else:
                log.debug("group %s: %s is not ours, left out of a commit", self._group, partition)
        self._commit(allowed)

    def seek(self, offsets: Mapping[Partition, int]) -> None:
        assigned = self._consumer.assignment()
        for partition, offset in offsets.items():
            source = self._source(partition)
            if source in assigned:
                self._go_to(source, offset)

    def pause(self, partitions: Iterable[Partition]) -> None:
        self._consumer.pause(*self._assigned_of(partitions))

    def resume(self, partitions: Iterable[Partition]) -> None:
        self._consumer.resume(*self._assigned_of(partitions))

    def assigned(self) -> frozenset[Partition]:
        return frozenset(
            Partition(self._topics[source.topic], source.partition)
            for source in self._consumer.assignment()
        )

    def close(self) -> None:
        try:
            self._consumer.close(autocommit=False, timeout_ms=_CLOSE_MS)
        except KafkaError as error:
            log.debug("group %s: leaving: %s", self._group, error)

    def _source(self, partition: Partition) -> TopicPartition:
        return TopicPartition(self._settings.topic_prefix + partition.stream, partition.number)

    def _assigned_of(self, partitions: Iterable[Partition]) -> list[TopicPartition]:
        return [
            self._source(p) for p in partitions if self._source(p) in self._consumer.assignment()
        ]

    def _learn_topics(self) -> None:
        # A member that joins without knowing its topics assigns nothing and at once asks to join
        # again.
        try:
            self._consumer.end_offsets(
                [TopicPartition(topic, 0) for topic in self._topics], timeout_ms=_ANSWER_MS
            )
        except KafkaError as error:
            log.debug("group %s: topics not known yet: %s", self._group, error)

    def _lost(self, sources: Iterable[TopicPartition]) -> None:
        for source in sources:
            self._floor.pop(source, None)
            self._uncommitted.pop(source, None)

    def _fetch(self, max_records: int, timeout_ms: float) -> dict[TopicPartition, list[Any]]:
        try:
            batches: dict[TopicPartition, list[Any]] = self._consumer.poll(
                timeout_ms=timeout_ms, max_records=max_records
            )
            return batches
        except NoOffsetForPartitionError as error:
            self._consumer.seek_to_beginning(*error.args[0])
        except OffsetOutOfRangeError as error:
            for source, offset in error.args[0].items():
                self._jump(source, offset)
        except LogTruncationError as error:
            for source in error.divergent_offsets:
                self._jump(source, None)
        except KafkaError as error:
            raise unavailable(self._settings, f"group {self._group} polls", error) from error
        return {}

    def _records(self, batches: Mapping[TopicPartition, Sequence[Any]]) -> list[Record]:
        records = []
        for source, batch in batches.items():
            stream, number = self._topics[source.topic], source.partition
            self._floor.setdefault(source, batch[0].offset)
            records += [
                Record(
                    stream,
                    number,
                    item.offset,
                    (item.key or b"").decode("utf-8", "backslashreplace"),  # not all are ours
                    item.value or b"",
                    item.timestamp,
                )
                for item in batch
            ]
        return records

    def _commit(self, offsets: dict[TopicPartition, int]) -> None:
        if not offsets:
            return
        wanted = {source: OffsetAndMetadata(offset, "", -1) for source, offset in offsets.items()}
        try:
            self._consumer.commit(wanted, timeout_ms=_COMMIT_MS)
        except _NOT_NOW as error:
            log.debug("group %s: commit put off: %s", self._group, error)
            self._uncommitted = offsets
        except KafkaError as error:
            raise unavailable(self._settings, f"group {self._group} commits", error) from error
        else:
            self._uncommitted = {}
            self._floor |= offsets

    def _commit_late(self) -> None:
        assigned = self._consumer.assignment()
        self._uncommitted = {s: offset for s, offset in self._uncommitted.items() if s in assigned}
        self._commit(self._uncommitted)

    def _ask_when_silent(self) -> None:
        if time.monotonic() - self._heard_at < _SILENCE_S:
            return
        try:
            source = next(
                iter(self._consumer.assignment()), TopicPartition(next(iter(self._topics)), 0)
            )
            self._consumer.end_offsets([source], timeout_ms=_ANSWER_MS)
        except KafkaError as error:
            raise unavailable(self._settings, f"group {self._group} polls", error) from error
        self._heard_at = time.monotonic()

    def _go_to(self, source: TopicPartition, offset: int) -> None:
        self._consumer.seek(source, offset)
        self._floor[source] = min(offset, self._floor.get(source, offset))

    def _jump(self, source: TopicPartition, offset: int | None) -> None:
        """Go on at the beginning of a log that no longer holds the offset we want, and say so."""
        try:
            first = self._consumer.beginning_offsets([source], timeout_ms=_ANSWER_MS)[source]
        except KafkaError as error:
            raise unavailable(self._settings, f"looking up the start of {source}", error) from error
        if offset is not None and offset < first:
            log.error(
                "group %s of %s[%d]: records %d to %d were deleted by the broker's retention before they "
                "were read; going on at %d",
                self._group, source.topic, source.partition, offset, first - 1, first,
            )  # fmt: skip
        else:
            log.error(
                "group %s of %s[%d]: the broker's log ends before offset %s, so it lost records or the "
                "topic was made anew; reading all of it again from %d",
                self._group, source.topic, source.partition, offset, first,
            )  # fmt: skip
        self._go_to(source, first)


class _Loss(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells the reader which partitions have gone."""

    def __init__(self, lost: Any) -> None:
        self._lost = lost

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        # What became ours again within one poll starts anew, too.
        self._lost(assigned)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._lost(revoked)

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self._lost(lost)
