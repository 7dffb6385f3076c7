"""The port: what the collect stage asks of a source, whatever it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from monitor.collect.raw import RawItem
from monitor.domain import DeadItem
from monitor.errors import ForeshockError


class SourceError(ForeshockError):
    """A visit failed as a whole: no such file, HTTP 500, a timeout, not a feed.

    Parameters
    ----------
    message
        Names the file or address and what to do.
    retry_after_s
        Seconds the server asked us to stay away, if it did.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """One configured source.

    Parameters
    ----------
    name
        Unique name; part of the ids of items without URL and guid.
    kind
        A key of `monitor.collect.sources.SOURCES`.
    location
        Path or http(s) URL.
    language, publisher
        For items that do not say.
    interval_s
        Seconds between two visits.
    articles
        Feeds only: fetch the page each item links to and take its text.
    """

    name: str
    kind: str
    location: str
    language: str | None = None
    publisher: str | None = None
    interval_s: float = 300.0
    articles: bool = False


class Source(Protocol):
    """Something that publishes items. One source belongs to one thread."""

    @property
    def name(self) -> str: ...

    @property
    def interval_s(self) -> float:
        """Seconds to wait between two visits."""
        ...

    @property
    def once(self) -> bool:
        """One visit is all there is (a replay file)."""
        ...

    def poll(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        """Make one visit.

        What cannot be read is yielded as a `DeadItem` and the visit goes on. A visit that is not
        read to its end may be repeated from its beginning by the next one.

        Raises
        ------
        SourceError
            The visit failed as a whole, before its first item or at the point named.
        """
        ...

    def close(self) -> None: ...
