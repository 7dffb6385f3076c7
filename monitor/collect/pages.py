"""The article page a feed item links to: its text in place of the feed's teaser."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import replace

from monitor.collect.fetch import Fetcher
from monitor.collect.page_text import Access, PageText, read_page
from monitor.collect.raw import RawItem
from monitor.collect.source import SourceError
from monitor.collect.urls import canonical_url
from monitor.domain import digest

MAX_LEAD_CHARS = 5_000
_MAX_KEPT = 1_000
_OUTLINE_WORDS = 60
_WORDS = re.compile(r"[^\W\d_]+")


class Pages:
    """Fetches article pages, each once for as long as its feed item stays the same.

    Parameters
    ----------
    fetcher
        What makes the requests, with its limits.
    """

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._kept: OrderedDict[RawItem, RawItem] = OrderedDict()
        self._outlines: OrderedDict[str, str] = OrderedDict()  # of texts, and the title above them

    def complete(self, item: RawItem) -> RawItem:
        """Return the item with the page's text, and its title and date where the feed had none.

        The feed's item comes back as it is when there is no page, or none that can be read, or one that
        says what the page of another item said: a site's request to log in, whatever its words.
        """
        if item in self._kept:
            self._kept.move_to_end(item)
            return self._kept[item]
        url = canonical_url(item.url)
        if url is None:
            return item
        try:
            fetched = self._fetcher.get(url)
        except SourceError:
            return item
        page = read_page(fetched.body or b"", url, fetched.headers.get("content-type", ""))
        full = item if page is None or self._said_before(item, page) else completed(item, page)
        self._kept[item] = full
        if len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)
        return full

    def _said_before(self, item: RawItem, page: PageText) -> bool:
        """Whether the page of an item with another title had this text, numbers aside."""
        words = _WORDS.findall(page.text)[:_OUTLINE_WORDS]
        outline = digest(" ".join(words).lower())
        known = self._outlines.setdefault(outline, item.title)
        if len(self._outlines) > _MAX_KEPT:
            self._outlines.popitem(last=False)
        return known != item.title


def from_page(
    item: RawItem, body: bytes, max_chars: int = MAX_LEAD_CHARS, content_type: str = ""
) -> RawItem:
    """Return ``item`` completed from the HTML of its page: at most ``max_chars`` of its text.

    Examples
    --------
    >>> from_page(RawItem("s", "f", "T", "teaser", None, None, None), b"no page").summary
    'teaser'
    """
    page = read_page(body, item.url, content_type)
    return item if page is None else completed(item, page, max_chars)


def completed(item: RawItem, page: PageText, max_chars: int = MAX_LEAD_CHARS) -> RawItem:
    """Return ``item`` with the text of its page; what the item has of the rest stands.

    Of a page that shows a beginning only, the longer of the two beginnings is taken, and of one that shows
    no news, nothing.
    """
    if page.access is Access.WALL:
        return item
    text = page.text[:max_chars]
    if page.access is Access.STUB and len(text) < len(item.summary):
        text = ""
    return replace(
        item,
        title=item.title or page.title,
        summary=text or item.summary,
        published=item.published or page.published,
        author=item.author or page.author,
    )
