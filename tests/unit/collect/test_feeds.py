"""Feeds from disk and from a real server on loopback, ordinary and hostile."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.collect.articles import to_article
from monitor.collect.dates import DateRules
from monitor.collect.feed_document import parse_feed, read_feed
from monitor.collect.feeds import FeedSource
from monitor.collect.fetch import Fetcher, retry_after_s
from monitor.collect.raw import RawItem
from monitor.collect.repeats import Repeats
from monitor.collect.source import SourceConfig, SourceError
from monitor.domain import Article, DeadItem, DeadReason

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
ITEM = (
    "<item><title>{0}</title><link>/news/{0}</link>"
    "<pubDate>Mon, 05 Jan 2026 09:30:00 GMT</pubDate></item>"
)


def rss(*items: str, head: str = "", prolog: str = "") -> bytes:
    body = "".join(item if item.startswith("<") else ITEM.format(item) for item in items)
    return (
        f'{prolog}<rss version="2.0"><channel><title>t</title>{head}{body}</channel></rss>'.encode()
    )


def parsed(data: bytes, **config: str) -> list[RawItem | DeadItem]:
    source = SourceConfig("f", "feed", "mem", **config)  # type: ignore[arg-type]
    return list(read_feed(data, "mem.xml", "https://a.example/feed", source, NOW))


def only(data: bytes, **config: str) -> RawItem:
    [item] = parsed(data, **config)
    assert isinstance(item, RawItem)
    return item


class Site:
    """A web site whose pages are functions of the request."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requests.append((self.path, dict(self.headers)))
                status, headers, body = site.pages.get(self.path, (404, {}, b""))
                if headers.get("ETag") and self.headers.get("If-None-Match") == headers["ETag"]:
                    status, body = 304, b""
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    if "X-Drip" in headers:
                        for _ in range(50):
                            self.wfile.write(b" ")
                            time.sleep(0.05)
                    self.wfile.write(body)
                except OSError:
                    pass  # the client had enough

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    served = Site()
    yield served
    served.close()


@pytest.fixture
def fetcher(site: Site) -> Iterator[Fetcher]:
    client = Fetcher(
        timeout_s=2.0, deadline_s=0.5, max_body_bytes=100_000, trusted=frozenset((site.url,))
    )
    yield client
    client.close()


@pytest.fixture
def feed(site: Site) -> Iterator[FeedSource]:
    source = FeedSource(SourceConfig("f", "feed", site.url + "/feed", articles=False))
    yield source
    source.close()


def test_fields_of_an_item() -> None:
    item = only(
        rss(
            "<item><title>A &amp; B</title><link>x?id=1</link><guid>g</guid>"
            "<description>&lt;b&gt;s&lt;/b&gt;"
            '</description><pubDate>yesterday</pubDate><source url="https://www.wire.example/r">W</source></item>',
            head="<language>zh-cn</language>",
        )
    )
    assert item == RawItem(
        "f",
        "mem.xml",
        "A & B",
        "<b>s</b>",
        "https://a.example/x?id=1",
        "g",
        "yesterday",
        "wire.example",
        "zh-cn",
    )


def test_dates_are_never_guessed() -> None:
    item = only(rss("<item><title>T</title><pubDate>Monday</pubDate></item>"))
    made = to_article(item, NOW, DateRules())
    assert isinstance(made, DeadItem) and made.reason is DeadReason.BAD_DATE


def test_no_title_takes_the_beginning_of_the_summary() -> None:
    words = "Acme says it will cut its outlook for the year. " * 5
    title = only(rss(f"<item><description>&lt;p&gt;{words}</description></item>")).title
    assert title.startswith("Acme says") and title.endswith("…") and len(title) <= 121


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig", "gb18030", "iso-8859-1"])
def test_encodings(encoding: str) -> None:
    title = "Zürich" if encoding == "iso-8859-1" else "央行降准"
    declared = encoding.removesuffix("-sig")
    text = rss(title, prolog=f'<?xml version="1.0" encoding="{declared}"?>').decode()
    assert only(text.encode(encoding)).title == title


def test_atom_and_json_feeds() -> None:
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>t</title>'
        "<entry><id>tag:x</id><title>T</title>"
        '<link href="https://a.example/1"/><updated>2026-01-05T09:00:00Z</updated></entry></feed>'
    )
    item = only(atom.encode())
    assert (item.title, item.published, item.language) == ("T", "2026-01-05T09:00:00Z", "en")
    json = (
        b'{"version": "https://jsonfeed.org/version/1.1", "title": "t",'
        b' "items": [{"id": "1", "title": "J",'
        b' "url": "https://a.example/j", "date_published": "2026-01-05T09:00:00Z"}]}'
    )
    item = only(json)
    assert (item.title, item.url) == ("J", "https://a.example/j")
    assert isinstance(to_article(item, NOW, DateRules()), Article)


ENTITIES = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))


