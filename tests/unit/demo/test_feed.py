"""The demo's web server, asked over loopback as a collector would ask it."""

import http.client
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from urllib.parse import urljoin, urlsplit

import pytest
import trafilatura

from monitor.clock import AcceleratedClock
from monitor.collect.dates import parse_date
from monitor.collect.feed_document import parse_feed
from monitor.collect.feed_xml import Entry
from monitor.demo.feed import CAP, END, START, DemoFeedServer, DemoItem, load_items
from monitor.demo.outlets import OUTLETS
from monitor.demo.page import plain_text
from monitor.errors import ConfigError

ITEMS = load_items()


class HandClock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time


class Client:
    """One kept connection to the server."""

    def __init__(self, server: DemoFeedServer) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(server.base_url).netloc, timeout=5)

    def get(
        self, path: str, headers: dict[str, str] | None = None, method: str = "GET"
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        self.connection.request(method, path, headers=headers or {})
        response = self.connection.getresponse()
        return response.status, response.headers, response.read()

    def entries(self, feed: str) -> list[Entry]:
        status, _, body = self.get(f"/feeds/{feed}.xml")
        assert status == 200
        return parse_feed(body, feed, None).entries


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def server(clock: HandClock) -> Iterator[DemoFeedServer]:
    server = DemoFeedServer(clock)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server: DemoFeedServer) -> Iterator[Client]:
    client = Client(server)
    yield client
    client.connection.close()


def test_sources_name_every_outlet(server: DemoFeedServer) -> None:
    sources = server.sources()
    assert [name for name, _, _ in sources] == list(OUTLETS)
    assert {language for _, _, language in sources} == {"en", "zh"}
    assert all(url.startswith("http://127.0.0.1:") for _, url, _ in sources)


def test_nothing_is_shown_before_its_time(clock: HandClock, client: Client) -> None:
    assert all(not client.get(f"/feeds/{feed}.xml")[2].count(b"<item>") for feed in OUTLETS)
    for moment in (START + timedelta(days=3, hours=11), START + timedelta(days=10, hours=9), END):
        clock.time = moment
        for feed in OUTLETS:
            published = [i for i in ITEMS if i.feed == feed and i.published <= moment]
            shown = {entry.title for entry in client.entries(feed) if entry.title}
            assert shown - {""} <= {item.title for item in published}


def test_an_article_appears_at_its_minute(clock: HandClock, client: Client) -> None:
    item = next(item for item in ITEMS if item.id == "castlereach-seized")
    clock.time = item.published - timedelta(seconds=1)
    assert client.get(item.path)[0] == 404
    clock.time = item.published
    assert client.get(item.path + "?utm_source=rss")[0] == 200


@pytest.mark.parametrize("hours", [1, 2, 24])
def test_polling_loses_nothing(clock: HandClock, client: Client, hours: int) -> None:
    seen: set[tuple[str, str, str]] = set()
    while clock.time < END + timedelta(hours=hours):
        clock.time += timedelta(hours=hours)
        for feed in OUTLETS:
            entries = client.entries(feed)
            assert len(entries) <= CAP
            seen |= {
                (feed, urlsplit(entry.link).path, " ".join(plain_text(entry.summary).split()))
                for entry in entries
            }
    # A text replaced between two polls is gone, as in any feed.
    kept = [item for item in ITEMS if hours < 24 or item.id != "grevold-field"]
    assert seen >= {(item.feed, item.path, plain_text(item.summary)) for item in kept}


def test_dates_are_read_as_meant(clock: HandClock, client: Client) -> None:
    clock.time = END
    by_link = {item.path: item for item in ITEMS if not item.repeats}
    for feed in OUTLETS:
        for entry in client.entries(feed):
            item = by_link[urlsplit(entry.link).path]
            if item.dated is None:
                assert not entry.published
            elif item.id != "sundvale-fibre-pr":  # listed twice, with two dates
                assert parse_date(entry.published) == item.dated


