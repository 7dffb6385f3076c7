"""Appending to Kafka.

What kafka-python 3 leaves to its caller, and how it is done here:

- ``send`` never blocks: `KafkaWriter` counts what is in flight and waits for the oldest.
- Once a batch has passed ``delivery_timeout_ms``, an idempotent producer may fall silent for good:
  that timeout is set to an hour, and *our* watchdog (``delivery_timeout_s``) throws the producer
  away and raises. The caller appends again, to a new producer; what the old one had sent may be in
  the log as well.
- ``close`` flushes first and, when that times out, leaves the I/O thread running and sending:
  `_abandon` ends it.
"""

from __future__ import annotations

import time
import zlib
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from monitor.errors import ForeshockError, PoisonError
from monitor.stream.kafka_client import opened, unavailable
from monitor.stream.kafka_settings import KafkaSettings
from monitor.stream.port import MAX_VALUE_BYTES, Message

# Far above any outage that the watchdog lets a batch live through.
_NEVER_MS = 3_600_000
_METADATA_MS = 3_000


class KafkaWriter:
    """`monitor.stream.port.StreamWriter` over one idempotent producer; see `KafkaBroker.writer`."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: Any = self._make()
        self._in_flight: deque[tuple[Any, int]] = deque()
        self._in_flight_bytes = 0

    def append(self, stream: str, messages: Sequence[Message]) -> None:
        for message in messages:
            if len(message.value) > MAX_VALUE_BYTES:
                raise PoisonError(
                    "too_large", f"{len(message.value)} bytes under key {message.key!r}"
                )
        if self._producer is None:
            self._producer = self._make()
        topic = self._settings.topic_prefix + stream
        partitions = self._partitions(topic)
        deadline = time.monotonic() + self._settings.delivery_timeout_s
        for message in messages:
            self._make_room(len(message.value), deadline)
            key = message.key.encode()
            try:
                future = self._producer.send(
                    topic, message.value, key, partition=zlib.crc32(key) % partitions
                )
            except KafkaError as error:
                raise self._given_up(f"appending to {topic}", error) from error
            self._in_flight.append((future, len(message.value)))
            self._in_flight_bytes += len(message.value)

    def flush(self) -> None:
        if self._producer is None or not self._in_flight:
            return
        deadline = time.monotonic() + self._settings.delivery_timeout_s
        try:
            self._producer.flush(self._settings.delivery_timeout_s)
        except KafkaError as error:
            raise self._given_up("flushing", error) from error
        while self._in_flight:
            self._settle_oldest(deadline)

    def close(self) -> None:
        if self._producer is not None:
            _abandon(self._producer)
            self._producer = None

    def _make(self) -> Any:
        return opened(
            self._settings,
            KafkaProducer,
            enable_idempotence=True,
            acks="all",
            delivery_timeout_ms=_NEVER_MS,
            max_block_ms=_METADATA_MS,
            allow_auto_create_topics=False,
            max_request_size=2 * MAX_VALUE_BYTES,
            batch_size=256 * 1024,
            # A full batch leaves at once, and flush does not wait for this.
            linger_ms=5,
            compression_type=self._settings.compression,
            metrics_enabled=False,
        )

    def _partitions(self, topic: str) -> int:
        # The client's own choice hashes each key in Python, which halves the rate; we need the
        # count alone.
        try:
            return len(self._producer.partitions_for(topic))
        except KafkaError as error:
            raise self._given_up(f"looking up topic {topic!r} (was it created?)", error) from error

    def _make_room(self, size_bytes: int, deadline: float) -> None:
        while self._in_flight and (
            len(self._in_flight) >= self._settings.max_in_flight
            or self._in_flight_bytes + size_bytes > self._settings.max_in_flight_bytes
        ):
            self._settle_oldest(deadline)

    def _settle_oldest(self, deadline: float) -> None:
        future, size_bytes = self._in_flight[0]
        if not future.succeeded():
            try:
                future.get(timeout=max(0.0, deadline - time.monotonic()))
            except KafkaError as error:
                raise self._given_up("waiting for acknowledgements", error) from error
        self._in_flight.popleft()
        self._in_flight_bytes -= size_bytes

    def _given_up(self, doing: str, error: KafkaError) -> ForeshockError:
        """Throw the producer away: nothing it still holds may reach the log after a second append."""
        producer, self._producer = self._producer, None
        self._in_flight.clear()
        self._in_flight_bytes = 0
        _abandon(producer)
        return unavailable(self._settings, doing, error)


def _abandon(producer: Any) -> None:
    """Close without waiting for what is unsent."""
    # There is no public way: close() alone gives up before it stops the thread when its flush times
    # out.
    producer._sender.force_close()
    producer._sender.join(timeout=5)
    with suppress(KafkaError):
        producer.close(timeout=0)
