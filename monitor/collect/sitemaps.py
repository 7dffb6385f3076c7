"""Sitemaps: news sitemaps of Google's form, plain ones, and indexes of them (sitemaps.org, protocol 0.9)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import unquote, urlsplit

from lxml import etree
from pydantic import Field

from monitor.collect.dates import parse_date
from monitor.collect.options import Options
from monitor.collect.raw import RawItem
from monitor.collect.source import Failure, SourceConfig, SourceError
from monitor.collect.web_source import WebSource
from monitor.domain import DeadItem

MAX_DEPTH = 2


class SitemapOptions(Options):
    """Which pages of a sitemap count."""

    max_age_hours: float = Field(
        48, gt=0, description="Entries and sitemaps that were changed longer ago are left out."
    )
    max_maps: int = Field(
        20, ge=1, le=500, description="Most sitemaps of an index that one visit reads."
    )
    contains: str = Field(
        "", description="Only addresses that hold this text, such as `/markets/`."
    )


class SitemapSource(WebSource):
    """A news sitemap, or an index of sitemaps, of which the newest are read (Google News form)."""

    Options = SitemapOptions

    def __init__(self, config: SourceConfig) -> None:
        super().__init__(config)
        self.options: SitemapOptions = config.options
        self._left = 0

    def poll(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        """Yield the pages that the sitemap tells of; see `monitor.collect.source.Source.poll`."""
        self._left = self.options.max_maps
        yield from self._map(self.location, now, MAX_DEPTH)

    def _map(self, url: str, now: datetime, depth: int) -> Iterator[RawItem | DeadItem]:
        fetched = self.get(url)
        if fetched.body is None:
            return
        root = _root(fetched.body, url)
        name = _name(root)
        if name == "urlset":
            yield from self._pages(root, url, now)
        elif name == "sitemapindex":
            yield from self._index(root, url, now, depth)
            return  # its maps may be new though it is not
        else:
            raise SourceError(
                f"{url}: not a sitemap: its root is <{name}>", kind=Failure.UNREADABLE
            )
        self.keep(url, fetched)

    def _index(
        self, root: etree._Element, url: str, now: datetime, depth: int
    ) -> Iterator[RawItem | DeadItem]:
        if depth == 0:
            raise SourceError(
                f"{url}: an index in an index in an index of sitemaps; not followed",
                kind=Failure.UNREADABLE,
            )
        origin = urlsplit(self.location)[:2]
        maps = [
            (_date(_text(each, "lastmod")), _text(each, "loc")) for each in root.iter("{*}sitemap")
        ]
        known = [(at, loc) for at, loc in maps if at is None or now - at <= self._oldest()]
        # Those without a date come first: nothing says that they are old.
        for _, loc in sorted(known, key=lambda each: (each[0] is not None, -_seconds(each[0]))):
            if self._left == 0:
                return
            if urlsplit(loc)[:2] == origin:  # RFC 3986; a sitemap speaks for its own host
                self._left -= 1
                yield from self._map(loc, now, depth - 1)

    def _pages(self, root: etree._Element, url: str, now: datetime) -> Iterator[RawItem]:
        for page in root.iter("{*}url"):
            loc = _text(page, "loc")
            news = page.find("{*}news")
            stated = _text(news, "publication_date") if news is not None else _text(page, "lastmod")
            at = _date(stated)
            if self.options.contains not in loc or (at is not None and now - at > self._oldest()):
                continue
            publication = news.find("{*}publication") if news is not None else None
            yield RawItem(
                source=self.name,
                origin=url,
                title=(_text(news, "title") if news is not None else "") or _words(loc),
                summary="",
                url=loc or None,
                guid=None,
                published=stated or None,
                publisher=_text(publication, "name") or self.config.publisher,
                language=self.config.language or _text(publication, "language") or None,
            )

    def _oldest(self) -> timedelta:
        return timedelta(hours=self.options.max_age_hours)


def _root(data: bytes, origin: str) -> etree._Element:
    if b"<!ENTITY" in data[:10_000].upper():
        raise SourceError(
            f"{origin}: the sitemap declares XML entities, which are not expanded here",
            kind=Failure.UNREADABLE,
        )
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(data.strip(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SourceError(
            f"{origin}: not a readable sitemap: {error}", kind=Failure.UNREADABLE
        ) from None
    if root is None:
        raise SourceError(
            f"{origin}: not a readable sitemap: it holds no XML", kind=Failure.UNREADABLE
        )
    return root


def _name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _text(element: etree._Element | None, name: str) -> str:
    found = None if element is None else element.find(f"{{*}}{name}")
    return "" if found is None else (found.text or "").strip()


def _date(text: str) -> datetime | None:
    try:
        return parse_date(text) if text else None
    except (ValueError, OverflowError, OSError):
        return None


def _seconds(at: datetime | None) -> float:
    return at.timestamp() if at else 0.0


def _words(url: str) -> str:
    """Return the words in the last part of an address: all that a plain sitemap says of a page.

    Examples
    --------
    >>> _words("https://a.example/2026/acme-files-for-chapter-11.html")
    'acme files for chapter 11'
    """
    part = unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])
    stem = part.rpartition(".")[0] or part
    return " ".join(stem.replace("_", "-").split("-")).strip()