@pytest.mark.parametrize(
    "prolog",
    [
        f'<!DOCTYPE x [<!ENTITY l0 "lol">{ENTITIES}]>',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x [<!entity e SYSTEM "http://127.0.0.1/">]>',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused(prolog: str, encoding: str) -> None:
    data = rss("<item><title>x &l9; &e;</title></item>", prolog=prolog).decode().encode(encoding)
    started = time.process_time()
    with pytest.raises(
        SourceError, match=r"mem\.xml: not a readable feed: the feed declares XML entities"
    ):
        parsed(data)
    assert time.process_time() - started < 0.5


def test_the_last_item_of_a_torn_feed_is_not_believed() -> None:
    data = rss("one", "two")
    first, torn = parsed(data[: data.index(b"/news/two")])
    assert isinstance(first, RawItem) and first.title == "one"
    assert isinstance(torn, DeadItem) and torn.reason is DeadReason.BAD_FEED


@pytest.mark.parametrize(
    "data", [b"", b"<html><body>no", b"\0\1\2", b"{}", b"<a/>", b"<urlset></urlset>", b"[1]"]
)
def test_what_is_no_feed_is_named(data: bytes) -> None:
    with pytest.raises(SourceError, match=r"mem\.xml: not a readable feed"):
        parsed(data)


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400))
def test_nothing_but_source_error_escapes(noise: bytes, place: int) -> None:
    good = rss("one", "two", prolog='<?xml version="1.0"?>')
    for data in (noise, good[:place] + noise + good[place:], good[:place] + noise):
        try:
            for item in parsed(data):
                if isinstance(item, RawItem):
                    to_article(item, NOW, DateRules())
        except SourceError:
            pass


def test_conditional_get_and_change(site: Site, feed: FeedSource) -> None:
    site.pages["/feed"] = (200, {"ETag": '"1"'}, rss("one"))
    assert next(feed.poll(NOW))  # abandoned before its end: the next visit repeats it
    assert len(list(feed.poll(NOW))) == 1
    assert list(feed.poll(NOW)) == []
    site.pages["/feed"] = (200, {"ETag": '"2"'}, rss("one", "two"))
    assert len(list(feed.poll(NOW))) == 2
    conditions = [headers.get("If-None-Match") for _, headers in site.requests]
    assert conditions == [None, None, '"1"', '"1"']
    assert all("Foreshock" in headers["User-Agent"] for _, headers in site.requests)


def test_gzip_and_redirects(site: Site, feed: FeedSource) -> None:
    site.pages["/feed"] = (302, {"Location": "/moved/feed"}, b"")
    site.pages["/moved/feed"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(rss("one")))
    [item] = feed.poll(NOW)
    assert isinstance(item, RawItem)
    assert item.url == site.url + "/news/one"
    assert item.origin == site.url + "/feed"


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ((500, {}, b""), "HTTP 500"),
        ((302, {"Location": "file:///etc/passwd"}, b""), "not http"),
        ((302, {"Location": "/feed"}, b""), "redirect"),
        ((200, {}, b"x" * 100_001), "more than 100000 bytes"),
        ((200, {"Content-Encoding": "gzip"}, gzip.compress(b"x" * 9_000_000)), "decompressed"),
        ((200, {}, gzip.compress(rss("one"))[:-9]), "end in the middle"),
        ((200, {"Content-Encoding": "br"}, b"x"), "sent as br"),
        ((200, {"X-Drip": "1"}, b"x"), "no answer in time"),
    ],
)
def test_a_failed_fetch_is_one_clear_error(
    site: Site, fetcher: Fetcher, page: tuple[int, dict[str, str], bytes], says: str
) -> None:
    site.pages["/feed"] = page
    with pytest.raises(SourceError, match=says) as caught:
        fetcher.get(site.url + "/feed")
    assert site.url + "/feed" in str(caught.value)


def test_retry_after_is_noted(site: Site, fetcher: Fetcher) -> None:
    site.pages["/feed"] = (429, {"Retry-After": "120"}, b"")
    with pytest.raises(SourceError) as caught:
        fetcher.get(site.url + "/feed")
    assert caught.value.retry_after_s == 120.0
    assert retry_after_s("Mon, 05 Jan 2026 10:01:00 GMT", NOW) == 60.0
    assert retry_after_s("Mon, 05 Jan 2099 10:01:00 GMT", NOW) == 86_400.0


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://a.example/",
        "http://",
        "http://127.0.0.1:1/x",
        "http://[/",
        "//x",
    ],
)
def test_addresses_that_lead_nowhere(fetcher: Fetcher, url: str) -> None:
    with pytest.raises(SourceError):
        fetcher.get(url)
    source = FeedSource(SourceConfig("f", "feed", url))
    with pytest.raises(SourceError):
        list(source.poll(NOW))
    source.close()


