"""Sitemaps, HTML lists, single pages and EDGAR, on a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.collect.articles import to_article
from monitor.collect.dates import DateRules
from monitor.collect.raw import RawItem
from monitor.collect.source import Failure, Remembers, Source, SourceConfig, SourceError
from monitor.collect.sources import open_source
from monitor.domain import Article
from monitor.errors import ConfigError
from tests.support.site import Answer, Asked, Site, serve

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
URLSET = '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{}</urlset>'
INDEX = '<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{}</sitemapindex>'


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as site:
        yield site


def opened(site: Site, kind: str, path: str, **config: Any) -> Source:
    options = config.pop("options", {})
    return open_source(SourceConfig("s", kind, site.url + path, options=options, **config))


def titles(source: Source) -> list[str]:
    return [item.title for item in source.poll(NOW) if isinstance(item, RawItem)]


def page(loc: str, lastmod: str = "2026-01-05") -> str:
    return f"<url><loc>{loc}</loc><lastmod>{lastmod}</lastmod></url>"


def one_map(site: Site, path: str, lastmod: str = "2026-01-05") -> str:
    return f"<sitemap><loc>{site.url}{path}</loc><lastmod>{lastmod}</lastmod></sitemap>"


def test_an_index_leads_to_the_newest_sitemaps_of_its_own_host(site: Site) -> None:
    elsewhere = "<sitemap><loc>http://127.0.0.1:1/x.xml</loc></sitemap>"
    maps = one_map(site, "/old.xml", "2020-01-01") + one_map(site, "/new.xml") + elsewhere
    site.pages["/index.xml"] = INDEX.format(maps).encode()
    site.pages["/new.xml"] = Answer(
        URLSET.format(page("http://a.example/acme-fails")).encode(), headers={"ETag": '"1"'}
    )
    source = opened(site, "sitemap", "/index.xml")
    assert titles(source) == ["acme fails"]
    assert titles(source) == []  # 304
    source.close()
    assert [asked.path for asked in site.asked] == ["/index.xml", "/new.xml"] * 2


def test_an_index_cannot_lead_in_circles_nor_to_too_many(site: Site) -> None:
    site.pages["/index.xml"] = INDEX.format(one_map(site, "/index.xml")).encode()
    source = opened(site, "sitemap", "/index.xml")
    with pytest.raises(SourceError, match="an index in an index"):
        list(source.poll(NOW))
    site.asked.clear()
    site.pages["/index.xml"] = INDEX.format(one_map(site, "/m.xml") * 50).encode()
    site.pages["/m.xml"] = URLSET.format("").encode()
    source.close()
    source = opened(site, "sitemap", "/index.xml", options={"max_maps": 3})
    assert titles(source) == []
    source.close()
    assert len(site.asked) == 4


def test_old_pages_and_other_sections_are_left_out(site: Site) -> None:
    pages = page("http://a.example/markets/x") + page("http://a.example/sport/y")
    pages += page("http://a.example/markets/old", "2025-12-01")
    site.pages["/map.xml"] = URLSET.format(pages).encode()
    source = opened(site, "sitemap", "/map.xml", options={"contains": "/markets/"})
    assert titles(source) == ["x"]
    source.close()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<rss/>", "its root is <rss>"),
        (b"", "not a readable sitemap"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><urlset/>", "declares XML entities"),
    ],
)
def test_what_is_no_sitemap_is_told(site: Site, body: bytes, said: str) -> None:
    site.pages["/map.xml"] = body
    source = opened(site, "sitemap", "/map.xml")
    with pytest.raises(SourceError, match=said):
        list(source.poll(NOW))
    source.close()


ROWS = """<table>
<tr><td>Header</td></tr>
<tr class=n><td>2026年1月5日 17:30</td><td><a href="a.html">Acme <script>x()</script>&lt;b&gt; A</a></td>
<td>Lead</td></tr>
<tr class=n><td>2 hours ago</td><td><a href="http://b.example/">Beta</a></td></tr>
</table>"""


def test_a_list_in_a_table_is_read_by_selectors(site: Site) -> None:
    site.pages["/news/"] = ROWS.encode()
    options = {
        "item": "tr.n",
        "date": "td:first-child",
        "summary": "td:nth-child(3)",
        "time_zone": "Asia/Shanghai",
    }
    source = opened(site, "list", "/news/", options=options, language="en")
    first, second = (item for item in source.poll(NOW) if isinstance(item, RawItem))
    source.close()
    assert first.url == f"{site.url}/news/a.html"
    assert first.published == datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    assert (second.title, second.url, second.published) == ("Beta", "http://b.example/", None)
    article = to_article(first, NOW, DateRules())
    assert isinstance(article, Article) and article.title == "Acme A"


def test_a_list_that_has_changed_is_told(site: Site) -> None:
    site.pages["/news/"] = b"<div id=app></div>"
    source = opened(site, "list", "/news/", options={"item": "li"})
    with pytest.raises(SourceError, match="nothing on the page is 'li'; has the page changed"):
        list(source.poll(NOW))
    source.close()
    with pytest.raises(ConfigError, match=r"options\.item: .*'li\[' is not a CSS selector"):
        opened(site, "list", "/news/", options={"item": "li["})
    with pytest.raises(ConfigError, match=r"options\.item: Field required"):
        opened(site, "list", "/news/")


STORY = (
    "<p>Acme Corp said that it recalls every heater which it sold in the last two years, {}.</p>"
)


def notice(number: int) -> bytes:
    said = "".join(STORY.format(f"for the reason {number} and {each}") for each in range(8))
    return f"<html><title>Acme recall</title><article><h1>Acme recall</h1>{said}</article></html>".encode()


def test_the_pages_of_a_list_are_read_where_wanted(site: Site) -> None:
    site.pages["/news/"] = b'<li><a href="/1">Acme</a></li>'
    site.pages["/1"] = notice(1)
    source = opened(site, "list", "/news/", options={"item": "li"}, articles=True)
    [item] = source.poll(NOW)
    source.close()
    assert isinstance(item, RawItem) and "Acme Corp said" in item.summary


def test_a_page_that_changes_is_an_update_of_one_item(site: Site) -> None:
    source = opened(site, "page", "/notice", language="en")
    revisions = []
    for number in (1, 2):
        site.pages["/notice"] = notice(number)
        [item] = source.poll(NOW)
        assert isinstance(item, RawItem)
        article = to_article(item, NOW, DateRules())
        assert isinstance(article, Article)
        revisions.append((article.id, article.revision))
    assert revisions[0][0] == revisions[1][0] and revisions[0][1] != revisions[1][1]
    site.pages["/notice"] = b"<div id=app></div>"
    with pytest.raises(SourceError, match="no article was found on the page"):
        list(source.poll(NOW))
    source.close()


def restarted(source: Source, again: Source) -> Source:
    """Give what a source knows to another one, as after a restart: through JSON."""
    assert isinstance(source, Remembers) and isinstance(again, Remembers)
    again.remember(json.loads(json.dumps(dict(source.memory))))
    source.close()
    return again


@pytest.mark.parametrize("kind", ["sitemap", "list"])
def test_what_was_read_is_not_asked_for_again_after_a_restart(kind: str, site: Site) -> None:
    maps = "".join(one_map(site, f"/{each}.xml") for each in "ab")
    site.pages["/begin"] = INDEX.format(maps).encode()
    for each in "ab":
        urls = URLSET.format(page(f"http://a.example/acme-{each}")).encode()
        site.pages[f"/{each}.xml"] = Answer(urls, headers={"ETag": f'"{each}"'})
    told: dict[str, Any] = {}
    if kind == "list":
        listed = b'<li><a href="/1">acme a</a></li><li><a href="/2">acme b</a></li>'
        site.pages["/begin"] = Answer(listed, headers={"ETag": '"l"'})
        told = {"options": {"item": "li"}}
    first = opened(site, kind, "/begin", **told)
    assert titles(first) == ["acme a", "acme b"]
    asked = len(site.asked)
    second = restarted(first, opened(site, kind, "/begin", **told))
    assert titles(second) == []
    sent = [each.headers.get("if-none-match") for each in site.asked[asked:]]
    assert sent == (['"l"'] if kind == "list" else [None, '"a"', '"b"'])
    elsewhere = restarted(second, opened(site, kind, "/other", **told))
    assert isinstance(elsewhere, Remembers) and elsewhere.memory == {}
    elsewhere.close()


def test_an_update_of_a_page_is_dated_by_the_page(site: Site) -> None:
    def revised(number: int, updated: str) -> bytes:
        times = {"published": "2025-11-03T09:00:00Z", "modified": updated}
        head = "".join(
            f'<meta property="article:{name}_time" content="{at}">' for name, at in times.items()
        )
        return notice(number).replace(b"<title>", head.encode() + b"<title>", 1)

    source = opened(site, "page", "/notice", language="en")
    dates = []
    for number, updated in ((1, "2025-12-24T08:00:00Z"), (2, "2026-01-05T09:50:00Z")):
        site.pages["/notice"] = revised(number, updated)
        [item] = source.poll(NOW)
        assert isinstance(item, RawItem)
        dates.append(item.published)
        source = restarted(source, opened(site, "page", "/notice", language="en"))
    assert dates == [
        datetime(2025, 11, 3, 9, tzinfo=UTC),  # the first text we see is no update
        datetime(2026, 1, 5, 9, 50, tzinfo=UTC),
    ]
    site.pages["/notice"] = revised(2, "2026-01-05T09:59:00Z")
    assert list(source.poll(NOW)) == []  # another date above the same text
    wall = b"<title>Just a moment</title><article><p>Enable JavaScript and cookies to go on.</p></article>"
    site.pages["/notice"] = b"<html>" + wall + b"</html>"
    with pytest.raises(SourceError, match="shows no news to a program") as caught:
        list(source.poll(NOW))
    assert caught.value.kind is Failure.BLOCKED
    source.close()


ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Latest Filings</title><entry>
<title>8-K - ACME CORP (0000320193) (Filer)</title><link href="https://www.sec.gov/a"/>
<summary type="html">&lt;b&gt;Filed:&lt;/b&gt; 2026-01-05 &lt;br&gt;Item 4.02: Non-Reliance</summary>
<updated>2026-01-05T04:30:00-05:00</updated><id>urn:1</id></entry></feed>"""
CONTACT = {"contact": "Sample Bank risk@bank.example"}


