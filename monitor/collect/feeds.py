"""Feeds: RSS, Atom or JSON, from an http(s) address, a file, or a folder of files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from monitor.collect.articles import dead_item
from monitor.collect.feed_document import items_of, parse_feed, read_feed
from monitor.collect.fetch import MAX_BODY_BYTES, VALIDATORS, Fetcher, fresh_s, unpack
from monitor.collect.pace import SLOWEST
from monitor.collect.raw import RawItem
from monitor.collect.source import Failure, SourceConfig, SourceError
from monitor.domain import DeadItem, DeadReason

_SUFFIXES = (".xml", ".rss", ".atom")


class FeedSource:
    """One feed, visited again and again. A visit of an unchanged feed brings nothing.

    What makes a feed unchanged (ETag, Last-Modified; a file's size and time) is noted only when a
    visit has been read to its end, so an interrupted one is repeated.
    """

    once = False

    def __init__(self, config: SourceConfig) -> None:
        self.name = config.name
        self.interval_s = config.interval_s
        self.location = config.location
        self._config = config
        self._fetcher: Fetcher | None = None
        self.slowest_s = config.slowest_s or SLOWEST * config.interval_s
        self.fresh_s = 0.0
        self._conditions: dict[str, str] = {}
        self._ttl_s = 0.0
        self._files: dict[Path, tuple[int, int]] = {}
        self._complete: Callable[[RawItem], RawItem] | None = None

    def poll(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        """Yield the feed's items; see `monitor.collect.source.Source.poll`."""
        remote = self.location.startswith(("http://", "https://"))
        if self._config.articles and self._complete is None:
            self._complete = _completer(self._http())
        for item in self._poll_url(now) if remote else self._poll_disk(now):
            if self._complete is not None and isinstance(item, RawItem):
                yield self._complete(item)
            else:
                yield item

    @property
    def memory(self) -> Mapping[str, str]:
        """ETag and Last-Modified of the last whole visit; see `monitor.collect.source.Remembers`."""
        return {"location": self.location, **self._conditions}

    def remember(self, memory: Mapping[str, str]) -> None:
        """Take up what an earlier process knew of this location."""
        if memory.get("location") != self.location:
            return
        self._conditions = {
            condition: memory[condition]
            for condition in VALIDATORS.values()
            if isinstance(memory.get(condition), str)
        }

    def close(self) -> None:
        """Close the connections."""
        if self._fetcher is not None:
            self._fetcher.close()
            self._fetcher = self._complete = None

    def _http(self) -> Fetcher:
        if self._fetcher is None:
            self._fetcher = Fetcher.of(self._config)
        return self._fetcher

    def _poll_url(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        fetched = self._http().get(self.location, self._conditions)
        if fetched.body is not None:
            content_type = fetched.headers.get("content-type", "")
            feed = parse_feed(fetched.body, self.location, fetched.url, content_type)
            yield from items_of(feed, self.location, fetched.url, self._config, now)
            self._ttl_s = feed.fresh_s
            self._conditions = fetched.conditions
        self.fresh_s = max(self._ttl_s, fresh_s(fetched.headers, datetime.now(UTC)))

    def _poll_disk(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        if "://" in self.location:
            raise SourceError(
                f"{self.location}: only http and https addresses, and paths, are read",
                kind=Failure.FORBIDDEN,
            )
        place = Path(self.location)
        if not place.is_dir():
            yield from self._poll_file(place, now)
            return
        try:
            files = sorted(path for path in place.iterdir() if path.suffix.lower() in _SUFFIXES)
        except OSError as error:
            message = f"{place}: cannot be listed: {error.strerror}"
            raise SourceError(message, kind=Failure.UNREACHABLE) from error
        if not files:
            raise SourceError(
                f"{place}: no {', '.join('*' + suffix for suffix in _SUFFIXES)} in this folder"
            )
        for path in files:
            try:
                yield from self._poll_file(path, now)
            except SourceError as error:
                yield dead_item(DeadReason.BAD_FEED, str(error), str(path), "", now)
                self._note(path)

    def _poll_file(self, path: Path, now: datetime) -> Iterator[RawItem | DeadItem]:
        try:
            state = _state(path)
            if self._files.get(path) == state:
                return
            with path.open("rb") as file:
                data = file.read(MAX_BODY_BYTES + 1)
        except OSError as error:
            message = f"{path}: cannot be read: {error.strerror}; check the path"
            raise SourceError(message, kind=Failure.UNREACHABLE) from error
        if len(data) > MAX_BODY_BYTES:
            message = f"{path}: the feed has more than {MAX_BODY_BYTES} bytes"
            raise SourceError(message, kind=Failure.TOO_LARGE)
        yield from read_feed(unpack(str(path), data), str(path), None, self._config, now)
        self._files[path] = state

    def _note(self, path: Path) -> None:
        try:
            self._files[path] = _state(path)
        except OSError:
            self._files.pop(path, None)


def _state(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _completer(fetcher: Fetcher) -> Callable[[RawItem], RawItem]:
    from monitor.collect.pages import Pages  # the extractor takes half a second to import

    return Pages(fetcher).complete
