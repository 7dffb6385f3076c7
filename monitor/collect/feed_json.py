"""JSON Feed (version 1.1) to entries."""

from __future__ import annotations

import html
from typing import Any

import orjson

from monitor.collect.feed_xml import MAX_ITEMS, Entry, Feed, NotAFeed


def read_json(data: str) -> Feed:
    """Return the feed in a JSON document.

    Raises
    ------
    NotAFeed
        It is none.

    Examples
    --------
    >>> read_json('{"items": [{"id": 7, "title": "T"}]}').entries[0].guid
    '7'
    """
    try:
        document = orjson.loads(data.encode("utf-8", "replace"))
    except orjson.JSONDecodeError as error:
        raise NotAFeed(f"not JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("items"), list):
        raise NotAFeed("it is JSON, and no JSON Feed: an object with a list of items")
    entries = [_entry(each) for each in document["items"][:MAX_ITEMS] if isinstance(each, dict)]
    return Feed(entries, _text(document, "language") or None)


def _entry(item: dict[str, Any]) -> Entry:
    authors = item.get("authors")
    author = (
        next((each for each in authors if isinstance(each, dict)), {})
        if isinstance(authors, list)
        else {}
    )
    plain = _text(item, "summary") or _text(item, "content_text")
    return Entry(
        title=html.escape(_text(item, "title"), quote=False),
        summary=html.escape(plain, quote=False) or _text(item, "content_html"),
        link=_text(item, "url") or _text(item, "external_url"),
        guid=_text(item, "id"),
        published=_text(item, "date_published") or _text(item, "date_modified"),
        updated=_text(item, "date_modified"),
        author=_text(author, "name"),
        language=_text(item, "language"),
        source_url="",
    )


def _text(item: dict[str, Any], name: str) -> str:
    value = item.get(name)
    return (
        str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    )
