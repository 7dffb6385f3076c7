"""XML feeds to entries: RSS 0.9x, 1.0 and 2.0, Atom 0.3 and 1.0, CDF; well-formed or not.

One recovering pass of lxml. Nothing is fetched and no entity is expanded: a document that declares any is
refused, and HTML's names for characters (``&nbsp;``), which publishers use all the same, are replaced before.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from html.entities import html5
from urllib.parse import urljoin

from lxml import etree

MAX_ITEMS = 10_000

_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_DC = "http://purl.org/dc/elements/1.1/"
_TERMS = "http://purl.org/dc/terms/"
_CONTENT = "http://purl.org/rss/1.0/modules/content/"
_SYNDICATION = "http://purl.org/rss/1.0/modules/syndication/"
_MEDIA = "http://search.yahoo.com/mrss"
_BURNER = "http://rssnamespace.org/feedburner/ext/1.0"
_ITUNES = "http://www.itunes.com/DTDs/Podcast-1.0.dtd"
_XHTML = "http://www.w3.org/1999/xhtml"
_PREFIXES = {
    _DC: "dc", _TERMS: "terms", _CONTENT: "content", _SYNDICATION: "sy", _MEDIA: "media", _BURNER: "burner",
    _ITUNES: "itunes", _XHTML: "xhtml",
}  # fmt: skip
_CORE = (
    "", "http://my.netscape.com/rdf/simple/0.9/", "http://purl.org/rss/1.0/", "http://www.w3.org/2005/atom",
    "http://purl.org/atom/ns#", "http://backend.userland.com/rss", "http://backend.userland.com/rss2",
    "http://blogs.law.harvard.edu/tech/rss", "http://channel.netscape.com/rdf/simple/0.9/",
    "http://purl.org/net/rss1.1#", "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
)  # fmt: skip
_ROOTS = ("rss", "rdf", "feed", "channel")
_ITEMS = ("item", "entry")
_TITLES = ("title", "dc:title", "media:title")
_SUMMARIES = (
    "description", "summary", "abstract", "content:encoded", "content", "xhtml:body", "fullitem", "body",
    "dc:description", "media:description", "itunes:summary",
)  # fmt: skip
_DATES = (
    "pubdate", "published", "issued", "dc:date", "terms:issued", "date", "terms:created", "created",
    "updated", "modified", "terms:modified", "lastmod",
)  # fmt: skip
_UPDATES = ("updated", "modified", "terms:modified", "lastmod")
_AUTHORS = ("author", "dc:creator", "itunes:author", "creator")
_PERIODS_S = {"hourly": 3_600, "daily": 86_400, "weekly": 604_800}
_APART = re.compile(r"(<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z))", re.DOTALL)
_NUMBERED = re.compile(r"&#(?:0*[0-9]{1,8}|[xX]0*[0-9a-fA-F]{1,8});")
_REFERENCE = re.compile(r"&(?:#[xX]?[0-9a-fA-F]{1,8}|[A-Za-z][A-Za-z0-9]{1,31});")
_BARE = re.compile(rf"&(?!{_REFERENCE.pattern[1:]})")
_XML_NAMES = ("amp", "lt", "gt", "quot", "apos")
_PROLOG = re.compile(r"(?:\s|<\?[^>]*>)*(?:<!DOCTYPE\s[^<>\[]*(?:\[[^\]]*\]\s*)?>)?", re.IGNORECASE)
_CONTROL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class NotAFeed(ValueError):
    """Why a document cannot be read as a feed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One item as its feed states it; empty where the feed says nothing. Texts may be HTML."""

    title: str
    summary: str
    link: str
    guid: str
    published: str
    updated: str
    author: str
    language: str
    source_url: str  # who published it first, where the feed says so


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed: its entries in document order, and what it says of itself."""

    entries: list[Entry]
    language: str | None = None
    fresh_s: float = 0.0  # how long it stays good, as its publisher says (TTL); 0: not said
    torn: bool = False  # it ends in the middle of the last entry


