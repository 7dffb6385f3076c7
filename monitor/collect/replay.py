"""Replay files: recorded news as csv or jsonl, plain or gzip, read row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import orjson

from monitor.collect.articles import dead_item
from monitor.collect.dates import parse_date
from monitor.collect.raw import RawItem
from monitor.collect.records import Line, LineFile, Torn, rows, split
from monitor.collect.source import Failure, SourceConfig, SourceError
from monitor.domain import DeadItem, DeadReason
from monitor.errors import ConfigError

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "published": ("published_at", "published", "pubdate", "date"),
    "title": ("title", "headline"),
    "summary": ("summary", "lead", "description"),
    "url": ("url", "link"),
    "guid": ("guid", "id"),
    "publisher": ("publisher", "source"),
    "language": ("language", "lang"),
}
"""What is read of a row, and the names its column may have; the first that exists counts."""

NEEDED = "a replay file needs a header row with the columns published_at (or published) and title"


class ReplaySource:
    """One replay file. Rows come in file order and unfiltered: a repeat is the store's to count.

    A cell of the ``id`` column that is an address serves as the item's URL where there is no
    ``url`` column.
    """

    once = True

    def __init__(self, config: SourceConfig) -> None:
        self.name = config.name
        self.interval_s = config.interval_s
        self.path = config.location
        self._config = config
        self._file = LineFile(self.path)

    @classmethod
    def of(cls, file: Path, language: str, publisher: str | None) -> ReplaySource:
        """Return a file as a source that is called as the file is.

        Parameters
        ----------
        language
            ISO 639-1 code of the items, or ``auto`` to tell it from each text.
        publisher
            Of items that do not say; ``None`` for that of their URL.

        Raises
        ------
        ConfigError
            There is no such file.
        """
        if not file.is_file():
            raise ConfigError(f"{file}: no such file; name a csv, csv.gz, jsonl or jsonl.gz")
        return cls(
            SourceConfig(
                name=file.name.split(".")[0],
                kind="replay",
                location=str(file),
                language=None if language == "auto" else language,
                publisher=publisher,
            )
        )

    def poll(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        """Yield every row; see `monitor.collect.source.Source.poll`."""
        self._file = LineFile(self.path)
        lines = self._file.lines()
        first = next(lines, None)
        if first is None:
            raise SourceError(f"{self.path}: the file is empty; {NEEDED}", kind=Failure.UNREADABLE)
        for item in self._jsonl(first, lines) if self._is_jsonl(first) else self._csv(first, lines):
            yield self._dead(item, now) if isinstance(item, Torn) else item

    def progress(self) -> tuple[int, int]:
        """Return (bytes read, bytes in all) of the file on disk; (0, 0) before the first row."""
        return self._file.bytes_read, self._file.bytes_total

    def close(self) -> None:
        """Nothing is held between visits."""

    def _is_jsonl(self, first: Line | Torn) -> bool:
        name = self.path.lower().removesuffix(".gz")
        if name.endswith((".jsonl", ".ndjson", ".json")):
            return True
        return not name.endswith(".csv") and isinstance(first, Line) and first.text[:1] == "{"

    def _csv(self, first: Line | Torn, lines: Iterator[Line | Torn]) -> Iterator[RawItem | Torn]:
        header = None if isinstance(first, Torn) else split(first.text)
        if not isinstance(header, list):
            why = first.detail if isinstance(first, Torn) else "not a row of comma-separated names"
            raise SourceError(f"{self.path}:{first[0]}: {why}; {NEEDED}", kind=Failure.UNREADABLE)
        places = self._places(header)
        date_at = places["published"]

        def is_record(fields: list[str]) -> bool:
            try:
                parse_date(fields[date_at])
            except (ValueError, OverflowError, OSError):
                return False
            return True

        def at(name: str) -> int:
            return places.get(name, width)

        width = len(header)
        title_at, url_at, guid_at, summary_at = at("title"), at("url"), at("guid"), at("summary")
        publisher_at, language_at = at("publisher"), at("language")
        has_url = "url" in places
        config, path = self._config, self.path
        for row in rows(lines, width, is_record):
            if isinstance(row, Torn):
                yield row
                continue
            number, fields = row
            fields.append("")  # what a missing column reads
            guid = fields[guid_at] or None
            yield RawItem(
                config.name,
                f"{path}:{number}",
                fields[title_at],
                fields[summary_at],
                (fields[url_at] or None) if has_url else _address(guid),
                guid,
                fields[date_at] or None,
                fields[publisher_at] or config.publisher,
                fields[language_at] or config.language,
            )

    def _places(self, header: list[str]) -> dict[str, int]:
        names = [name.strip().lower() for name in header]
        places: dict[str, int] = {}
        for wanted, aliases in COLUMNS.items():
            for alias in aliases:
                if alias in names:
                    places[wanted] = names.index(alias)
                    break
        missing = [name for name in ("published", "title") if name not in places]
        if missing:
            found = ", ".join(names)[:200]
            lacks = " and ".join(missing)
            raise SourceError(
                f"{self.path}: no {lacks} in the header ({found}); {NEEDED}",
                kind=Failure.UNREADABLE,
            )
        return places

    def _jsonl(self, first: Line | Torn, lines: Iterator[Line | Torn]) -> Iterator[RawItem | Torn]:
        line: Line | Torn | None = first
        while line is not None:
            yield line if isinstance(line, Torn) else self._json_row(line)
            line = next(lines, None)

    def _json_row(self, line: Line) -> RawItem | Torn:
        try:
            record = orjson.loads(line.text)
        except orjson.JSONDecodeError as error:
            return Torn(line.number, DeadReason.TORN_ROW, f"not JSON: {error}", line.text)
        if not isinstance(record, dict):
            detail = "not a JSON object with title and published"
            return Torn(line.number, DeadReason.SCHEMA, detail, line.text)
        values: dict[str, str | None] = {}
        for wanted, aliases in COLUMNS.items():
            value = next((record[name] for name in aliases if record.get(name) is not None), None)
            is_scalar = isinstance(value, str | int | float) and not isinstance(value, bool)
            if value is not None and not is_scalar:
                detail = f"{wanted} is neither text nor a number"
                return Torn(line.number, DeadReason.SCHEMA, detail, line.text)
            values[wanted] = str(value) if value not in (None, "") else None
        return RawItem(
            self.name,
            f"{self.path}:{line.number}",
            values["title"] or "",
            values["summary"] or "",
            values["url"] or _address(values["guid"]),
            values["guid"],
            values["published"],
            values["publisher"] or self._config.publisher,
            values["language"] or self._config.language,
        )

    def _dead(self, torn: Torn, now: datetime) -> DeadItem:
        return dead_item(torn.reason, torn.detail, f"{self.path}:{torn.line}", torn.payload, now)


def _address(guid: str | None) -> str | None:
    return guid if guid is not None and guid.startswith(("http://", "https://")) else None
