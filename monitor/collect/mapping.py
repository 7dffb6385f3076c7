"""From the records of somebody's JSON to items: which field is what, as the configuration says.

A *path* names a value by keys and places, ``data.children`` or ``authors.0.name``; several paths with bars
between them (``title|headline``) are tried in turn until one gives something.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

from pydantic import Field

from monitor.collect.html_text import beginning
from monitor.collect.options import Options
from monitor.collect.raw import RawItem
from monitor.collect.source import Failure, SourceConfig, SourceError

MAX_ITEMS = 10_000
_MILLISECONDS_FROM = 1e11  # as seconds that were the year 5138


class Fields(Options):
    """Where in a record things are; each a path, or several with bars between them."""

    title: str = Field("title|headline|name", description="The headline.")
    summary: str = Field(
        "summary|description|text|content", description="Lead or text; HTML or not."
    )
    url: str = Field("url|link", description="Where the item is; may be relative to the location.")
    guid: str = Field("guid|id|uuid", description="What the publisher calls it.")
    published: str = Field(
        "published_at|publishedAt|published|date|created_at|datetime|time",
        description="When it was published: any date, or Unix seconds or milliseconds.",
    )
    publisher: str = Field("", description="Who published it.")
    language: str = Field("language|lang", description="Language code.")


class Records(Options):
    """How a JSON document holds its records."""

    items: str = Field(
        "", description="Path of the list of records; empty: the document is the list."
    )
    columns: str = Field(
        "",
        description="Path of the names of the columns, where records are rows: lists of values.",
    )
    inside: str = Field("", description="Path inside each record of what the fields are in.")
    error: str = Field(
        "", description="Path of the service's own message where there are no records."
    )
    fields: Fields = Field(
        default_factory=lambda: Fields(**{}),
        description='Which field is what: `{ title = "PATH", ... }`.',
    )
    time_zone: ZoneInfo = Field(ZoneInfo("UTC"), description="Zone of dates that name none.")


def read_records(document: Any, records: Records, origin: str) -> list[Mapping[str, Any]]:
    """Return the records of a document.

    Raises
    ------
    SourceError
        There is no list where it should be; says what is there, and the service's own message.

    Examples
    --------
    >>> told = Records(items="data.rows", columns="data.names")
    >>> read_records({"data": {"names": ["title", "id"], "rows": [["Profit falls", 7]]}}, told, "x")
    [{'title': 'Profit falls', 'id': 7}]
    """
    found = value_at(document, records.items) if records.items else document
    said = value_at(document, records.error) if records.error else None
    if said and not found:
        raise SourceError(f"{origin}: the service says: {str(said)[:200]}", kind=Failure.REFUSED)
    if found is None and isinstance(document, Mapping) and records.items:
        keys = ", ".join(str(key) for key in list(document)[:10]) or "nothing"
        if records.items.split(".")[0] not in document:
            raise SourceError(
                f"{origin}: there is no list at {records.items!r}; the answer holds: {keys[:200]}",
                kind=Failure.NOTHING_FOUND,
            )
        found = []
    if not isinstance(found, list):
        where = f"at {records.items!r}" if records.items else "at its top: name its path in items"
        raise SourceError(f"{origin}: the answer holds no list {where}", kind=Failure.NOTHING_FOUND)
    found = found[:MAX_ITEMS]
    if records.columns:
        names = value_at(document, records.columns)
        if not isinstance(names, list):
            raise SourceError(
                f"{origin}: there are no names of columns at {records.columns!r}",
                kind=Failure.NOTHING_FOUND,
            )
        found = [
            dict(zip(map(str, names), row, strict=False)) for row in found if isinstance(row, list)
        ]
    if records.inside:
        found = [value_at(each, records.inside) for each in found]
    return [each for each in found if isinstance(each, Mapping)]


def items_of(
    records: list[Mapping[str, Any]], told: Records, config: SourceConfig, origin: str
) -> Iterator[RawItem]:
    """Yield an item of each record; what is wrong with its text or date is found when it is read."""
    fields = told.fields
    for record in records:
        summary = text_at(record, fields.summary)
        url = text_at(record, fields.url)
        yield RawItem(
            source=config.name,
            origin=origin,
            title=text_at(record, fields.title) or beginning(summary),
            summary=summary,
            url=_joined(config.location, url) or None,
            guid=text_at(record, fields.guid) or None,
            published=_moment(value_at(record, fields.published), told.time_zone),
            publisher=(text_at(record, fields.publisher) if fields.publisher else "")
            or config.publisher,
            language=config.language or text_at(record, fields.language) or None,
        )


def value_at(value: Any, paths: str) -> Any:
    """Return what is at the first of some paths that leads to something, else ``None``.

    Examples
    --------
    >>> value_at({"a": {"b": ["x", "y"]}}, "a.c|a.b.1")
    'y'
    """
    for path in paths.split("|"):
        found = value
        for part in path.strip().split("."):
            if isinstance(found, Mapping):
                found = found.get(part)
            elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
                found = found[int(part)]
            else:
                found = None
        if found not in (None, ""):
            return found
    return None


def text_at(value: Any, paths: str) -> str:
    """Return the text or number at some paths, ``""`` where there is neither."""
    found = value_at(value, paths)
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return ""
    return str(found).strip()


def _moment(value: Any, zone: ZoneInfo) -> str | datetime | None:
    if isinstance(value, str):
        return _in_zone(value, zone)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    seconds = value / 1000 if abs(value) > _MILLISECONDS_FROM else value
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return str(value)


def _in_zone(text: str, zone: ZoneInfo) -> str | datetime:
    """Give a date that names no zone the one of the configuration."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return text  # read, or refused by name, where all dates are
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _joined(base: str, url: str) -> str:
    try:
        return urljoin(base, url) if url else ""
    except ValueError:
        return ""
