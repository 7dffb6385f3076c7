"""One RSS, Atom, CDF or JSON feed, as bytes, to raw items. Nothing here sanitises: `html_text` does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urljoin

from monitor.collect.articles import dead_item
from monitor.collect.encodings import to_text
from monitor.collect.feed_json import read_json
from monitor.collect.feed_xml import Entry, Feed, NotAFeed, read_xml
from monitor.collect.html_text import beginning
from monitor.collect.raw import RawItem
from monitor.collect.source import Failure, SourceConfig, SourceError
from monitor.collect.urls import canonical_url, domain_of
from monitor.domain import DeadItem, DeadReason


def parse_feed(data: bytes, origin: str, base_url: str | None, content_type: str = "") -> Feed:
    """Return the feed in a document.

    Parameters
    ----------
    data
        The document.
    origin
        Its address or path, for messages.
    base_url
        What relative links are relative to.
    content_type
        The header of that name, for its ``charset``.

    Raises
    ------
    SourceError
        It is not a feed.
    """
    text = to_text(data, content_type).lstrip("\ufeff\0 \t\r\n")
    try:
        return read_json(text) if text[:1] in ("{", "[") else read_xml(text, base_url)
    except NotAFeed as error:
        message = f"{origin}: not a readable feed: {error}"
        raise SourceError(message, kind=Failure.NOT_A_FEED) from error


def read_feed(
    data: bytes, origin: str, base_url: str | None, config: SourceConfig, now: datetime
) -> Iterator[RawItem | DeadItem]:
    """Yield the items of one feed document; see `parse_feed`."""
    yield from items_of(parse_feed(data, origin, base_url), origin, base_url, config, now)


def items_of(
    feed: Feed, origin: str, base_url: str | None, config: SourceConfig, now: datetime
) -> Iterator[RawItem | DeadItem]:
    """Yield the entries of a feed as raw items; the last of a torn one is not believed."""
    for place, entry in enumerate(feed.entries):
        if feed.torn and place == len(feed.entries) - 1:
            detail = "the feed ends in the middle of this item"
            yield dead_item(DeadReason.BAD_FEED, detail, origin, entry.title, now)
            return
        yield _item(entry, origin, base_url, config, feed.language)


def _item(
    entry: Entry, origin: str, base_url: str | None, config: SourceConfig, language: str | None
) -> RawItem:
    source = canonical_url(entry.source_url)
    return RawItem(
        source=config.name,
        origin=origin,
        title=entry.title or beginning(entry.summary),
        summary=entry.summary,
        url=_joined(base_url, entry.link) or None,
        guid=entry.guid or None,
        published=entry.published or None,
        publisher=(domain_of(source) if source else None) or config.publisher,
        language=config.language or entry.language or language,
        author=entry.author,
    )


def _joined(base_url: str | None, link: str) -> str:
    try:
        return urljoin(base_url, link) if base_url and link else link
    except ValueError:
        return ""
