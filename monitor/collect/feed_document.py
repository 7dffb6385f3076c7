"""One RSS, Atom or JSON feed, as bytes, to raw items.

fastfeedparser finds the items; it neither sanitises (`monitor.collect.html_text` does) nor says
what was wrong. Three things it hides are seen here with a second, recovering pass of lxml:

- It guesses at dates ("Monday" becomes a day of next week): the date as written is taken instead.
- It cuts text at an entity it does not know: a feed that declares entities is refused, bombs among
them.
- It takes a document that ends in the middle: the last item of such a feed is not believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urljoin

import fastfeedparser
from lxml import etree

from monitor.collect.articles import dead_item
from monitor.collect.html_text import text_of_html
from monitor.collect.raw import RawItem
from monitor.collect.source import SourceConfig, SourceError
from monitor.collect.urls import canonical_url, domain_of
from monitor.domain import DeadItem, DeadReason

TITLE_FROM_SUMMARY_CHARS = 120

_ROOT = re.compile(rb"<([A-Za-z_][\w:.\-]*)")
_DATES = ("pubdate", "published", "issued", "date", "updated", "modified")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class _Stated:
    """What an item says in its own words."""

    published: str | None
    publisher: str | None


def read_feed(
    data: bytes, origin: str, base_url: str | None, config: SourceConfig, now: datetime
) -> Iterator[RawItem | DeadItem]:
    """Yield the items of one feed document.

    Parameters
    ----------
    data
        The document.
    origin
        Its address or path, for messages.
    base_url
        What relative links are relative to.

    Raises
    ------
    SourceError
        It is not a feed.
    """
    data = _as_utf8(data)
    _refuse_entities(data, origin)
    try:
        feed = fastfeedparser.parse(
            data, include_tags=False, include_media=False, include_enclosures=False
        )
        entries = list(feed.entries)
    except Exception as error:  # hostile input: whatever its parser stumbles over is a bad feed
        detail = " ".join(str(error).split())[:200] or type(error).__name__
        raise SourceError(f"{origin}: not a readable feed: {detail}") from error
    stated, language = _second_pass(data)
    language = config.language or language or feed.feed.get("language")
    torn = entries and _ends_in_the_middle(data)
    for place, entry in enumerate(entries):
        if torn and place == len(entries) - 1:
            detail = "the feed ends in the middle of this item"
            yield dead_item(DeadReason.BAD_FEED, detail, origin, _text(entry, "title"), now)
            return
        own = stated[place] if len(stated) == len(entries) else None
        yield _item(entry, own, origin, base_url, config, language)


def _item(
    entry: dict[str, object],
    own: _Stated | None,
    origin: str,
    base_url: str | None,
    config: SourceConfig,
    language: str | None,
) -> RawItem:
    link = _text(entry, "link")
    guid = _text(entry, "id")
    if not link and guid.startswith(("http://", "https://")):
        link = guid
    if link and base_url:
        try:
            link = urljoin(base_url, link)
        except ValueError:
            link = ""
    summary = _text(entry, "description") or _content(entry)
    title = _text(entry, "title") or _beginning(summary)
    return RawItem(
        source=config.name,
        origin=origin,
        title=title,
        summary=summary,
        url=link or None,
        guid=guid or None,
        published=own.published
        if own
        else _text(entry, "published") or _text(entry, "updated") or None,
        publisher=(own.publisher if own else None) or config.publisher,
        language=language,
    )


def _text(entry: dict[str, object], key: str) -> str:
    value = entry.get(key)
    return value.strip() if isinstance(value, str) else ""


def _content(entry: dict[str, object]) -> str:
    content = entry.get("content")
    if isinstance(content, list):
        for part in content:
            if isinstance(part, dict) and isinstance(part.get("value"), str) and part["value"]:
                return str(part["value"])
    return ""


def _beginning(summary: str) -> str:
    text = text_of_html(summary)
    if len(text) <= TITLE_FROM_SUMMARY_CHARS:
        return text
    space = text.rfind(" ", TITLE_FROM_SUMMARY_CHARS // 2, TITLE_FROM_SUMMARY_CHARS)
    return text[: space if space > 0 else TITLE_FROM_SUMMARY_CHARS].rstrip() + "…"


def _as_utf8(data: bytes) -> bytes:
    """UTF-16 and a byte order mark out of the way: the checks below look for ASCII markup."""
    if data.startswith(_UTF16):
        text = data.decode("utf-16", "replace")
        return re.sub(r"^\s*<\?xml.*?\?>", "", text, count=1, flags=re.DOTALL).encode()
    return data.removeprefix(b"\xef\xbb\xbf")


def _refuse_entities(data: bytes, origin: str) -> None:
    root = _ROOT.search(data)
    if b"<!ENTITY" in data[: root.start() if root else len(data)].upper():
        raise SourceError(f"{origin}: the feed declares XML entities, which are not expanded here")


def _ends_in_the_middle(data: bytes) -> bool:
    root = _ROOT.search(data)
    return root is not None and b"</" + root[1] not in data and not data.lstrip().startswith(b"{")


def _second_pass(data: bytes) -> tuple[list[_Stated], str | None]:
    """Dates and publishers as written, in document order, and the feed's language."""
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(data.lstrip(), parser)
    except (etree.XMLSyntaxError, ValueError):
        return [], None
    if root is None:
        return [], None
    stated: list[_Stated] = []
    language = root.get("{http://www.w3.org/XML/1998/namespace}lang")
    for element in root.iter(etree.Element):
        name = _name(element)
        if name in ("item", "entry"):
            stated.append(_stated(element))
        elif name == "language" and language is None and not stated:
            language = (element.text or "").strip() or None
    return stated, language


def _stated(item: etree._Element) -> _Stated:
    dates: dict[str, str] = {}
    publisher = None
    for child in item.iterchildren(etree.Element):
        name = _name(child)
        if name in _DATES and child.text and child.text.strip():
            dates.setdefault(name, child.text.strip())
        elif name == "source":
            url = canonical_url(child.get("url"))
            publisher = domain_of(url) if url else None
    return _Stated(next((dates[name] for name in _DATES if name in dates), None), publisher)


def _name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2].rpartition(":")[2].lower()
