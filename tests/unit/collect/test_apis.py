"""JSON APIs by mapping, on a real server: presets, keys, pages, and what goes wrong."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.collect.apis import ApiOptions, presets
from monitor.collect.articles import to_article
from monitor.collect.dates import DateRules
from monitor.collect.raw import RawItem
from monitor.collect.source import SourceConfig, SourceError
from monitor.collect.sources import credibility, hearsay, open_source
from monitor.domain import Article
from monitor.errors import ConfigError
from tests.support.site import Answer, Asked, Site, serve

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
SECRET = "k3y/with+signs"

#: What each service sends, as its documentation shows it, cut to what matters.
ANSWERS: dict[str, Any] = {
    "gdelt": {
        "articles": [
            {"url": "https://a.example/1", "title": "Acme fails", "seendate": "20260105T093000Z",
             "domain": "a.example", "language": "English"}
        ]
    },
    "newsapi": {
        "status": "ok",
        "totalResults": 1,
        "articles": [
            {"source": {"id": None, "name": "The Wire"}, "title": "Acme fails", "description": "It did.",
             "url": "https://a.example/1", "publishedAt": "2026-01-05T09:30:00Z"}
        ],
    },
    "finnhub": [
        {"category": "top news", "datetime": 1767605400, "headline": "Acme fails", "id": 7, "source": "Wire",
         "summary": "It did.", "url": "https://a.example/1"}
    ],
    "alphavantage": {
        "feed": [
            {"title": "Acme fails", "url": "https://a.example/1", "time_published": "20260105T093000",
             "summary": "It did.", "source": "Wire"}
        ]
    },
    "tushare": {
        "code": 0,
        "msg": None,
        "data": {
            "fields": ["datetime", "title", "content"],
            "items": [["2026-01-05 17:30:00", "", "阿克米公司破产"]],
        },
    },
    "reddit": {
        "data": {
            "children": [
                {"kind": "t3", "data": {"name": "t3_a", "title": "Acme fails", "selftext": "so",
                                        "permalink": "/r/x/1", "created_utc": 1767605400.0}}
            ]
        }
    },
    "mastodon": [
        {"uri": "https://m.example/1", "url": "https://m.example/@a/1", "content": "<p>Acme fails</p>",
         "created_at": "2026-01-05T09:30:00.000Z", "language": "en", "card": None}
    ],
    "hackernews": {
        "hits": [
            {"objectID": "1", "title": "Acme fails", "url": "https://a.example/1", "story_text": None,
             "created_at": "2026-01-05T09:30:00Z"}
        ]
    },
    "stocktwits": {
        "messages": [{"id": 1, "body": "$ACME fails", "created_at": "2026-01-05T09:30:00Z"}]
    },
}  # fmt: skip


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as site:
        yield site


def items(site: Site, kind: str = "api", path: str = "/v1?q=acme", **options: Any) -> list[RawItem]:
    source = open_source(SourceConfig("s", kind, site.url + path, options=options))
    try:
        found = list(source.poll(NOW))
    finally:
        source.close()
    assert all(isinstance(each, RawItem) for each in found)
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("name", presets())
def test_a_preset_reads_what_its_service_sends(site: Site, name: str) -> None:
    site.pages["/v1"] = json.dumps(ANSWERS[name]).encode()
    kind = presets()[name]["kind"]
    [item] = items(site, kind, preset=name, key=SECRET)
    article = to_article(item, NOW, DateRules())
    assert isinstance(article, Article)
    assert article.published_at == datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    assert "fails" in article.title or "破产" in article.title
    assert (kind == "posts") == (item.publisher == "s")


@pytest.mark.parametrize(("key_in", "name"), [("header", "X-Key"), ("query", "k"), ("body", "t")])
def test_the_key_is_sent_where_it_belongs_and_never_told(
    site: Site, key_in: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    site.pages["/v1"] = lambda asked: Answer(asked.path.encode(), 403)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SourceError, match="HTTP 403") as caught:
        items(site, key=SECRET, key_in=key_in, key_name=name)
    [asked] = site.asked
    sent = {
        "header": asked.headers.get("x-key"),
        "query": asked.query.get("k"),
        "body": json.loads(asked.body or b"{}").get("t"),
    }
    assert [where for where, key in sent.items() if key == SECRET] == [key_in]
    chain = [caught.value, caught.value.__cause__]
    assert "k3y" not in f"{chain} {ApiOptions(key=SECRET)}"
    ours = [record for record in caplog.records if record.name.startswith("monitor")]
    assert not any("k3y" in record.getMessage() for record in ours)


def test_a_key_does_not_follow_a_redirect_to_another_server(site: Site) -> None:
    with serve() as other:
        other.pages["/v1"] = b"[]"
        site.pages["/v1"] = Answer(b"", 302, {"Location": f"{other.url}/v1"})
        with pytest.raises(SourceError):  # not an address that anybody configured: not public
            items(site, key=SECRET, key_name="X-Key")
        assert other.asked == []
        site.pages["/v1"] = Answer(b"", 307, {"Location": "/v2"})
        with pytest.raises(SourceError, match="redirects a POST"):
            items(site, key=SECRET, key_in="body", key_name="t")


def test_a_key_comes_from_its_file(site: Site, tmp_path: Any) -> None:
    (tmp_path / "key").write_text("s3cret\n")
    site.pages["/v1"] = b"[]"
    items(site, key=f"file:{tmp_path}/key", key_prefix="Bearer ")
    assert site.asked[0].headers["authorization"] == "Bearer s3cret"


def record(number: int) -> dict[str, Any]:
    return {"title": f"Item {number}", "id": number, "published": 1767605400 + number}


def test_numbered_pages_end_with_an_empty_one(site: Site) -> None:
    def page(asked: Asked) -> bytes:
        number = int(asked.query["page"])
        return json.dumps([record(number)] if number <= 3 else []).encode()

    site.pages["/v1"] = page
    found = items(site, page_param="page", max_pages=10)
    assert [item.guid for item in found] == ["1", "2", "3"]
    assert [asked.query["q"] for asked in site.asked] == ["acme"] * 4
    assert len(items(site, page_param="page", max_pages=2)) == 2


def test_a_cursor_and_an_address_of_the_next_page_are_followed(site: Site) -> None:
    def page(asked: Asked) -> bytes:
        number = int(asked.query.get("after", 0))
        following = str(number + 1) if number < 2 else None
        return json.dumps({"rows": [record(number)], "next": following}).encode()

    site.pages["/v1"] = page
    assert len(items(site, items="rows", next="next", page_param="after")) == 3

    site.pages["/v1"] = json.dumps({"rows": [record(1)], "next": "/v2"}).encode()
    site.pages["/v2"] = json.dumps(
        {"rows": [record(2)], "next": "http://elsewhere.example/"}
    ).encode()
    with pytest.raises(SourceError, match="another server; not followed"):
        items(site, items="rows", next="next", key=SECRET)


def test_times_are_filled_in_in_the_zone_of_the_service(site: Site) -> None:
    site.pages["/v1"] = b"[]"
    options: dict[str, Any] = {
        "params": {"from": "{since:%Y-%m-%d %H}"},
        "time_zone": "Asia/Shanghai",
    }
    items(site, window_hours=2, **options)
    assert site.asked[0].query["from"] == "2026-01-05 16"
    with pytest.raises(SourceError, match=r"'\{then\}' cannot be filled in"):
        items(site, params={"from": "{then}"})


def test_a_date_without_zone_is_in_the_zone_of_the_service(site: Site) -> None:
    site.pages["/v1"] = b'[{"title": "A", "date": "2026-01-05 17:30"}]'
    [item] = items(site, time_zone="Asia/Shanghai")
    article = to_article(item, NOW, DateRules())
    assert isinstance(article, Article) and article.published_at.hour == 9


@pytest.mark.parametrize(
    ("answer", "options", "said"),
    [
        (b"<html>Sorry", {}, "not JSON .* begins: '<html>Sorry'"),
        (b'{"data": []}', {}, "no list at its top: name its path in items"),
        (b'{"data": []}', {"items": "rows"}, "no list at 'rows'; the answer holds: data"),
        (b'{"rows": 7}', {"items": "rows"}, "no list at 'rows'"),
        (
            b'{"rows": null, "why": "quota"}',
            {"items": "rows", "error": "why"},
            "service says: quota",
        ),
        (b'{"rows": []}', {"items": "rows", "columns": "names"}, "names of columns at 'names'"),
        (b"", {}, "holds no list"),
    ],
)
def test_a_wrong_answer_is_one_clear_error(
    site: Site, answer: bytes, options: dict[str, Any], said: str
) -> None:
    site.pages["/v1"] = answer
    with pytest.raises(SourceError, match=said):
        items(site, **options)


def test_records_that_are_none_cost_themselves_only(site: Site) -> None:
    site.pages["/v1"] = b'[7, null, {"title": {"x": 1}}, {"title": "A", "date": true}]'
    found = items(site)
    assert [item.title for item in found] == ["", "A"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"preset": "telex"}, "no preset 'telex'; presets are gdelt"),
        ({"key_in": "cookie"}, r"options\.key_in"),
        ({"itemz": "x"}, r"options\.itemz"),
        ({"fields": {"titel": "x"}}, r"options\.fields\.titel"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        open_source(SourceConfig("s", "api", "http://a.example", options=options))


def test_what_is_written_wins_over_the_preset() -> None:
    options = ApiOptions.model_validate(
        {"preset": "newsapi", "fields": {"url": "link"}, "max_pages": 3}
    )
    assert (options.fields.url, options.fields.title, options.max_pages) == ("link", "title", 3)
    assert options.key_name == "X-Api-Key"


def test_posts_are_hearsay_unless_somebody_says_otherwise() -> None:
    forum = SourceConfig("forum", "posts", "http://a.example")
    trusted = SourceConfig("desk", "posts", "http://a.example", credibility=0.9)
    wire = SourceConfig("wire", "feed", "http://a.example")
    assert [credibility(each) for each in (forum, trusted, wire)] == [0.3, 0.9, 1.0]
    assert hearsay([forum, trusted, wire]) == {"forum"}