def test_the_feed_of_current_reports_says_what_happened(site: Site) -> None:
    site.pages["/feed"] = ATOM.encode()
    source = opened(site, "edgar", "/feed", options=CONTACT)
    [item] = source.poll(NOW)
    source.close()
    assert isinstance(item, RawItem)
    assert item.title == "ACME CORP: 8-K: Non-Reliance on Previously Issued Financial Statements"
    assert site.asked[-1].headers["user-agent"] == CONTACT["contact"]
    article = to_article(item, NOW, DateRules())
    assert isinstance(article, Article) and article.published_at.hour == 9


def test_the_search_is_read_page_by_page(site: Site) -> None:
    def page(asked: Asked) -> bytes:
        begin = int(asked.query.get("from", 0))
        hits = [
            {
                "_id": f"0001-26-{number}:d.htm",
                "_source": {
                    "ciks": ["0000000007"],
                    "display_names": ["Acme Corp  (CIK 0000000007)"],
                    "form": "8-K",
                    "items": ["1.03"],
                    "file_date": "2026-01-05",
                },
            }
            for number in range(begin, min(begin + 100, 130))
        ]
        return json.dumps({"hits": {"hits": hits}}).encode()

    site.pages["/search"] = page
    source = opened(site, "edgar", "/search?forms=8-K", options=CONTACT)
    found = [item for item in source.poll(NOW) if isinstance(item, RawItem)]
    source.close()
    assert len(found) == 130
    assert found[0].title == "Acme Corp: 8-K: Bankruptcy or Receivership"
    assert found[0].url == "https://www.sec.gov/Archives/edgar/data/7/0001260/d.htm"