def test_links_lead_to_pages(clock: HandClock, client: Client, server: DemoFeedServer) -> None:
    clock.time = END
    shapes = set()
    for name, url, _ in server.sources():
        entry = client.entries(name)[0]
        link = urljoin(url, entry.link)
        shapes.add((b"<link>/" in client.get(f"/feeds/{name}.xml")[2], "utm_source" in entry.link))
        assert link.startswith(server.base_url + "/articles/")
        assert client.get(link.removeprefix(server.base_url))[0] == 200
    assert shapes == {(False, False), (True, False), (False, True)}


def test_known_documents_are_not_sent_again(clock: HandClock, client: Client) -> None:
    clock.time = START + timedelta(days=1, hours=9)
    path = "/feeds/halvard-wire.xml"
    _, headers, body = client.get(path)
    tag = headers["ETag"]
    assert headers["Cache-Control"] == "no-cache"
    assert client.get(path, method="HEAD")[1]["Content-Length"] == str(len(body))
    for known in (
        {"If-None-Match": tag},
        {"If-None-Match": f'"x", W/{tag}'},
        {"If-Modified-Since": headers["Last-Modified"]},
    ):
        assert client.get(path, known)[::2] == (304, b"")
    old = format_datetime(START, usegmt=True)
    for unknown in (
        {"If-None-Match": '"x"', "If-Modified-Since": headers["Last-Modified"]},
        {"If-Modified-Since": old},
        {"If-Modified-Since": "yesterday"},
    ):
        assert client.get(path, unknown)[0] == 200
    clock.time += timedelta(hours=3)
    assert client.get(path, {"If-None-Match": tag})[0] == 200


@pytest.mark.parametrize(
    "path", ["/nothing", "/feeds/nobody.xml", "/feeds/../items.py", "/articles/"]
)
def test_unknown_paths(client: Client, path: str) -> None:
    assert client.get(path)[0] == 404


def test_index_lists_the_feeds(client: Client) -> None:
    status, _, body = client.get("/")
    assert status == 200
    assert all(f'href="/feeds/{feed}.xml"'.encode() in body for feed in OUTLETS)
    assert b"2026-03-02 00:00" in body


def squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text)


def readable(item: DemoItem, html: str) -> bool:
    text = trafilatura.extract(html, include_comments=False) or ""
    return squeeze(plain_text(item.summary))[:60] in squeeze(text)


def test_pages_can_be_extracted(clock: HandClock, client: Client) -> None:
    clock.time = END
    replaced = {item.revises for item in ITEMS}
    for item in ITEMS:
        if item.id not in replaced:
            html = client.get(item.path)[2].decode()
            assert readable(item, html), item.id


def test_pages_hold_no_markup_of_items(clock: HandClock, client: Client) -> None:
    clock.time = END
    for item in ITEMS:
        _, headers, body = client.get(item.path)
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert b"<script" not in body and b"onerror" not in body and b"<iframe" not in body


def test_the_old_story_has_only_its_link_for_a_date(clock: HandClock, client: Client) -> None:
    clock.time = END
    old = next(item for item in ITEMS if item.id == "transkeld-old")
    html = client.get(old.path)[2].decode()
    assert "2026" not in html and "published_time" not in html


def test_a_busy_port_is_named(clock: HandClock, server: DemoFeedServer) -> None:
    port = urlsplit(server.base_url).port
    assert port is not None
    with pytest.raises(ConfigError, match=rf"port {port}: another program uses it; .*another port"):
        DemoFeedServer(clock, port=port)


def test_stop_frees_the_port_and_may_be_repeated(clock: HandClock) -> None:
    server = DemoFeedServer(clock)
    port = urlsplit(server.base_url).port or 0
    server.start()
    server.stop()
    server.stop()
    DemoFeedServer(clock, port=port).stop()


def test_an_accelerated_clock_publishes_while_we_wait() -> None:
    speed = timedelta(days=14) / timedelta(seconds=60)
    # Half way through, a minute of the wall clock to go.
    clock = AcceleratedClock(START + timedelta(days=7), END, speed)
    server = DemoFeedServer(clock)
    server.start()
    client = Client(server)
    before = clock.now()
    shown = len(client.entries("tidewater-ledger"))
    after = clock.now()
    client.connection.close()
    server.stop()
    times = [item.published for item in ITEMS if item.feed == "tidewater-ledger"]
    assert 0 < sum(t <= before for t in times) <= shown <= sum(t <= after for t in times) < CAP
