"""The demo's items: read from ``storylines/*.yaml``, checked, and frozen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml

from monitor.demo.outlets import OUTLETS
from monitor.errors import ConfigError

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
END = datetime(2026, 3, 16, tzinfo=UTC)  # exclusive: the last item is of Sunday 15 March
STORYLINES = Path(__file__).with_name("storylines")
WATCHLIST = Path(__file__).with_name("watchlist.csv")

_REFERENCES = ("update_of", "copy_of", "revises", "repeats")
_FIELDS = {"id", "feed", "published", "dated", "title", "summary", "guid", "path", *_REFERENCES}


@dataclass(frozen=True, slots=True)
class DemoItem:
    """One thing that one outlet put into its feed at one minute.

    ``title`` is plain text; ``summary`` is HTML as the outlet's editing system wrote it.
    """

    id: str
    storyline: str  # name of the file
    feed: str  # slug of the outlet
    published: datetime  # when it appears in the feed
    dated: datetime | None  # what the feed says about that; None is no date at all
    title: str
    summary: str
    guid: str
    path: str  # of its page on the demo server
    update_of: str | None = None  # id of the first item of an UPDATE chain
    copy_of: str | None = None  # same text as that item of another outlet
    revises: str | None = None  # takes the place of that item: same guid and page, other text
    repeats: str | None = None  # that item listed a second time: same guid, page and text


def load_items(folder: Path = STORYLINES) -> tuple[DemoItem, ...]:
    """Return all items, oldest first.

    Parameters
    ----------
    folder
        Where the ``*.yaml`` files are.

    Raises
    ------
    ConfigError
        A file or an item is wrong; the message names both.
    """
    raw: dict[str, tuple[str, Mapping[str, object]]] = {}
    for file in sorted(folder.glob("*.yaml")):
        for number, entry in enumerate(_entries(file), start=1):
            name = entry.get("id") if isinstance(entry, dict) else None
            if not isinstance(entry, dict) or not isinstance(name, str) or not name:
                raise ConfigError(f"{file}: item {number} has no id: give it a unique one")
            if name in raw:
                raise ConfigError(f"{file}: the id {name!r} is used twice")
            raw[name] = (file.stem, entry)
    if not raw:
        raise ConfigError(f"{folder}: no items found")
    items = [_Reader(name, raw).item() for name in raw]
    return tuple(sorted(items, key=lambda item: (item.published, item.id)))


def visible(items: Iterable[DemoItem], feed: str, now: datetime) -> list[DemoItem]:
    """Return what an outlet shows at ``now``, newest first; revised items give way to revisions."""
    out = [item for item in items if item.feed == feed and item.published <= now]
    replaced = {item.revises for item in out}
    return sorted(
        (item for item in out if item.id not in replaced),
        key=lambda item: (item.published, item.id),
        reverse=True,
    )


def _entries(file: Path) -> list[object]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not readable as YAML: {error}") from error
    if not isinstance(content, list):
        raise ConfigError(f"{file}: a list of items is wanted")
    return content


class _Reader:
    """Makes one item of its mapping, looking up the items that it refers to."""

    def __init__(self, name: str, raw: Mapping[str, tuple[str, Mapping[str, object]]]) -> None:
        self.name = name
        self.raw = raw
        self.storyline, self.entry = raw[name]

    def item(self) -> DemoItem:
        if unknown := sorted(set(map(str, self.entry)) - _FIELDS):
            known = ", ".join(sorted(_FIELDS))
            raise self.wrong(f"unknown field {unknown[0]!r}; known are {known}")
        links = {field: self.reference(field) for field in _REFERENCES}
        feed, published = self.text("feed"), self.time("published")
        if feed not in OUTLETS:
            raise self.wrong(f"no outlet {feed!r}; there are {', '.join(OUTLETS)}")
        if not START <= published < END:
            raise self.wrong(f"published {published:%Y-%m-%d %H:%M} is not in the demo's weeks")
        first = self.earlier(links["revises"] or links["repeats"], feed, published)
        source = links["copy_of"] or links["repeats"]
        words = _Reader(source, self.raw) if source else self
        guid, path = f"{feed}-{self.name}", f"/articles/{feed}/{published:%Y/%m/%d}/{self.name}"
        return DemoItem(
            id=self.name,
            storyline=self.storyline,
            feed=feed,
            published=published,
            dated=None if self.entry.get("dated") == "missing" else self.time("dated", published),
            title=words.text("title"),
            summary=words.text("summary"),
            guid=first.guid if first else self.text("guid", guid),
            path=first.path if first else self.text("path", path),
            **links,
        )

    def earlier(self, name: str | None, feed: str, published: datetime) -> DemoItem | None:
        """Return the item whose guid and page this one shares."""
        if name is None:
            return None
        reader = _Reader(name, self.raw)
        if reader.text("feed") != feed or reader.time("published") >= published:
            raise self.wrong(f"{name!r} must be an earlier item of the same outlet")
        return reader.item()

    def text(self, field: str, default: str | None = None) -> str:
        value = self.entry.get(field, default)
        if not isinstance(value, str):
            raise self.wrong(f"{field} is missing or no text")
        return value

    def time(self, field: str, default: datetime | None = None) -> datetime:
        if field not in self.entry and default is not None:
            return default
        try:
            moment = datetime.fromisoformat(self.text(field))
        except ValueError as error:
            raise self.wrong(f"{field}: {error}; write '2026-03-02T08:05Z'") from error
        if moment.tzinfo is None:
            raise self.wrong(f"{field} has no time zone; write '2026-03-02T08:05Z'")
        return moment.astimezone(UTC)

    def reference(self, field: str) -> str | None:
        target = self.entry.get(field)
        if target is None:
            return None
        if not isinstance(target, str) or target not in self.raw or target == self.name:
            raise self.wrong(f"{field}: there is no other item {target!r}")
        return target

    def wrong(self, what: str) -> ConfigError:
        return ConfigError(f"{self.storyline}.yaml: item {self.name!r}: {what}")
