"""Streams as Kafka topics, by kafka-python: the production path.

`kafka_producer` appends, `kafka_consumer` reads, `kafka_client` makes the clients and explains why
it cannot. Every module that imports Kafka is named ``monitor.stream.kafka*``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from kafka import KafkaAdminClient, OffsetSpec, TopicPartition
from kafka.admin import OffsetTimestamp
from kafka.errors import KafkaError, NoError, RetriableError, TopicAlreadyExistsError, for_code

from monitor.errors import ConfigError
from monitor.stream.kafka_client import opened, unavailable
from monitor.stream.kafka_consumer import KafkaReader
from monitor.stream.kafka_producer import KafkaWriter
from monitor.stream.kafka_settings import KafkaSettings
from monitor.stream.port import MAX_VALUE_BYTES, READ_NOW, Lag

__all__ = ["KafkaBroker", "KafkaReader", "KafkaSettings", "KafkaWriter"]

Answer = TypeVar("Answer")

_DAY_MS = 86_400_000
# A cluster that has just started has no group coordinator for a moment.
_PATIENCE_S = 5.0
# Partitions are added seldom, and lags are asked for several times a second.
_KNOWN_S = 5.0


class KafkaBroker:
    """`monitor.stream.port.Broker` over a Kafka cluster.

    Raises
    ------
    StreamUnavailable
        The cluster cannot be reached; the message lists the likely reasons.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._admin: Any = opened(settings, KafkaAdminClient)
        # The partitions of each topic, and when they were asked for.
        self._known: dict[str, tuple[float, list[TopicPartition]]] = {}

    def create(self, streams: Mapping[str, int]) -> None:
        if streams:
            self._ask("creating topics", lambda admin: self._create(admin, streams))

    def writer(self) -> KafkaWriter:
        return KafkaWriter(self._settings)

    def reader(self, group: str, streams: Sequence[str]) -> KafkaReader:
        return KafkaReader(self._settings, group, streams)

    def lag(self, group: str, stream: str) -> dict[int, Lag]:
        return self.lags({group: stream})[group]

    def lags(self, reads: Mapping[str, str]) -> dict[str, dict[int, Lag]]:
        prefix = self._settings.topic_prefix
        wanted = {prefix + group: prefix + stream for group, stream in reads.items()}
        doing = f"measuring the lag of {', '.join(wanted)}"
        found = self._ask(doing, lambda admin: self._lags(admin, wanted))
        return {group: found[prefix + group] for group in reads}

    def rewind(self, group: str, stream: str, to_ms: int) -> dict[int, Lag]:
        topic = self._settings.topic_prefix + stream
        name = self._settings.topic_prefix + group
        self._ask(f"rewinding {name} on {topic}", lambda admin: _rewind(admin, name, topic, to_ms))
        return self.lag(group, stream)

    def close(self) -> None:
        with self._lock:
            self._drop_admin()

    def _create(self, admin: Any, streams: Mapping[str, int]) -> None:
        settings = self._settings
        replicas = settings.replication_factor
        configs = {
            "max.message.bytes": str(2 * MAX_VALUE_BYTES),
            "retention.ms": str(int(settings.retention_days * _DAY_MS)),
            "min.insync.replicas": "2" if replicas >= 3 else "1",
            # Of the broker's clock: a writer whose own is wrong would be refused, or its records would be
            # deleted at once for their age.
            "message.timestamp.type": "LogAppendTime",
        }
        topics = {
            settings.topic_prefix + stream: {
                "num_partitions": partitions,
                "replication_factor": replicas,
                "configs": configs,
            }
            for stream, partitions in streams.items()
        }
        response = admin.create_topics(topics, raise_errors=False)
        for topic in response["topics"]:
            error = for_code(topic["error_code"])
            if topic["error_code"] and error is not TopicAlreadyExistsError:
                raise error(f"topic {topic['name']}: {topic['error_message']}")
        admin.wait_for_topics(list(topics))

    def _lags(self, admin: Any, wanted: Mapping[str, str]) -> dict[str, dict[int, Lag]]:
        sources = {group: self._partitions(admin, topic) for group, topic in wanted.items()}
        committed: dict[str, dict[TopicPartition, int]] = {}
        for group, several in sources.items():  # brokers before 3.0 take one group at a time
            places = admin.list_group_offsets({group: several})[group]
            committed[group] = {s: place.offset for s, place in places.items() if place.offset >= 0}
        every = [source for several in sources.values() for source in several]
        ends = admin.list_partition_offsets(dict.fromkeys(every, OffsetSpec.LATEST))
        for group, several in sources.items():
            if new := [source for source in several if source not in committed[group]]:
                firsts = admin.list_partition_offsets(dict.fromkeys(new, OffsetSpec.EARLIEST))
                committed[group] |= {source: firsts[source].offset for source in new}
        return {
            group: {s.partition: Lag(committed[group][s], ends[s].offset) for s in several}
            for group, several in sources.items()
        }

    def _partitions(self, admin: Any, topic: str) -> list[TopicPartition]:
        """Return a topic's partitions as they were a few seconds ago at most."""
        now = time.monotonic()
        at, known = self._known.get(topic, (0.0, []))
        if not known or now - at > _KNOWN_S:
            known = _partitions(admin, topic)
            self._known[topic] = now, known
        return known

    def _ask(self, doing: str, question: Callable[[Any], Answer]) -> Answer:
        """Ask the cluster, on a client of our own; a broken one is made anew for the next try."""
        deadline = time.monotonic() + _PATIENCE_S
        with self._lock:
            while True:
                try:
                    if self._admin is None:
                        self._admin = opened(self._settings, KafkaAdminClient)
                    return question(self._admin)
                except KafkaError as error:
                    self._drop_admin()
                    if not isinstance(error, RetriableError) or time.monotonic() > deadline:
                        raise unavailable(self._settings, doing, error) from error
                    time.sleep(0.2)

    def _drop_admin(self) -> None:
        admin, self._admin = self._admin, None
        self._known.clear()
        if admin is not None:
            with suppress(KafkaError):
                admin.close()


def _partitions(admin: Any, topic: str) -> list[TopicPartition]:
    (described,) = admin.describe_topics([topic])
    if described["error_code"]:
        raise for_code(described["error_code"])(f"topic {topic}")
    return [
        TopicPartition(topic, partition["partition_index"]) for partition in described["partitions"]
    ]


def _rewind(admin: Any, group: str, topic: str, to_ms: int) -> None:
    found = admin.describe_groups([group])[group]
    if found["members"]:
        raise ConfigError(READ_NOW.format(group=group))
    wanted = {source: OffsetTimestamp(to_ms) for source in _partitions(admin, topic)}
    for source, done in admin.reset_group_offsets(group, wanted).items():
        if done["error"] is not NoError:
            raise done["error"](f"partition {source.partition} of {topic}")
