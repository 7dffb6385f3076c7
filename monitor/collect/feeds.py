"""Feeds: RSS, Atom or JSON, from an http(s) address, a file, or a folder of files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from monitor.collect.articles import dead_item
from monitor.collect.feed_document import items_of, parse_feed, read_feed
from monitor.collect.fetch import MAX_BODY_BYTES, fresh_s, unpack
from monitor.collect.pace import SLOWEST
from monitor.collect.raw import RawItem
from monitor.collect.source import Failure, SourceConfig, SourceError
from monitor.collect.web_source import WebSource
from monitor.domain import DeadItem, DeadReason

_SUFFIXES = (".xml", ".rss", ".atom")


class FeedSource(WebSource):
    """One feed, visited again and again. A visit of an unchanged feed brings nothing.

    What makes a feed unchanged (ETag, Last-Modified; a file's size and time) is noted only when a
    visit has been read to its end, so an interrupted one is repeated.
    """

    def __init__(self, config: SourceConfig) -> None:
        super().__init__(config)
        self.slowest_s = config.slowest_s or SLOWEST * config.interval_s
        self.fresh_s = 0.0
        self._ttl_s = 0.0
        self._files: dict[Path, tuple[int, int]] = {}

    def poll(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        """Yield the feed's items; see `monitor.collect.source.Source.poll`."""
        remote = self.location.startswith(("http://", "https://"))
        complete = self.completer() if self.config.articles else None
        for item in self._poll_url(now) if remote else self._poll_disk(now):
            yield complete(item) if complete and isinstance(item, RawItem) else item

    def _poll_url(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        fetched = self.get(self.location)
        if fetched.body is not None:
            content_type = fetched.headers.get("content-type", "")
            feed = parse_feed(fetched.body, self.location, fetched.url, content_type)
            yield from items_of(feed, self.location, fetched.url, self.config, now)
            self._ttl_s = feed.fresh_s
            self.keep(self.location, fetched)
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
                f"{place}: no {', '.join('*' + suffix for suffix in _SUFFIXES)} in this folder",
                kind=Failure.NOTHING_FOUND,
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
        yield from read_feed(unpack(str(path), data), str(path), None, self.config, now)
        self._files[path] = state

    def _note(self, path: Path) -> None:
        try:
            self._files[path] = _state(path)
        except OSError:
            self._files.pop(path, None)


def _state(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns
