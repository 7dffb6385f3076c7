"""Sources that others write to: a Kafka topic of theirs, and what programs push through our API.

Offsets are committed at the beginning of a visit, when all that the visit before brought has been appended:
a crash between the two brings records again, which the store counts as repeats.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable
from urllib.parse import urlsplit

import orjson
from pydantic import Field, SecretStr
from pydantic import ValidationError as Invalid

from monitor.collect.articles import dead_item
from monitor.collect.mapping import Records, items_of, value_at
from monitor.collect.pushed import PUSHED, Pushed
from monitor.collect.raw import RawItem
from monitor.collect.source import Failure, SourceConfig, SourceError
from monitor.domain import DeadItem, DeadReason
from monitor.errors import ConfigError, StreamUnavailable
from monitor.secret import secret_text
from monitor.stream import KafkaSettings, open_broker
from monitor.stream.port import Broker, Partition, Record, StreamReader

CHUNK = 1_000
LOOK_S = 1.0  # a stream is looked at at least so often
WAIT_S = 0.05


@runtime_checkable
class Attached(Protocol):
    """A source that reads a stream of our own."""

    def attach(self, broker: Broker, partitions: int) -> None:
        """Take the broker of this process; called before the first visit."""
        ...


class StreamSource:
    """What sources over a stream have in common."""

    once = False

    def __init__(self, config: SourceConfig) -> None:
        self.config = config
        self.name = config.name
        self.interval_s = min(config.interval_s, LOOK_S)
        self._reader: StreamReader | None = None
        self._taken: dict[Partition, int] = {}  # read, and appended before the next visit begins
        self._whole = True

    def poll(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        """Yield what has been written since the last visit; see `monitor.collect.source.Source.poll`."""
        if not self._whole:
            self.close()  # a visit that was given up begins again where the last whole one ended
        self._whole = False
        try:
            if self._reader is None:
                self._reader = self._open()
            if self._taken:
                self._reader.commit(self._taken)
                self._taken = {}
            while records := self._reader.poll(CHUNK, WAIT_S):
                for record in records:
                    yield self._item(record, now)
                    self._taken[record.source] = record.offset + 1
                if len(records) < CHUNK:
                    break
            self._whole = True
        except StreamUnavailable as error:
            self.close()
            raise SourceError(
                f"{self.config.location or self.name}: {error}", kind=Failure.UNREACHABLE
            ) from error

    def close(self) -> None:
        """Leave the group; what was read and not committed comes again."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._taken = {}
        self._whole = True

    def _open(self) -> StreamReader:
        raise NotImplementedError

    def _item(self, record: Record, now: datetime) -> RawItem | DeadItem:
        raise NotImplementedError

    def _dead(self, record: Record, detail: str, now: datetime) -> DeadItem:
        payload = record.value[:2_000].decode("utf-8", "replace")
        return dead_item(DeadReason.SCHEMA, detail, _origin(record), payload, now)


class TopicOptions(Records):
    """How to reach somebody's Kafka, and what is where in the JSON of its records."""

    group: str = Field(
        "foreshock", description="Consumer group: who shares its name shares the records."
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How the brokers are spoken to."
    )
    sasl_mechanism: str | None = Field(
        None, description="`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`."
    )
    sasl_username: str | None = Field(None, description="User for SASL.")
    sasl_password: SecretStr | None = Field(
        None, description="Password for SASL, or `file:PATH`. Never printed."
    )
    ssl_cafile: Path | None = Field(None, description="PEM file of the brokers' authority.")


class TopicSource(StreamSource):
    """An existing Kafka topic of JSON records, by a mapping; `kafka://HOST:PORT[,HOST:PORT]/TOPIC`."""

    Options = TopicOptions

    def __init__(self, config: SourceConfig) -> None:
        super().__init__(config)
        self.options: TopicOptions = config.options
        self._broker: Broker | None = None

    def close(self) -> None:
        """Leave the group and the cluster."""
        super().close()
        if self._broker is not None:
            self._broker.close()
            self._broker = None

    def _open(self) -> StreamReader:
        parts = urlsplit(self.config.location)
        topic = parts.path.strip("/")
        if parts.scheme != "kafka" or not parts.netloc or not topic:
            raise SourceError(
                f"{self.config.location}: write kafka://HOST:PORT/TOPIC", kind=Failure.MISCONFIGURED
            )
        told = self.options
        try:
            settings = KafkaSettings(
                parts.netloc,
                security_protocol=told.security_protocol,
                sasl_mechanism=told.sasl_mechanism,
                sasl_username=told.sasl_username,
                sasl_password=secret_text(told.sasl_password),
                ssl_cafile=told.ssl_cafile,
            )
        except ConfigError as error:
            raise SourceError(
                f"{self.config.location}: {error}", kind=Failure.MISCONFIGURED
            ) from error
        self._broker = open_broker(settings)
        return self._broker.reader(told.group, [topic])

    def _item(self, record: Record, now: datetime) -> RawItem | DeadItem:
        try:
            found = orjson.loads(record.value)
        except orjson.JSONDecodeError as error:
            return self._dead(record, f"not JSON: {error}", now)
        inside: Any = value_at(found, self.options.inside) if self.options.inside else found
        if not isinstance(inside, Mapping):
            where = f" at {self.options.inside!r}" if self.options.inside else ""
            return self._dead(record, f"no JSON object{where}", now)
        return next(items_of([inside], self.options, self.config, _origin(record)))


class PushSource(StreamSource):
    """What programs push by `POST /api/v1/sources/NAME/items`; needs no location."""

    located = False

    def __init__(self, config: SourceConfig) -> None:
        super().__init__(config)
        self._broker: Broker | None = None

    def attach(self, broker: Broker, partitions: int) -> None:
        """Take the broker that the API writes to."""
        broker.create({PUSHED: partitions})
        self._broker = broker

    def _open(self) -> StreamReader:
        if self._broker is None:
            raise SourceError(
                f"{self.name}: only a running service reads what is pushed",
                kind=Failure.MISCONFIGURED,
            )
        return self._broker.reader(f"push.{self.name}", [PUSHED])

    def poll(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        """Yield what was pushed to this source."""
        for item in super().poll(now):
            if item.origin != _OTHERS:
                yield item

    def _item(self, record: Record, now: datetime) -> RawItem | DeadItem:
        try:
            pushed = Pushed.model_validate_json(record.value)
        except Invalid as error:
            return self._dead(record, str(error.errors()[0]["msg"]), now)
        origin = _origin(record) if pushed.source == self.name else _OTHERS
        item = pushed.item
        return RawItem(
            source=self.name,
            origin=origin,
            title=item.title,
            summary=item.summary,
            url=item.url,
            guid=item.key,
            published=item.published_at or pushed.received_at,
            publisher=item.publisher or self.config.publisher or self.name,
            language=item.language or self.config.language,
            body=item.text,
        )


_OTHERS = ""  # origin of a record that was pushed to another source


def _origin(record: Record) -> str:
    return f"{record.source}@{record.offset}"