def test_the_sec_must_be_told_who_asks(site: Site) -> None:
    with pytest.raises(ConfigError, match=r"options\.contact"):
        opened(site, "edgar", "/feed")
    with pytest.raises(ConfigError, match=r"options\.contact"):
        opened(site, "edgar", "/feed", options={"contact": "a bank"})


def test_who_wrote_a_page_is_kept(site: Site) -> None:
    signed = notice(1).replace(b"<title>", b'<meta name="author" content="Ann Lee"><title>', 1)
    site.pages["/1"] = signed
    site.pages["/news/"] = b'<li><a href="/1">Acme</a></li>'
    site.pages["/feed"] = (
        b'<rss version="2.0"><channel><title>t</title><item><title>Acme</title><link>/1</link>'
        b"<author>bo@a.example (Bo Chan)</author></item></channel></rss>"
    )
    told: dict[str, Any]
    for kind, path, told in (
        ("page", "/1", {}),
        ("list", "/news/", {"options": {"item": "li"}, "articles": True}),
        ("feed", "/feed", {"articles": True}),  # what the feed says goes first
    ):
        source = opened(site, kind, path, **told)
        [item] = source.poll(NOW)
        source.close()
        assert isinstance(item, RawItem)
        article = to_article(item, NOW, DateRules())
        assert isinstance(article, Article)
        assert article.author == ("Bo Chan" if kind == "feed" else "Ann Lee")
