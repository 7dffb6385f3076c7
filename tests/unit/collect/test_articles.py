"""Raw items to articles: text, address, language, identity, and what goes dead."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.collect.articles import MAX_LEAD_CHARS, MAX_PAYLOAD_CHARS, dead_item, to_article
from monitor.collect.dates import DateRules, dateline
from monitor.collect.html_text import _TAG, text_of_html
from monitor.collect.languages import language_of
from monitor.collect.raw import RawItem
from monitor.collect.urls import canonical_url, named_date
from monitor.domain import Article, DateStatus, DeadItem, DeadReason

NOW = datetime(2026, 1, 5, 9, 31, tzinfo=UTC)
RULES = DateRules()
RAW = RawItem(
    "wire", "x.csv:2", "Acme cuts outlook", "", "https://a.example/1", "g1", "2026-01-05T09:30:00Z"
)

any_text = st.text(max_size=300) | st.sampled_from(
    [
        "<b",
        "&lt;script&gt;x",
        "<!--",
        "\0",
        "\ud800",
        "<p>" * 50,
        "]]>",
        "&amp;amp;lt;b&gt;",
        "http://[",
    ]
)


def article(raw: RawItem, now: datetime = NOW) -> Article:
    made = to_article(raw, now, RULES)
    assert isinstance(made, Article), made
    return made


def dead(raw: RawItem) -> DeadItem:
    made = to_article(raw, NOW, RULES)
    assert isinstance(made, DeadItem), made
    return made


@settings(deadline=None)  # the language model is loaded by the first item that needs it
@given(
    title=any_text,
    summary=any_text,
    url=st.none() | any_text | any_text.map("http://a.example/".__add__),
    guid=st.none() | any_text,
    published=st.none() | any_text | st.datetimes() | st.datetimes().map(str),
    publisher=st.none() | any_text,
    language=st.none() | any_text | st.just("en"),
)
def test_never_raises_and_is_always_storable(
    title: str, summary: str, url: str, guid: str, published: str, publisher: str, language: str
) -> None:
    raw = RawItem("s", "f:1", title, summary, url, guid, published, publisher, language)
    made = to_article(raw, NOW, RULES)
    if isinstance(made, DeadItem):
        texts = [made.payload, made.detail]
        assert len(made.payload) <= MAX_PAYLOAD_CHARS
    else:
        texts = [made.title, made.lead, made.publisher, made.language, made.url or ""]
        assert made.title
        assert made.published_at <= NOW
        assert _TAG.search(made.title) is None
    for text in texts:
        text.encode()
        assert "\0" not in text


@settings(deadline=None)
@given(st.lists(st.sampled_from(["utm_source=a", "fbclid=1", "gclid=x", "utm_id="]), max_size=4))
def test_id_is_stable_under_tracking_parameters(tracking: list[str]) -> None:
    plain = article(replace(RAW, url="https://a.example/p?id=7"))
    tracked = article(
        replace(RAW, url="https://A.example:443/p?" + "&".join([*tracking, "id=7"]) + "#x")
    )
    assert (tracked.id, tracked.revision) == (plain.id, plain.revision)
    assert article(replace(RAW, url="https://a.example/p?id=8")).id != plain.id


@given(any_text)
def test_canonical_url_is_idempotent(text: str) -> None:
    for url in (text, "https://a.example/" + text):
        once = canonical_url(url)
        assert once is None or canonical_url(once) == once


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("http://user:secret@a.example/x", "http://a.example/x"),
        ("https://a.example?b=1&&utm_term=", "https://a.example/?b=1"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("https://a.example:8443/%7Ex", "https://a.example:8443/%7Ex"),
        ('https://a.example/"><script>', "https://a.example/%22%3E%3Cscript%3E"),
        ("tag:github.com,2008:x", None),
        ("http://a.example:99999/", None),
        ("https://a.example/" + "x" * 3000, None),
    ],
)
def test_canonical_url(url: str, canonical: str | None) -> None:
    assert canonical_url(url) == canonical


@pytest.mark.parametrize(
    ("lead", "date"),
    [
        ("CHICAGO, Dec. 9, 2002 (Wire) - The airline filed", datetime(2002, 12, 9, tzinfo=UTC)),
        ("ST. LOUIS, Mo., Dec 9, 2002 -- The airline", datetime(2002, 12, 9, tzinfo=UTC)),
        ("CHICAGO (Wire) - December 9, 2002 - The airline", datetime(2002, 12, 9, tzinfo=UTC)),
        ("Dec. 9, 2002 /Newswire/ -- The airline", datetime(2002, 12, 9, tzinfo=UTC)),
        ("NEW YORK--Dec 9, 2002--The airline", datetime(2002, 12, 9, tzinfo=UTC)),
        ("某社北京2015年3月2日电 某公司", datetime(2015, 3, 2, tzinfo=UTC)),
        ("CHICAGO, Dec 9 (Wire) - In 2002 the airline", None),
        ("The airline filed on Dec. 9, 2002 - and was", None),
        ("Feb 30, 2002 - The airline", None),
        ("截至2015年3月2日,某公司", None),
    ],
)
def test_datelines(lead: str, date: datetime | None) -> None:
    assert dateline(lead) == date


def test_an_old_dateline_makes_old_news() -> None:
    for lead, status in (
        ("CHICAGO, Dec. 9, 2002 (Wire) - The airline filed", DateStatus.STALE),
        ("CHICAGO, Jan. 5, 2026 (Wire) - The airline filed", DateStatus.OK),
    ):
        assert article(replace(RAW, summary=lead)).date_status is status


def test_named_dates() -> None:
    assert named_date("/a/2014-05-01-story") == datetime(2014, 5, 1, tzinfo=UTC)
    assert named_date("idUSN2218971920070701") == datetime(2007, 7, 1, tzinfo=UTC)
    assert named_date("https://a.example/2014/13/01/x") is None
    assert named_date("https://a.example/story-20251") is None


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>a</p><p>b<br>c</p>", "a b c"),
        ("<span>中</span><span>国</span>", "中国"),
        ("&lt;b&gt;Bold&lt;/b&gt; move", "Bold move"),
        ("Profit < 5% & rising", "Profit < 5% & rising"),
        ("x<style>p{}</style><script>alert(1)</script>y<!-- no -->", "xy"),
        ("<![CDATA[a]]>", ""),
        ("", ""),
    ],
)
def test_text_of_html(markup: str, text: str) -> None:
    assert text_of_html(markup) == text


def test_huge_and_hostile_markup_costs_little() -> None:
    hostile = [
        "<div>" * 400_000,
        "&lt;!--" * 300_000,
        "<" * 2_000_000,
        "<!--" * 500_000,
        "&amp;" * 400_000,
    ]
    started = time.process_time()
    for markup in hostile:
        to_article(replace(RAW, title=markup[:8_000], summary=markup), NOW, RULES)
        assert dead(replace(RAW, title=markup)).reason is DeadReason.TOO_LARGE
    assert time.process_time() - started < 2.0


def test_dead_titles() -> None:
    assert dead(replace(RAW, title=" \u200b<b></b> ")).reason is DeadReason.EMPTY_TITLE
    assert dead(replace(RAW, title="x" * 1001)).reason is DeadReason.TOO_LARGE
    assert article(replace(RAW, title="<b>" + "x" * 1000 + "</b>"))
    assert dead(replace(RAW, title="")).origin == "x.csv:2"


def test_bad_date_names_the_date() -> None:
    found = dead(replace(RAW, published="the day after"))
    assert found.reason is DeadReason.BAD_DATE
    assert "the day after" in found.detail


def test_personal_data_is_masked_everywhere() -> None:
    raw = replace(RAW, title="Mail bob@example.com now", summary="or <b>call +44 20 7946 0958</b>")
    made = article(raw)
    assert (made.title, made.lead) == ("Mail [email] now", "or call [phone]")
    assert "bob@" not in dead(replace(raw, published="never")).payload


def test_a_number_on_the_edge_of_the_lead_is_masked() -> None:
    made = article(replace(RAW, summary="x" * (MAX_LEAD_CHARS - 12) + " +44 20 7946 0958 end"))
    assert "7946" not in made.lead
    assert len(made.lead) <= MAX_LEAD_CHARS


def test_lead_that_repeats_the_title_is_dropped() -> None:
    assert article(replace(RAW, summary="<p>Acme cuts outlook</p>")).lead == ""


def test_publisher() -> None:
    assert article(replace(RAW, url="https://www.news.example/x")).publisher == "news.example"
    assert article(replace(RAW, publisher="Reuters")).publisher == "Reuters"
    assert article(replace(RAW, url=None)).publisher == "wire"


def test_identity_without_url_and_guid_survives_a_missing_date() -> None:
    raw = replace(RAW, url=None, guid=None, published=None)
    first, later = article(raw), article(raw, datetime(2026, 1, 6, tzinfo=UTC))
    assert first.id == later.id
    assert first.date_status is DateStatus.MISSING
    assert later.published_at == datetime(2026, 1, 6, tzinfo=UTC)


def test_language() -> None:
    assert language_of(None, "Fed raises rates by a quarter point as inflation persists") == "en"
    assert (
        language_of(None, "Die Deutsche Bank senkt ihre Prognose für das laufende Geschäftsjahr")
        == "de"
    )
    assert language_of(None, "ロイターサミット、女性の活躍推進が最重要課題") == "ja"
    assert language_of(None, "삼성전자, 3분기 영업이익 급감") == "ko"
    assert language_of(None, "ЦБ повысил ключевую ставку") == "ru"
    assert language_of(None, "12.5%") == "und"
    assert language_of("fr-CA", "REG-Note") == "fr"
    assert language_of("en", "Nestlé earnings") == "en"


def test_dead_item_payload_is_bounded() -> None:
    found = dead_item(DeadReason.TORN_ROW, "d", "f:1", "\0" * 9_000_000, NOW)
    assert len(found.payload) == MAX_PAYLOAD_CHARS


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Ann Lee, Bo Chan", "Ann Lee, Bo Chan"),
        ("jane@a.example (Jane Roe)", "Jane Roe"),
        ("Jane Roe &lt;jane@a.example&gt;", "Jane Roe"),
        ("<b>李雷</b>", "李雷"),
        ("jane@a.example", ""),
        ("x" * 5_000, "x" * 200),
    ],
)
def test_an_author_is_a_name_without_an_address(said: str, kept: str) -> None:
    made = article(replace(RAW, author=said))
    assert made.author == kept
    assert (made.id, made.revision) == (article(RAW).id, article(RAW).revision)