def read_xml(text: str, base_url: str | None) -> Feed:
    """Return the feed in an XML document.

    Parameters
    ----------
    text
        The document.
    base_url
        What relative links are relative to, where the document does not say.

    Raises
    ------
    NotAFeed
        It is none, or declares entities.
    """
    root = _parse(text, base_url)
    kind = _local(root)
    if kind not in _ROOTS:
        raise NotAFeed(_what(kind, root))
    channel = next(
        (each for each in root.iterchildren(etree.Element) if _local(each) == "channel"), root
    )
    base = base_url or _first(_fields(channel, root), ("link",)) or None
    entries: list[Entry] = []
    for element in root.iter(etree.Element):
        if _local(element) in _ITEMS and _key(element, root) in _ITEMS:
            entries.append(_entry(element, root, base))
            if len(entries) == MAX_ITEMS:
                break
    head = _fields(channel, root)
    language = root.get(_XML_LANG) or _first(head, ("language", "dc:language")) or None
    name = str(root.tag).rpartition("}")[2]  # with its prefix already where that was never declared
    name = f"{root.prefix}:{name}" if root.prefix else name
    torn = bool(entries) and f"</{name}" not in text
    return Feed(entries, language, _fresh_s(head), torn)


def _parse(text: str, base_url: str | None) -> etree._Element:
    begins = text.find("<")
    if begins < 0:
        raise NotAFeed("it is empty" if not text.strip() else "it holds no markup")
    pieces = _APART.split(_CONTROL.sub("", text[begins:]))
    if any("<!ENTITY" in piece.upper() for piece in pieces[::2]):
        raise NotAFeed("the feed declares XML entities, which are not expanded here")
    # Bare ampersands apart: five million of them must not mean as many calls.
    known = (_REFERENCE.sub(lambda match: _xml_of(match[0]), piece) for piece in pieces[::2])
    pieces[::2] = [_BARE.sub("&amp;", piece) for piece in known]
    # What looks like CDATA may be in a broken attribute, where libxml2 would follow it to half a character.
    pieces[1::2] = [_NUMBERED.sub(lambda match: _whole(match[0]), p) for p in pieces[1::2]]
    whole = "".join(piece for piece in pieces if not piece.startswith("<!--"))
    prolog = _PROLOG.match(whole)
    whole = whole[prolog.end() :] if prolog else whole
    parser = etree.XMLParser(
        recover=True, resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False,
        encoding="utf-8", remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(whole.encode("utf-8", "replace"), parser, base_url=base_url)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotAFeed(" ".join(str(error).split())[:200]) from error
    if root is None:
        raise NotAFeed("it holds no element")
    return root


@lru_cache(maxsize=4_096)
def _xml_of(reference: str) -> str:
    """Return what stands in XML for a reference of XML or HTML; one that is unknown becomes text."""
    name = reference[1:-1]
    if name in _XML_NAMES:
        return reference
    if name.startswith("#"):
        character = html.unescape(reference)  # windows-1252's numbers too
        return html.escape(_CONTROL.sub("", character))
    if f"{name};" in html5:
        return html.escape(html5[f"{name};"])  # LT is "<", and no markup
    return f"&amp;{name};"


@lru_cache(maxsize=4_096)
def _whole(reference: str) -> str:
    """Return a reference, or nothing where it is to no character, as those to surrogates are."""
    return "" if html.unescape(reference) == "\ufffd" else reference


def _what(kind: str, root: etree._Element) -> str:
    if kind != "html":
        return f"its root element is {kind[:40]!r}"
    for link in root.iter(etree.Element):
        if _local(link) == "link" and "xml" in (link.get("type") or "") and link.get("href"):
            return f"it is a web page; its feed may be {link.get('href', '')[:200]}"
    return "it is a web page"


def _entry(item: etree._Element, root: etree._Element, base: str | None) -> Entry:
    fields = _fields(item, root)
    guid = _first(fields, ("guid", "id"))
    permanent = all(each.get("isPermaLink", "true") != "false" for each in fields.get("guid", ()))
    link = _link(item, fields)
    if not link and permanent and guid.startswith(("http://", "https://")):
        link = guid
    source = next(iter(fields.get("source", ())), None)
    about = item.get("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about") or ""
    title, summary = (_markup_of(fields, names) for names in (_TITLES, _SUMMARIES))
    return Entry(
        title=title,
        summary=summary,
        link=_absolute(link or (about if about.startswith("http") else ""), item, base),
        guid=guid,
        published=_first(fields, _DATES) or item.get("lastmod", ""),
        updated=_first(fields, _UPDATES),
        author=_first(fields, _AUTHORS),
        language=_language(item, root, fields),
        source_url="" if source is None else source.get("url", ""),
    )


def _fields(item: etree._Element, root: etree._Element) -> dict[str, list[etree._Element]]:
    fields: dict[str, list[etree._Element]] = {}
    for child in item.iterchildren(etree.Element):
        key = _key(child, root)
        if key not in _ITEMS:
            fields.setdefault(key, []).append(child)
    return fields


def _first(fields: dict[str, list[etree._Element]], names: Iterable[str]) -> str:
    """Return the first text that is not blank, by the order of names."""
    for name in names:
        for element in fields.get(name, ()):
            text = "".join(element.itertext()).strip()
            if text:
                return text
    return ""


def _markup_of(fields: dict[str, list[etree._Element]], names: Iterable[str]) -> str:
    for name in names:
        for element in fields.get(name, ()):
            text = _markup(element)
            if text:
                return text
    return ""


def _markup(element: etree._Element) -> str:
    """Return the HTML that an element holds: escaped, inline, in base64, or plain text."""
    kind, mode = (element.get(name, "").lower() for name in ("type", "mode"))
    if len(element):
        inner = html.escape(element.text or "", quote=False) + "".join(
            etree.tostring(child, encoding="unicode") for child in element
        )
        return inner.strip()
    text = (element.text or "").strip()
    encoded = mode == "base64" or (
        "/" in kind and not kind.startswith("text/") and "xml" not in kind
    )
    if encoded and text:
        try:
            return base64.b64decode(text, validate=False).decode("utf-8", "replace").strip()
        except (binascii.Error, ValueError):
            return text
    plain = kind == "text" or (kind == "text/plain" and mode != "escaped")
    return html.escape(text, quote=False) if plain else text


def _link(item: etree._Element, fields: dict[str, list[etree._Element]]) -> str:
    original = _first(fields, ("burner:origlink",))
    if original:
        return original
    by_rank: dict[int, str] = {}
    for element in fields.get("link", ()):
        href, rel = element.get("href"), element.get("rel", "alternate")
        if href and rel == "alternate":
            by_rank.setdefault(0 if "html" in element.get("type", "html") else 2, href.strip())
        elif href is None and (element.text or "").strip():
            by_rank.setdefault(1, (element.text or "").strip())
    for element in fields.get("a", ()):  # CDF
        by_rank.setdefault(3, element.get("href", ""))
    return by_rank[min(by_rank)] if by_rank else item.get("href", "").strip()


def _absolute(link: str, item: etree._Element, base: str | None) -> str:
    if not link:
        return ""
    try:
        return urljoin(item.base or base or "", link)
    except ValueError:
        return ""


def _language(
    item: etree._Element, root: etree._Element, fields: dict[str, list[etree._Element]]
) -> str:
    stated = _first(fields, ("dc:language", "language"))
    element: etree._Element | None = item
    while not stated and element is not None and element is not root:
        stated = element.get(_XML_LANG, "")
        element = element.getparent()
    return stated


def _fresh_s(head: dict[str, list[etree._Element]]) -> float:
    minutes = _first(head, ("ttl",))
    if minutes.isdecimal() and len(minutes) < 8:
        return 60.0 * int(minutes)
    period = _PERIODS_S.get(_first(head, ("sy:updateperiod",)).lower())
    if period is None:
        return 0.0
    times = _first(head, ("sy:updatefrequency",))
    return period / max(1, int(times)) if times.isdecimal() and len(times) < 8 else float(period)


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2].rpartition(":")[2].lower()


def _key(element: etree._Element, root: etree._Element) -> str:
    """Return an element's name with a short prefix for its vocabulary; none for the feed's own."""
    tag = str(element.tag)
    namespace, _, name = tag[1:].rpartition("}") if tag.startswith("{") else ("", "", tag)
    if not namespace and ":" in name:  # the prefix was never declared
        prefix, _, name = name.partition(":")
        return name.lower() if prefix in ("rss", "atom") else f"{prefix}:{name}".lower()
    prefix = _PREFIXES.get(namespace) or _PREFIXES.get(namespace.rstrip("/"), "")
    if (
        not prefix
        and namespace.lower() not in _CORE
        and not str(root.tag).startswith(f"{{{namespace}}}")
    ):
        prefix = "x"
    return f"{prefix}:{name}".lower() if prefix else name.lower()