def test_folder_of_feeds(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(rss("one"))
    (tmp_path / "b.xml").write_bytes(b"<html>broken")
    (tmp_path / "c.rss").write_bytes(rss("two"))
    (tmp_path / "readme.txt").write_bytes(b"not read")
    source = FeedSource(SourceConfig("f", "feed", str(tmp_path)))
    one, bad, two = source.poll(NOW)
    assert isinstance(one, RawItem) and isinstance(two, RawItem)
    assert isinstance(bad, DeadItem) and bad.reason is DeadReason.BAD_FEED and "b.xml" in bad.detail
    assert list(source.poll(NOW)) == []
    (tmp_path / "a.xml").write_bytes(rss("one", "three"))
    assert len(list(source.poll(NOW))) == 2
    source.close()


SENTENCE = "<p>Acme Corporation said on Monday that it expects lower sales for the whole year.</p>"
PAGE = f"<html><head><title>T</title></head><body><article>{SENTENCE * 8}</article></body></html>"


def test_article_pages_complete_the_feed(site: Site) -> None:
    site.pages["/feed"] = (200, {}, rss("one", "gone"))
    site.pages["/news/one"] = (200, {"Content-Type": "text/html"}, PAGE.encode())
    source = FeedSource(SourceConfig("f", "feed", site.url + "/feed", articles=True))
    one, gone = source.poll(NOW)
    assert isinstance(one, RawItem) and "lower sales" in one.summary and one.title == "one"
    assert isinstance(gone, RawItem) and gone.summary == ""
    assert next(source.poll(NOW)) == one
    assert [path for path, _ in site.requests].count("/news/one") == 1
    source.close()


def test_a_page_that_says_the_same_of_every_item_says_nothing(site: Site) -> None:
    site.pages["/feed"] = (200, {}, rss("one", "two"))
    for name, number in (("one", b"17"), ("two", b"18")):
        wall = PAGE.encode().replace(b"</article>", b"<p>Reference " + number + b"</p></article>")
        site.pages[f"/news/{name}"] = (200, {"Content-Type": "text/html"}, wall)
    source = FeedSource(SourceConfig("f", "feed", site.url + "/feed", articles=True))
    one, two = source.poll(NOW)
    assert isinstance(one, RawItem) and isinstance(two, RawItem)
    assert one.summary and two.summary == ""  # what the first was, nobody could know
    source.close()


def test_repeats_forget_the_oldest() -> None:
    at = NOW
    made = [
        Article(str(n), "r", "s", "p", f"https://a/{n}", "T", "", "en", at, at) for n in range(4)
    ]
    repeats = Repeats(max_items=3)
    assert repeats.fresh(made[:3]) == made[:3]
    assert repeats.fresh(made[:3]) == made[:3], "nothing is remembered before it is appended"
    repeats.remember(made[:3])
    assert repeats.fresh(made[:1]) == []
    repeats.remember(made[3:])
    assert len(repeats) == 3
    assert repeats.fresh(made) == [made[1]]


@pytest.mark.parametrize("reference", ["&#55296;", "&#xD800;", "&#000000000000055296;"])
def test_half_a_character_in_a_broken_attribute_is_left_out(reference: str) -> None:
    broken = f'<feed xmlns="><rss><![CDATA[{reference}]]><rss href="a"></entry></feed>'
    assert parse_feed(broken.encode(), "x", None, "").entries == []


def test_what_came_before_to_the_letter_is_known_without_being_read() -> None:
    raws = [RawItem("f", "o", f"T {n}", "", f"https://a/{n}", None, NOW) for n in range(1_000)]
    made = [to_article(raw, NOW, DateRules()) for raw in raws]
    articles = [each for each in made if isinstance(each, Article)]
    repeats = Repeats()
    for raw, article in zip(raws, articles, strict=True):
        assert not repeats.known(raw)
        repeats.note(raw, article)
        assert not repeats.known(raw), "its article is not appended yet"
    repeats.remember(articles)
    assert all(repeats.known(raw) for raw in raws)
    assert not repeats.known(replace(raws[0], summary="More."))
    repeats.known(raws[0])
    repeats.expect(25)  # what it brings in a visit: the rest left it long ago
    assert len(repeats) == 500 and repeats.known(raws[0]) and repeats.known(raws[-1])
    assert not repeats.known(raws[1]) and repeats.fresh([articles[1]]) == [articles[1]]


@pytest.mark.parametrize(
    ("document", "header"),
    [
        (
            b"<rdf:RDF><item><title>Acme</title></item></rdf:RDF>",
            "",
        ),  # the prefix was never declared
        (b"<rss><channel><item><title>Acme \x80</title></item></channel></rss>", "x; charset=idna"),
        (b"<rss><channel><item><title>Acme &LT;b&GT;</title></item></channel></rss>", ""),
    ],
    ids=["prefix", "codec", "entity"],
)
def test_what_the_fuzzer_found(document: bytes, header: str) -> None:
    [entry] = parse_feed(document, "x", None, header).entries
    assert entry.title.startswith("Acme")
