"""Lists of feeds: OPML, the starter list, and how they become ``[[sources]]`` of a settings file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from lxml import etree

from monitor.collect.source import SourceConfig
from monitor.errors import ConfigError

STARTER = Path(__file__).with_name("starter.yaml")
MAX_OPML_BYTES = 10 * 2**20
_UNNAMED = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class ListedFeed:
    """A feed of a list.

    Parameters
    ----------
    about, licence
        What it brings, and on which terms, in words.
    """

    name: str
    location: str
    language: str | None = None
    publisher: str | None = None
    credibility: float | None = None
    about: str = ""
    licence: str = ""


@cache
def starter() -> tuple[ListedFeed, ...]:
    """Return the public feeds that come with Foreshock; none of them is read unasked."""
    listed: Mapping[str, Mapping[str, object]] = yaml.safe_load(STARTER.read_text("utf-8"))
    return tuple(ListedFeed(name, **told) for name, told in listed.items())  # type: ignore[arg-type]


def read_opml(data: bytes, where: str) -> list[ListedFeed]:
    """Return the feeds of an OPML document (OPML 2.0, subscription lists), each address once.

    Raises
    ------
    ConfigError
        It is not OPML, or no feed is in it.
    """
    if len(data) > MAX_OPML_BYTES:
        raise ConfigError(f"{where}: more than {MAX_OPML_BYTES:,} bytes")
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(data.strip(), parser)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    if root is None or str(root.tag).lower() != "opml":
        raise ConfigError(f"{where}: not an OPML document")
    found: dict[str, ListedFeed] = {}
    for outline in root.iter("outline"):
        told = {name.lower(): value.strip() for name, value in outline.attrib.items()}
        location = told.get("xmlurl", "")
        if location.startswith(("http://", "https://")):
            name = told.get("title") or told.get("text") or location
            found.setdefault(location, ListedFeed(name, location, told.get("language") or None))
    if not found:
        raise ConfigError(f"{where}: no outline has the address of a feed (xmlUrl)")
    return list(found.values())


def write_opml(sources: Iterable[SourceConfig]) -> str:
    """Return the feeds among some sources as OPML 2.0.

    Examples
    --------
    >>> text = write_opml([SourceConfig("wire", "feed", "https://a.example/rss", language="en")])
    >>> read_opml(text.encode(), "x")
    [ListedFeed(name='wire', location='https://a.example/rss', language='en', ...)]
    """
    root = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(root, "head"), "title").text = "Foreshock"
    body = etree.SubElement(root, "body")
    for source in sources:
        if source.kind == "feed" and source.location.startswith(("http://", "https://")):
            told = {"type": "rss", "text": source.name, "xmlUrl": source.location}
            if source.language:
                told["language"] = source.language
            etree.SubElement(body, "outline", told)
    text: str = etree.tostring(root, pretty_print=True, encoding="unicode")
    return text


def new_feeds(
    feeds: Iterable[ListedFeed], sources: Iterable[SourceConfig]
) -> tuple[list[ListedFeed], list[ListedFeed]]:
    """Return the feeds that are not among the sources yet, with names of their own, and those that are."""
    sources = list(sources)
    names = {source.name for source in sources}
    locations = {source.location for source in sources}
    new, known = [], []
    for feed in feeds:
        if feed.location in locations:
            known.append(feed)
            continue
        locations.add(feed.location)
        name = base = _UNNAMED.sub("-", feed.name.lower()).strip("-")[:60] or "feed"
        number = 2
        while name in names:
            name, number = f"{base}-{number}", number + 1
        names.add(name)
        new.append(
            ListedFeed(
                *(name, feed.location, feed.language, feed.publisher),
                *(feed.credibility, feed.about, feed.licence),
            )
        )
    return new, known


def as_toml(feeds: Iterable[ListedFeed]) -> str:
    """Return feeds as ``[[sources]]`` of a settings file.

    Examples
    --------
    >>> print(as_toml([ListedFeed("wire", "https://a.example/rss", "en", licence="CC BY")]))
    <BLANKLINE>
    [[sources]]  # CC BY
    name = "wire"
    location = "https://a.example/rss"
    language = "en"
    """
    lines = []
    for feed in feeds:
        note = "; ".join(part for part in (feed.about, feed.licence) if part)
        lines += ["", f"[[sources]]  # {' '.join(note.split())}" if note else "[[sources]]"]
        for key in ("name", "location", "language", "publisher", "credibility"):
            value = getattr(feed, key)
            if value is not None:
                # A JSON text of printable characters is a TOML basic string.
                lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines)
