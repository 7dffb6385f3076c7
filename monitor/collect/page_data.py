"""What a page says of itself for machines: JSON-LD (schema.org) and the head's meta elements."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from lxml import etree

from monitor.collect.dates import CHINA, parse_date
from monitor.collect.languages import primary_language

MAX_SCRIPT_CHARS = 500_000
MAX_OBJECTS = 2_000
MAX_AUTHOR_CHARS = 200
_ARTICLES = ("article", "posting", "report")  # NewsArticle, LiveBlogPosting, ...
_PUBLISHED = ("article:published_time", "datepublished", "parsely-pub-date", "publishdate")
_UPDATED = ("article:modified_time", "datemodified", "og:updated_time", "lastmodified")
_AUTHOR = ("author", "article:author", "parsely-author", "dc.creator", "sailthru.author")
_NO = (False, "false", "no", "http://schema.org/false", "https://schema.org/false")


@dataclass(frozen=True, slots=True)
class Stated:
    """What a page states; ``None`` or empty where it states nothing that can be read.

    Parameters
    ----------
    author
        Names, joined by commas.
    published, updated
        Aware UTC. A time without a zone is China Standard Time on a page that says it is Chinese, else UTC.
    language
        ISO 639-1.
    free
        Whether all of it is shown to everybody (``isAccessibleForFree``).
    """

    author: str = ""
    published: datetime | None = None
    updated: datetime | None = None
    language: str | None = None
    free: bool | None = None


def read_stated(tree: etree._Element) -> Stated:
    """Return what a page states of itself. JSON-LD goes before the head.

    Examples
    --------
    >>> from lxml import html
    >>> page = html.fromstring('<html lang="en-GB"><meta property="article:modified_time" '
    ...                        'content="2026-01-05T09:30:00Z"><p>x</p></html>')
    >>> stated = read_stated(page); stated.language, stated.updated.isoformat()
    ('en', '2026-01-05T09:30:00+00:00')
    """
    linked = _linked(tree)
    head = _head(tree)
    language = primary_language(_text(linked.get("inLanguage")) or tree.get("lang"))
    zone = CHINA if language == "zh" else UTC
    free = linked.get("isAccessibleForFree")
    if isinstance(free, str):
        free = free.lower()
    return Stated(
        _names(linked.get("author")) or _first(head, _AUTHOR)[:MAX_AUTHOR_CHARS],
        _date(linked.get("datePublished"), zone) or _date(_first(head, _PUBLISHED), zone),
        _date(linked.get("dateModified"), zone) or _date(_first(head, _UPDATED), zone),
        language,
        None if free in (None, "") else free not in _NO,
    )


def _linked(tree: etree._Element) -> Mapping[str, Any]:
    """Return the first article that the page's JSON-LD describes."""
    for script in tree.iter("script"):
        if "ld+json" not in (script.get("type") or ""):
            continue
        text = (script.text or "")[:MAX_SCRIPT_CHARS]
        try:
            data = json.loads(text, strict=False)  # many have bare line ends in their texts
        except (ValueError, RecursionError):
            continue
        for each in _objects(data):
            kinds = each.get("@type")
            for kind in kinds if isinstance(kinds, list) else [kinds]:
                if isinstance(kind, str) and kind.lower().endswith(_ARTICLES):
                    return each
    return {}


def _objects(data: Any) -> Iterator[Mapping[str, Any]]:
    waiting = [data]
    for _ in range(MAX_OBJECTS):
        if not waiting:
            return
        each = waiting.pop(0)
        if isinstance(each, dict):
            yield each
            waiting += [value for value in each.values() if isinstance(value, dict | list)]
        elif isinstance(each, list):
            waiting += each


def _head(tree: etree._Element) -> dict[str, str]:
    """Return what meta elements say, by their name in lower case; the first of a name counts."""
    found: dict[str, str] = {}
    for meta in tree.iter("meta"):
        name = meta.get("property") or meta.get("name") or meta.get("itemprop") or ""
        content = (meta.get("content") or "").strip()
        if content:
            found.setdefault(name.lower(), content)
    return found


def _first(head: Mapping[str, str], names: tuple[str, ...]) -> str:
    # An author may be the address of a profile.
    said = (head.get(name, "") for name in names)
    return next((text for text in said if text and "://" not in text), "")


def _names(value: Any) -> str:
    given = value if isinstance(value, list) else [value]
    names = [_text(each.get("name") if isinstance(each, dict) else each) for each in given[:10]]
    found = dict.fromkeys(name for name in names if name and "://" not in name)
    return ", ".join(found)[:MAX_AUTHOR_CHARS]


def _text(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""


def _date(value: Any, zone: tzinfo) -> datetime | None:
    try:
        return parse_date(value, zone) if isinstance(value, str) and value else None
    except (ValueError, OverflowError, OSError):
        return None
