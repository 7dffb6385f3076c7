"""Streams over a broker that may be away: impatient settings, patient writing and reading."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from monitor.errors import StreamUnavailable
from monitor.stream import KafkaSettings
from monitor.stream.port import Message, Record, StreamReader, StreamWriter

WAIT_S = 20.0


def settings_of(bootstrap: str, **changes: object) -> KafkaSettings:
    """Return impatient settings with topics of their own."""
    defaults: dict[str, object] = {
        "topic_prefix": f"{uuid.uuid4().hex[:12]}.",
        "session_timeout_s": 2.0,
        "delivery_timeout_s": 2.0,
        "connect_timeout_s": 2.0,
    }
    return KafkaSettings(bootstrap, **(defaults | changes))  # type: ignore[arg-type]


def append_until_taken(writer: StreamWriter, messages: Sequence[Message], stream: str = "s") -> int:
    """Append as a stage does: again, until it is durable. Returns how often it failed."""
    failures = 0
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            writer.append(stream, messages)
            writer.flush()
            return failures
        except StreamUnavailable:
            failures += 1
            time.sleep(0.2)
            assert time.monotonic() < deadline


def read_all(reader: StreamReader, keys: int, last: int) -> list[Record]:
    """Poll until the last number of every key has come."""
    records: list[Record] = []
    finished: set[str] = set()
    deadline = time.monotonic() + WAIT_S
    while len(finished) < keys:
        assert time.monotonic() < deadline, f"{len(records)} records"
        try:
            new = reader.poll(500, 0.2)
        except StreamUnavailable:
            time.sleep(0.2)
            continue
        records += new
        finished |= {record.key for record in new if int(record.value) == last}
    return records
