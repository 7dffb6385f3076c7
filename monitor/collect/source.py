"""The port: what the collect stage asks of a source, whatever it reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from monitor.collect.raw import RawItem
from monitor.domain import DeadItem
from monitor.errors import ForeshockError


class Failure(StrEnum):
    """Why a visit failed. A closed set: it labels a metric."""

    UNREACHABLE = "unreachable"  # no such host or file, no connection
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"  # not HTTP, cut off, damaged
    HTTP = "http"  # a status that is no answer: 404, 500
    THROTTLED = "throttled"  # 429, or 503 with a time to come back
    BLOCKED = "blocked"  # robots.txt, 401, 403, 451: the owner does not want it
    FORBIDDEN = "forbidden"  # leads to an address that is not public, or not to the web
    TOO_LARGE = "too_large"
    NOT_A_FEED = "not_a_feed"
    UNREADABLE = (
        "unreadable"  # answers, and it is not what is read there: no JSON, no sitemap, no page
    )
    NOTHING_FOUND = "nothing_found"  # can be read, and the news is not where it was: it has changed
    REFUSED = "refused"  # the service itself says no: a wrong key, a query that it does not like
    MISCONFIGURED = "misconfigured"  # the settings of the source do not fit it
    BROKEN = "broken"  # a fault in the program that reads it; the log has the traceback
    OTHER = "other"  # of kinds that packages add and that do not say


class SourceError(ForeshockError):
    """A visit failed as a whole: no such file, HTTP 500, a timeout, not a feed.

    Parameters
    ----------
    message
        Names the file or address and what to do.
    retry_after_s
        Seconds the server asked us to stay away, if it did.
    kind
        What sort of failure it was.
    status
        Of an HTTP answer that was none.
    """

    def __init__(
        self,
        message: str,
        retry_after_s: float | None = None,
        kind: Failure = Failure.OTHER,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.kind = kind
        self.status = status


#: The word of a source that is less credible than this is hearsay.
RUMOUR = 0.5


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
        Feeds and lists only: fetch the page each item links to and take its text.
    credibility
        In [0, 1]; below `RUMOUR` what it alone reports is a rumour. ``None``: what is usual for the kind.
    options
        Of its kind, as `monitor.collect.sources.options_of` made them.
    private
        The host of the location may have a private address (an intranet's feed). A location that is
        itself written as an address may have any.
    robots
        Whether robots.txt is asked first. Switch it off only with the leave of the owner.
    slowest_s
        Longest wait between two visits while the source has little to say; four intervals by default.
    """

    name: str
    kind: str
    location: str
    language: str | None = None
    publisher: str | None = None
    interval_s: float = 300.0
    articles: bool = False
    credibility: float | None = None
    options: Any = None
    private: bool = False
    robots: bool = True
    slowest_s: float | None = None


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


@runtime_checkable
class Remembers(Protocol):
    """A source that knows where it was: what it keeps is put back after a restart."""

    @property
    def memory(self) -> Mapping[str, str]:
        """What the next visit begins with (ETag, a cursor), as the last whole visit left it."""
        ...

    def remember(self, memory: Mapping[str, str]) -> None:
        """Take up a memory of an earlier process. What makes no sense is ignored."""
        ...


@runtime_checkable
class Paced(Protocol):
    """A source that is visited more slowly while another visit would bring nothing."""

    @property
    def slowest_s(self) -> float:
        """Longest wait between two visits while it answers."""
        ...

    @property
    def fresh_s(self) -> float:
        """Seconds for which the last answer stays good, as its publisher says; 0: not said."""
        ...
