"""A hostile web server, for real, on loopback: each attack ends as designed, in so many bytes and seconds."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from monitor.collect.articles import to_article
from monitor.collect.dates import DateRules
from monitor.collect.feeds import FeedSource
from monitor.collect.fetch import MAX_BODY_BYTES, Fetcher, Web
from monitor.collect.pages import from_page
from monitor.collect.politeness import Turns
from monitor.collect.raw import RawItem
from monitor.collect.repeats import Repeats
from monitor.collect.source import Failure, SourceConfig, SourceError
from monitor.collect.stage import CollectStage
from monitor.domain import Article
from monitor.metrics import Metrics
from monitor.pipeline import ARTICLES, DEADS
from monitor.store import Store, visits
from monitor.stream import LocalStreamSettings, open_broker
from monitor.stream.port import Broker
from tests.support.hostile import Answer, Asked, Hostile, head, hostile, leads, sends

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
SOCKET_BYTES = 8 * 1024 * 1024  # what kernels may hold between the two ends
ITEM = "<item><title>{0}</title>{1}<pubDate>Mon, 05 Jan 2026 09:30:00 GMT</pubDate></item>"


def rss(*items: str) -> bytes:
    return f'<rss version="2.0"><channel><title>t</title>{"".join(items)}</channel></rss>'.encode()


@pytest.fixture
def server() -> Iterator[Hostile]:
    with hostile() as served:
        yield served


class Names:
    """A resolver of ours: each name leads to loopback unless told otherwise."""

    def __init__(self) -> None:
        self.leads: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        known = self.leads.get(host)
        if known is None:
            return ["127.0.0.1"]
        return known.pop(0) if len(known) > 1 else known[0]


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def web(names: Names) -> Iterator[Web]:
    """A web in which 127.0.0.1 is public, so that strangers can be played here."""
    web = Web(resolve=names, public=lambda address: address == "127.0.0.1", turns=Turns(0.0))
    yield web
    web.close()


def stranger(web: Web, server: Hostile, **limits: float) -> tuple[Fetcher, str]:
    return Fetcher(web=web, **limits), f"http://news.example:{server.port}"  # type: ignore[arg-type]


def fails(fetcher: Fetcher, url: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        fetcher.get(url)
    assert url in str(caught.value)
    return caught.value


PRIVATE = (
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "localhost", "0.0.0.0", "0",
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255",
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[fe80::1]", "[fc00::1]",
    "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[ff02::1]", "①②⑦.⓪.⓪.①", "127。0。0。1",
)  # fmt: skip


@pytest.mark.parametrize("place", PRIVATE)
def test_redirects_to_private_addresses_in_every_notation(place: str, server: Hostile) -> None:
    server.answers["/feed"] = leads(f"http://{place}:{server.port}/secret")
    server.answers["/secret"] = sends(b"secret")
    fetcher = Fetcher.of(SourceConfig("f", "feed", server.url + "/feed"))
    if place in ("127.0.0.1", "127。0。0。1"):  # the very origin of the configuration: meant
        assert fetcher.get(server.url + "/feed").body == b"secret"
        return
    began = time.monotonic()
    error = fails(fetcher, server.url + "/feed")
    assert error.kind in (Failure.FORBIDDEN, Failure.UNREACHABLE), error
    assert server.paths() == ["/feed"] and time.monotonic() - began < 5


def test_another_port_of_a_trusted_host_is_a_stranger(server: Hostile) -> None:
    with hostile() as other:
        other.answers["/admin"] = sends(b"secret")
        server.answers["/feed"] = leads(other.url + "/admin")
        error = fails(Fetcher.of(SourceConfig("f", "feed", server.url)), server.url + "/feed")
        assert error.kind is Failure.FORBIDDEN and other.asked == []


def test_a_name_with_one_private_address_is_refused(
    web: Web, names: Names, server: Hostile
) -> None:
    names.leads["news.example"] = [["127.0.0.1", "10.0.0.1"]]
    fetcher, url = stranger(web, server)
    assert fails(fetcher, url + "/feed").kind is Failure.FORBIDDEN
    assert server.asked == []


def test_a_name_that_changes_between_check_and_connect(
    web: Web, names: Names, server: Hostile
) -> None:
    """The checked address is the one connected to; the changed one is refused when it is asked for."""
    names.leads["news.example"] = [["127.0.0.1"], ["127.0.0.1"], ["169.254.169.254"]]
    server.answers["/feed"] = sends(b"good", Connection="close")
    fetcher, url = stranger(web, server)
    assert fetcher.get(url + "/feed").body == b"good"
    assert names.asked == ["news.example", "news.example"]  # robots.txt and the feed, once each
    assert fails(fetcher, url + "/feed").kind is Failure.FORBIDDEN
    assert server.paths() == ["/robots.txt", "/feed"]


def test_connections_of_a_trusted_source_serve_nobody_else(server: Hostile) -> None:
    web = Web(turns=Turns(0.0))
    server.answers["/feed"] = sends(b"good")
    trusted = Fetcher.of(SourceConfig("f", "feed", server.url), web)
    assert trusted.get(server.url + "/feed").body == b"good"
    assert fails(Fetcher(web=web), server.url + "/feed").kind is Failure.FORBIDDEN
    web.close()


def test_slow_drip_of_head_and_body(web: Web, server: Hostile) -> None:
    def drips_head(_: Asked) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nX-Drip: "
        for _n in range(200):
            time.sleep(0.05)
            yield b"x"

    def drips_body(_: Asked) -> Iterator[bytes]:
        yield head()
        for _n in range(200):
            time.sleep(0.05)
            yield b" "

    fetcher, url = stranger(web, server, timeout_s=2.0, deadline_s=0.6)
    for path, answer in (("/head", drips_head), ("/body", drips_body)):
        server.answers[path] = answer
        began = time.monotonic()
        assert fails(fetcher, url + path).kind is Failure.TIMEOUT
        assert 0.5 < time.monotonic() - began < 1.2


def test_silence_ends_at_the_timeout(web: Web, server: Hostile) -> None:
    def silent(_: Asked) -> Iterator[bytes]:
        time.sleep(3)
        yield head()

    server.answers["/feed"] = silent
    fetcher, url = stranger(web, server, timeout_s=0.3)
    began = time.monotonic()
    assert fails(fetcher, url + "/feed").kind is Failure.TIMEOUT
    assert time.monotonic() - began < 1.0


def test_endless_body(web: Web, server: Hostile) -> None:
    def endless(_: Asked) -> Iterator[bytes]:
        yield head()
        while True:
            yield b"<item>" * 10_000

    server.answers["/feed"] = endless
    fetcher, url = stranger(web, server)
    began = time.monotonic()
    assert fails(fetcher, url + "/feed").kind is Failure.TOO_LARGE
    assert time.monotonic() - began < 5
    assert server.sent["/feed"] < MAX_BODY_BYTES + SOCKET_BYTES


def test_a_feed_of_50_megabytes_is_refused_by_its_head(web: Web, server: Hostile) -> None:
    server.answers["/feed"] = sends(b" " * 50_000_000)
    fetcher, url = stranger(web, server)
    began = time.monotonic()
    assert fails(fetcher, url + "/feed").kind is Failure.TOO_LARGE
    assert time.monotonic() - began < 2 and server.sent["/feed"] == 0


def test_gzip_bomb(web: Web, server: Hostile) -> None:
    bomb = gzip.compress(gzip.compress(b"\0" * 200_000_000))
    server.answers["/twice"] = sends(bomb, Content_Encoding="gzip")
    server.answers["/once"] = sends(gzip.compress(b"\0" * 200_000_000), Content_Encoding="gzip")
    fetcher, url = stranger(web, server)
    began = time.monotonic()
    assert fails(fetcher, url + "/once").kind is Failure.TOO_LARGE
    body = fetcher.get(url + "/twice").body
    assert body is not None and len(body) < 500_000  # packed once more, and not unpacked again
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(("stated", "body"), [(1_000, b"short"), (-5, b"x"), ("9" * 30, b"x")])
def test_wrong_length(web: Web, server: Hostile, stated: object, body: bytes) -> None:
    def wrong(_: Asked) -> Iterator[bytes]:
        yield head(Content_Length=stated) + body

    server.answers["/feed"] = wrong
    fetcher, url = stranger(web, server)
    assert fails(fetcher, url + "/feed").kind in (Failure.PROTOCOL, Failure.TOO_LARGE)


def test_too_short_a_length_cuts_the_feed_and_the_last_item_is_not_believed(
    server: Hostile,
) -> None:
    body = rss(ITEM.format("one", "<link>/1</link>"), ITEM.format("two", "<link>/2</link>"))

    def wrong(_: Asked) -> Iterator[bytes]:
        yield head(Content_Length=len(body) - 60) + body

    server.answers["/feed"] = wrong
    items = list(FeedSource(SourceConfig("f", "feed", server.url + "/feed")).poll(NOW))
    assert [item.title for item in items if isinstance(item, RawItem)] == ["one"]


def test_throttled_with_retry_after(web: Web, server: Hostile) -> None:
    server.answers["/feed"] = sends(b"", "429 Too Many Requests", Retry_After="3600")
    fetcher, url = stranger(web, server)
    error = fails(fetcher, url + "/feed")
    assert error.kind is Failure.THROTTLED and error.retry_after_s == 3_600
    assert server.paths().count("/feed") == 1  # nothing is tried again at once


def test_cookie_loops(web: Web, server: Hostile) -> None:
    server.answers["/feed"] = leads("/feed", Set_Cookie="a=1")
    fetcher, url = stranger(web, server)
    began = time.monotonic()
    error = fails(fetcher, url + "/feed")
    assert error.kind is Failure.PROTOCOL and "cookies" in str(error)
    assert server.paths().count("/feed") == 6 and time.monotonic() - began < 2
    assert all("cookie" not in asked.headers for asked in server.asked)


def test_robots_are_obeyed(web: Web, server: Hostile) -> None:
    server.answers["/robots.txt"] = sends(b"User-agent: *\nDisallow: /private\nCrawl-delay: 0.2")
    server.answers["/feed"] = server.answers["/private/feed"] = sends(b"good")
    server.answers["/led"] = leads("/private/feed")
    fetcher, url = stranger(web, server)
    assert fetcher.get(url + "/feed").body == b"good"
    assert fails(fetcher, url + "/private/feed").kind is Failure.BLOCKED
    assert fails(fetcher, url + "/led").kind is Failure.BLOCKED
    paths = server.paths()
    assert paths == ["/robots.txt", "/feed", "/led"]
    assert server.asked[-1].at_s - server.asked[-2].at_s >= 0.19
    leave = Fetcher(web=web, robots=False)
    assert leave.get(url + "/private/feed").body == b"good"


def test_a_host_is_spared(names: Names, server: Hostile) -> None:
    web = Web(resolve=names, public=lambda _: True, turns=Turns(0.2))
    server.answers["/feed"] = sends(b"good")
    fetcher, url = stranger(web, server)
    for _ in range(3):
        fetcher.get(url + "/feed")
    times = [asked.at_s for asked in server.asked if asked.path == "/feed"]
    assert all(late - early >= 0.19 for early, late in pairwise(times))
    assert all(asked.headers["user-agent"].startswith("Foreshock/") for asked in server.asked)
    web.close()


def test_not_modified_for_ever(server: Hostile) -> None:
    server.answers["/feed"] = sends(
        b"", "304 Not Modified", ETag='"1"', Cache_Control="max-age=900"
    )
    source = FeedSource(SourceConfig("f", "feed", server.url + "/feed"))
    memory = {"location": source.location, "If-None-Match": '"1"'}
    source.remember({**memory, "X-Evil": "no"})
    for _ in range(3):
        assert list(source.poll(NOW)) == []
    assert server.asked[0].headers["if-none-match"] == '"1"'
    assert all("x-evil" not in asked.headers for asked in server.asked)
    assert source.fresh_s == 900 and source.memory == memory


@dataclass
class Clock:
    at: datetime = NOW

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def days(server: Hostile, sqlite_store: Store, tmp_path: Path) -> Iterator[Days]:
    broker = open_broker(LocalStreamSettings(path=tmp_path / "streams.db"))
    broker.create({ARTICLES: 1, "news.classified": 1, DEADS: 1, "alerts": 1})
    yield Days(server, sqlite_store, broker)
    broker.close()


@dataclass
class Days:
    """A feed that is read every minute, in a time that goes from visit to visit."""

    server: Hostile
    store: Store
    broker: Broker
    clock: Clock = field(default_factory=Clock)
    items: int = 0
    failures: int = 0

    def __post_init__(self) -> None:
        config = SourceConfig("f", "feed", self.server.url + "/feed", interval_s=60.0)
        self.stage = CollectStage(
            [FeedSource(config)],
            *(DateRules(), self.broker, self.store, self.clock, self.clock, Metrics(), 10_000),
        )

    def until(self, end: datetime, answer: Callable[[int], Answer]) -> int:
        """Go on with the n-th request answered so; return how many there were."""
        asked = len(self.server.asked)
        while (due_at := self.stage.visits[0].due_at) < end:
            self.clock.at = max(self.clock.at, due_at)
            self.server.answers["/feed"] = answer(len(self.server.asked) - asked)
            effects = self.stage.process(())
            assert effects.after is not None
            self.items += len(effects.outputs.get(ARTICLES, ()))
            effects.after()
        with self.store.read() as connection:
            self.failures = visits.load(connection)["f"].failures
        return len(self.server.asked) - asked


def test_a_feed_that_flaps_is_read_on(days: Days) -> None:
    def flaps(number: int) -> Answer:
        if number % 2:
            return sends(b"", "500 Internal Server Error")
        return sends(rss(ITEM.format(f"Report {number}", f"<guid>{number}</guid>")))

    asked = days.until(NOW + timedelta(hours=2), flaps)
    assert 60 <= asked <= 120 and days.items == (asked + 1) // 2
    days.stage.close()


def test_a_feed_that_fails_for_days_is_left_in_peace_and_comes_back(days: Days) -> None:
    failed = NOW + timedelta(days=2)
    asked = days.until(failed, lambda _: sends(b"", "500 Internal Server Error"))
    assert asked == days.failures <= 6 + 48  # one an hour, where there would be 2,880
    again = sends(rss(ITEM.format("Back", "<guid>1</guid>")))
    days.until(failed + timedelta(hours=1.2), lambda _: again)
    assert (days.items, days.failures) == (1, 0)
    # At its pace again: of one item in two days that is the slowest, four intervals.
    asked = days.until(days.clock.at + timedelta(hours=1), lambda _: again)
    assert 12 <= asked <= 60
    days.stage.close()


def test_the_same_items_with_new_guids_are_repeats(server: Hostile) -> None:
    source = FeedSource(SourceConfig("f", "feed", server.url + "/feed"))
    repeats = Repeats()
    fresh = []
    for turn in range(4):
        items = [ITEM.format(f"Report {n}", f"<guid>{turn}-{n}</guid>") for n in range(20)]
        server.answers["/feed"] = sends(rss(*items))
        made = [to_article(item, NOW, DateRules()) for item in source.poll(NOW)]  # type: ignore[arg-type]
        found = repeats.fresh(item for item in made if isinstance(item, Article))
        repeats.remember(found)
        fresh.append(len(found))
    assert fresh == [20, 0, 0, 0]


LOLS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))


@pytest.mark.parametrize(
    "bomb",
    [
        f'<!DOCTYPE x [<!ENTITY l0 "lol">{LOLS}]>',
        '<!DOCTYPE x [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x"> %p;]>',
        f'<!DOCTYPE x [<!ENTITY l9 "{"A" * 100_000}">]>',
    ],
)
def test_xml_bombs(server: Hostile, bomb: str) -> None:
    body = bomb.encode() + rss(ITEM.format("&l9;" * 1_000, ""))
    server.answers["/feed"] = sends(body)
    began = time.process_time()
    source = FeedSource(SourceConfig("f", "feed", server.url + "/feed"))
    with pytest.raises(SourceError, match="declares XML entities") as caught:
        list(source.poll(NOW))
    assert caught.value.kind is Failure.NOT_A_FEED and time.process_time() - began < 0.5


MIB = 1 << 20


@pytest.mark.parametrize(
    "data",
    [
        b"<rss><channel>" + b"<item>" * (MIB // 2),
        b"<rss><channel>" + b"<!--" * MIB,
        b"<rss><channel>" + b"<![CDATA[" * (MIB // 2),
        b"<!DOCTYPE [" * (MIB // 3),
        b"<?xml" * MIB,
        b" " * (4 * MIB),
        b"<rss><channel>" + b"&" * (4 * MIB),
        b"<rss><channel><item><title>" + b"&#x41;" * (MIB // 2),
        b"<rss><channel><item><title " + b"a='b' " * (MIB // 2),
        b"<rss " + b"".join(b"xmlns:a%d='b' " % n for n in range(50_000)) + b"><channel/></rss>",
        b"\xff\xfe" * (2 * MIB),
        b"[" * (4 * MIB),
        bytes(range(128, 256)) * (4 * MIB // 128),
    ],
    ids=range(13),
)
def test_documents_made_to_take_long(data: bytes, server: Hostile) -> None:
    server.answers["/feed"] = sends(data)
    began = time.process_time()
    try:
        items = list(FeedSource(SourceConfig("f", "feed", server.url + "/feed")).poll(NOW))
        for item in items[:10]:
            to_article(item, NOW, DateRules()) if isinstance(item, RawItem) else None
    except SourceError:
        pass
    assert time.process_time() - began < 3.0


def test_scripts_of_pages_and_summaries_do_not_survive(server: Hostile) -> None:
    evil = "<script>steal()</script><img src=x onerror=steal()><p>Profit falls</p>"
    server.answers["/feed"] = sends(rss(ITEM.format(f"<![CDATA[{evil}]]>", "<link>/a</link>")))
    [item] = FeedSource(SourceConfig("f", "feed", server.url + "/feed")).poll(NOW)
    assert isinstance(item, RawItem)
    page = f"<html><body><article>{'<p>Acme lowers its outlook for the whole year.</p>' * 9}{evil}"
    for raw in (item, from_page(item, page.encode())):
        article = to_article(raw, NOW, DateRules())
        assert isinstance(article, Article)
        assert not any(word in article.title + article.lead for word in ("steal", "<", "onerror"))
