"""Fuzz of what parses the web: whatever a feed, page or date holds, it gives news or one clear reason, soon.

``bash tests/run slow`` fuzzes for `FUZZ_S` seconds in all (``FORESHOCK_FUZZ_S`` changes that); the fast suite
looks at some examples of each.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from monitor.collect.articles import to_article
from monitor.collect.dates import DateRules, dateline, parse_date
from monitor.collect.feed_document import items_of, parse_feed
from monitor.collect.html_text import _TAG
from monitor.collect.page_text import read_page
from monitor.collect.pages import completed
from monitor.collect.raw import RawItem
from monitor.collect.source import Failure, SourceConfig, SourceError
from monitor.collect.urls import named_date
from monitor.domain import Article
from monitor.stream.codec import ARTICLE, DEAD
from tests.support import fuzz

FUZZ_S = float(os.environ.get("FORESHOCK_FUZZ_S", 600))
LONGEST_S = 2.0  # of processor time, for documents of some kilobytes
ROUND = 200
NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
CONFIG = SourceConfig("f", "feed", "https://a.example/feed")
ITEM = RawItem("s", "o", "", "", "https://a.example/1", None, None)


def becomes_an_article_or_dead(raw: RawItem) -> None:
    made = to_article(raw, NOW, DateRules())
    if not isinstance(made, Article):
        assert DEAD.decode(DEAD.encode(made)) == made
        return
    assert ARTICLE.decode(ARTICLE.encode(made)) == made
    assert made.title and made.published_at <= NOW
    assert not any(_TAG.search(text) for text in (made.title, made.lead))


def feed(data: bytes, header: str) -> None:
    try:
        read = parse_feed(data, "x", "https://a.example/feed", header)
    except SourceError as error:
        assert error.kind is Failure.NOT_A_FEED and len(str(error)) < 500
        return
    for item in items_of(read, "x", "https://a.example/feed", CONFIG, NOW):
        if isinstance(item, RawItem):
            becomes_an_article_or_dead(item)


def page(data: bytes, header: str) -> None:
    read = read_page(data, "https://a.example/1", header)
    if read is not None:
        assert all(at is None or at.tzinfo is UTC for at in (read.published, read.updated))
        becomes_an_article_or_dead(completed(ITEM, read))


def date(text: str) -> None:
    try:
        assert parse_date(text).tzinfo is UTC
    except ValueError as error:
        assert len(str(error)) < 300
    dateline(text)
    named_date(text)


headers = st.sampled_from(fuzz.HEADERS)
KINDS: dict[str, tuple[Callable[..., None], tuple[st.SearchStrategy[Any], ...]]] = {
    "feed": (feed, (fuzz.feeds(), headers)),
    "page": (page, (fuzz.pages(), headers)),
    "date": (date, (fuzz.dates,)),
}


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """Load what the first document would wait for: the model of languages, tables of encodings."""
    for data in ("<p>Profit falls</p>" * 30).encode(), "<p>央行降准</p>".encode("gb18030"):
        page(b"<html><title>Acme falls</title><article>" + data + b"</article></html>", "")
        feed(
            b"<rss><channel><item><title>Profit falls" + data + b"</title></item></channel></rss>",
            "",
        )


def soon(check: Callable[..., None]) -> Callable[..., None]:
    def timed(*made: Any) -> None:
        began = (
            time.thread_time()
        )  # other threads of the process, such as an ended test's, do not count
        check(*made)
        assert time.thread_time() - began < LONGEST_S

    return timed


def examined(kind: str, examples: int) -> Callable[[], None]:
    check, made = KINDS[kind]
    given_some = given(st.tuples(*made))(lambda each: soon(check)(*each))
    quiet = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    return quiet(given_some)


@pytest.mark.parametrize("kind", KINDS)
def test_some_documents_that_nobody_would_write(kind: str) -> None:
    examined(kind, 300 if kind == "date" else 30)()


@pytest.mark.slow
@pytest.mark.timeout(FUZZ_S + 300)
@pytest.mark.parametrize("kind", KINDS)
def test_many_documents_that_nobody_would_write(kind: str) -> None:
    ends_at = time.monotonic() + FUZZ_S / len(KINDS)
    rounds = 0
    while time.monotonic() < ends_at:
        seed(time.time_ns())(examined(kind, ROUND))()
        rounds += 1
    print(f"{kind}: {rounds * ROUND} examples")
