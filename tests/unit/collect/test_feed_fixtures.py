"""Every feed of the fixtures: items or one clear reason, in bounds, and as feedparser reads them."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import feedparser
import pytest

from monitor.collect.articles import to_article
from monitor.collect.dates import DateRules
from monitor.collect.feed_document import read_feed
from monitor.collect.fetch import unpack
from monitor.collect.html_text import text_of_html
from monitor.collect.raw import RawItem
from monitor.collect.source import Failure, SourceConfig, SourceError
from monitor.domain import DeadItem

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
CONFIG = SourceConfig("f", "feed", "mem", language="en")
MAX_S = 1.0
MAX_KIB = 200 * 1024


def real(shared_data: Path) -> Iterator[tuple[str, bytes]]:
    for folder in ("feeds_finance", "feeds_misc"):
        for path in sorted((shared_data / "fixtures" / folder).iterdir()):
            yield path.name, unpack(path.name, path.read_bytes())


def odd(shared_data: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(shared_data / "fixtures" / "feedparser_tests.tar.gz") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name.endswith(".xml") else None
            if file is not None:
                yield member.name, file.read()


def read(name: str, data: bytes) -> list[RawItem | DeadItem] | SourceError:
    """Return the items, or the one reason why there are none; never slowly."""
    began = time.perf_counter()
    found: list[RawItem | DeadItem] | SourceError
    try:
        found = list(read_feed(data, name, "https://a.example/feed", CONFIG, NOW))
        for item in found:
            if isinstance(item, RawItem):
                to_article(item, NOW, DateRules())
    except SourceError as error:
        assert str(error).startswith(f"{name}: not a readable feed: ") and len(str(error)) < 500
        assert error.kind is Failure.NOT_A_FEED
        found = error
    assert time.perf_counter() - began < MAX_S, name
    return found


def test_real_feeds_give_items_or_a_reason(shared_data: Path) -> None:
    found = {name: read(name, data) for name, data in real(shared_data)}
    refused = {name: str(each) for name, each in found.items() if isinstance(each, SourceError)}
    assert {name: said.rpartition(": ")[2] for name, said in refused.items()} == {
        "bloomberg.xml": "its root element is 'urlset'",
        "nodefp_notafeed.html": "it is a web page",
        "rssparser_unrecognized.rss": "its root element is 'head'",
    }
    assert all(found.values())
    assert len(found) == 64


def test_entries_and_titles_are_those_of_feedparser(shared_data: Path) -> None:
    """On feeds that are well-formed, of the real ones and of feedparser's own tests."""
    compared, differ = 0, []
    for name, data in (*real(shared_data), *odd(shared_data)):
        theirs = feedparser.parse(data)
        ours = read(name, data)
        if theirs.bozo or not theirs.version:
            continue
        compared += 1
        titles = [text_of_html(entry.get("title", "")) for entry in theirs.entries]
        if isinstance(ours, SourceError):
            differ.append(f"{name}: {ours}")
            continue
        # An item without a title has one here: the beginning of its summary.
        same = len(ours) == len(titles) and all(
            isinstance(item, RawItem) and text_of_html(item.title) == title
            for item, title in zip(ours, titles, strict=True)
            if title
        )
        if not same:
            differ.append(name)
    assert compared > 1_700
    assert len(differ) <= compared // 100, differ


def test_feeds_without_a_declared_encoding_are_sniffed(shared_data: Path) -> None:
    titles = {}
    for name, data in odd(shared_data):
        if "/chardet/" in name:
            items = read(name, data)
            if isinstance(items, list) and items and isinstance(items[0], RawItem):
                titles[Path(name).stem] = items[0].title
    assert titles["gb2312"].startswith("不归移民")
    assert titles["eucjp"] == "ゲーム三昧な正月"
    assert titles["koi8r"] == "Как пережить новогоднюю ночь"
    assert titles["shiftjis"].startswith("DrecomRSSに記事")
    assert "�" not in "".join(titles.values())


def test_reading_all_of_them_stays_small(shared_data: Path) -> None:
    code = """
import pathlib, re, sys
from tests.unit.collect.test_feed_fixtures import odd, read, real
for name, data in (*real(pathlib.Path(sys.argv[1])), *odd(pathlib.Path(sys.argv[1]))):
    read(name, data)
# Not ru_maxrss: that begins with the size of the process that started this one.
print(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
"""
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux says how large a process has been")
    done = subprocess.run(
        [sys.executable, "-c", code, str(shared_data)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert int(done.stdout) < MAX_KIB
