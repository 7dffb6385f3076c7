"""What programs push: the form of an item, the stream it waits in, and the way into it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from monitor.errors import StreamUnavailable
from monitor.stream.port import Broker, Message, StreamWriter

PUSHED = "news.pushed"
MAX_ITEMS = 100
MAX_TEXT_CHARS = 100_000

_Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]


class PushedItem(BaseModel):
    """One item. Sent again with the same key (or ``url``, where it has one) it is the same item: what is
    equal counts once, what differs is an update of it."""

    model_config = ConfigDict(extra="forbid")

    key: _Word = Field(description="What you call it.", examples=["desk-2026-01-05-7"])
    title: Annotated[str, StringConstraints(min_length=1, max_length=1_000)] = Field(
        examples=["Acme Corp files for Chapter 11"]
    )
    summary: Annotated[str, StringConstraints(max_length=20_000)] = Field(
        "", description="HTML or text."
    )
    text: Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARS)] = Field(
        "", description="A whole document, as text; then there need be no summary."
    )
    url: Annotated[str, StringConstraints(max_length=2_048)] | None = None
    published_at: AwareDatetime | None = Field(None, description="By default when it was received.")
    publisher: _Word | None = None
    language: _Word | None = Field(None, examples=["en"])


class PushedItems(BaseModel):
    """What is sent at once."""

    model_config = ConfigDict(extra="forbid")

    items: list[PushedItem] = Field(min_length=1, max_length=MAX_ITEMS)


class Pushed(BaseModel):
    """A record of `PUSHED`."""

    source: str
    received_at: AwareDatetime
    item: PushedItem


class Inlet:
    """Appends what is pushed, durably. For all threads of a process.

    Parameters
    ----------
    broker
        Opens the streams; called at the first push, and again after an outage.
    partitions
        Of the stream, where it is made here.
    """

    def __init__(self, broker: Callable[[], Broker], partitions: int) -> None:
        self._make = broker
        self._partitions = partitions
        self._lock = threading.Lock()
        self._open: tuple[Broker, StreamWriter] | None = None

    def append(self, source: str, items: Sequence[PushedItem], now: datetime) -> None:
        """Return once all items are durable.

        Raises
        ------
        StreamUnavailable
            Some may not be: send them again.
        """
        messages = [
            Message(
                item.key,
                Pushed(source=source, received_at=now, item=item).model_dump_json().encode(),
            )
            for item in items
        ]
        with self._lock:
            try:
                writer = self._writer()
                writer.append(PUSHED, messages)
                writer.flush()
            except StreamUnavailable:
                self._close()
                raise

    def close(self) -> None:
        """Close the streams."""
        with self._lock:
            self._close()

    def _writer(self) -> StreamWriter:
        if self._open is None:
            broker = self._make()
            broker.create({PUSHED: self._partitions})
            self._open = (broker, broker.writer())
        return self._open[1]

    def _close(self) -> None:
        if self._open is not None:
            broker, writer = self._open
            self._open = None
            writer.close()
            broker.close()
