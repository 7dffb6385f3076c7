"""Near repeats on a year of real feeds: what is news stays, what is re-posted goes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.collect.articles import to_article
from monitor.collect.dates import DateRules
from monitor.collect.raw import RawItem
from monitor.collect.repeats import Repeats
from monitor.domain import Article

ARCHIVE = "replay/rss_archive_2025_2026.jsonl.gz"
NOW = datetime(2026, 9, 1, tzinfo=UTC)


@pytest.fixture
def items(shared_data: Path) -> list[Article]:
    return list(_read(shared_data / ARCHIVE))


def test_nothing_of_the_archive_is_taken_for_a_near_repeat(items: list[Article]) -> None:
    by_source: dict[str, dict[tuple[str, str], Article]] = {}
    for item in items:
        by_source.setdefault(item.source, {})[item.id, item.revision] = item
    for found in by_source.values():
        repeats = Repeats()
        for item in sorted(found.values(), key=lambda each: each.published_at):
            fresh = repeats.fresh([item])
            repeats.remember(fresh)
            assert fresh, (item.title, item.url)


def test_what_is_posted_again_is_found_and_another_number_is_not(items: list[Article]) -> None:
    long = [item for item in items if len(item.lead.split()) >= 60 or len(item.lead) >= 500]
    found = told = 0
    for item in long:
        repeats = Repeats()
        repeats.remember([item])
        again = replace(item, id="again", published_at=item.published_at + timedelta(hours=1))
        around = replace(again, revision="2", lead=f"Markets: {item.lead} Read more on our site.")
        found += not repeats.fresh([around])
        half = len(item.lead) // 2
        other = f"{item.lead[:half]} 987654 {item.lead[half:]}"
        told += bool(repeats.fresh([replace(again, revision="3", lead=other)]))
    print(f"{found} of {len(long)} found")
    assert len(long) > 500
    assert found >= 0.9 * len(long)
    assert told == len(long)


def _read(path: Path) -> Iterator[Article]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            raw = RawItem(
                row["source"],
                ARCHIVE,
                row["title"],
                row["summary"] or "",
                row["link"],
                None,
                row["published"],
            )
            made = to_article(raw, NOW, DateRules())
            if isinstance(made, Article):
                yield made
