"""Documents and dates that nobody would write, near enough to real ones to get past the first check."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

SAMPLES = Path(__file__).parents[1] / "contract" / "samples" / "sources"
ENCODINGS = (
    "utf-8",
    "utf-8",
    "utf-16",
    "utf-16-be",
    "gb18030",
    "big5hkscs",
    "latin-1",
    "cp932",
    "koi8-r",
)
HEADERS = (
    "",
    "text/xml; charset=gb2312",
    'text/html; charset="utf-7"',
    "application/json",
    "x; charset=idna",
)
_ODD = (
    "", " ", "\0", "\ufeff", "\ud800", "\u202e", "<", ">", "&", "&amp;", "&#0;", "&#x110000;",
    "&#55296;", "&LT;b&GT;", "]]>", "<![CDATA[", "<!--", "-->", "<?xml", "?>", "'", '"', "央行降准", "𠀀",
    "é", "http://[::1", "//", "javascript:1", "2026-01-05T09:30:00Z", "Mon, 05 Jan 2026 09:30:00 GMT",
    "99999999999999", "-1", "1e999", "<b>Profit</b>", "%", "{}",
)  # fmt: skip
texts = st.lists(st.sampled_from(_ODD) | st.text(max_size=12), max_size=6).map("".join)
_FEED_TAGS = (
    "rss", "channel", "item", "title", "link", "guid", "pubDate", "description", "content:encoded",
    "dc:date", "dc:creator", "feed", "entry", "id", "updated", "published", "summary", "content",
    "author", "name", "source", "rdf:RDF", "media:title", "ttl", "sy:updatePeriod", "html", "body",
    "a b", "x:y:z", "urlset", "language", "",
)  # fmt: skip
_PAGE_TAGS = (
    "html", "head", "title", "meta", "script", "body", "article", "main", "h1", "p", "div", "span", "a",
    "ul", "li", "table", "tr", "td", "br", "time", "section", "svg", "noscript", "template", "iframe",
    "form", "blockquote", "",
)  # fmt: skip
_ATTRIBUTES = (
    "href", "rel", "type", "isPermaLink", "xml:base", "xml:lang", "xmlns", "xmlns:dc", "encoding",
    "mode", "lang", "property", "name", "content", "datetime", "itemprop", "class", "id", "charset",
)  # fmt: skip
_VALUES = (
    "article:published_time", "article:modified_time", "author", "datePublished", "application/ld+json",
    "html", "xhtml", "base64", "escaped", "http://www.w3.org/2005/Atom",
    "http://purl.org/dc/elements/1.1/", "alternate",
)  # fmt: skip
_JSON_KEYS = (
    "version", "title", "items", "id", "url", "content_html", "content_text", "date_published",
    "authors", "name", "language", "@graph", "@type", "author", "datePublished", "dateModified",
    "isAccessibleForFree", "summary",
)  # fmt: skip
_DATE_PIECES = (
    "2026", "26", "0", "1", "05", "31", "59", "60", "99", "-", "/", ".", ":", " ", ",", "T", "Z", "+",
    "+0800", "-04:00", "+99:99", "(EDT)", "GMT", "CST", "XYZ", "Mon", "Jan", "Sept", "März", "Déc",
    "AM", "p.m.", "年", "月", "日", "时", "點", "分", "秒", "at", "٣", "²", "\u2028", "1398916800",
    "-1398916800123", "9999-12-31", "0001-01-01", "24:00", "LONDON (Wire) - ", "新华社北京", "日电",
)  # fmt: skip

dates = st.lists(st.sampled_from(_DATE_PIECES) | st.text(max_size=3), max_size=14).map("".join)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | texts | st.sampled_from(_VALUES),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(_JSON_KEYS) | texts, inner, max_size=6)
    ),
    max_leaves=12,
)


@st.composite
def _attributes(draw: st.DrawFn) -> str:
    found = draw(
        st.lists(
            st.tuples(st.sampled_from(_ATTRIBUTES), st.sampled_from(_VALUES) | texts), max_size=3
        )
    )
    return "".join(f' {name}="{html.escape(value)}"' for name, value in found)


def _trees(tags: tuple[str, ...], *others: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return markup whose elements are mostly closed; ``others`` are further leaves."""
    leaves = texts | texts.map(html.escape) | texts.map(lambda text: f"<![CDATA[{text}]]>")
    leaves = st.one_of(leaves, *others)
    return st.recursive(
        leaves,
        lambda inner: st.builds(
            lambda tag, attributes, children, closed: (
                f"<{tag}{attributes}>{''.join(children)}" + (f"</{tag}>" if closed else "")
            ),
            st.sampled_from(tags),
            _attributes(),
            st.lists(inner, max_size=4),
            st.integers(0, 9).map(bool),
        ),
        max_leaves=15,
    )


def _script(value: Any) -> str:
    return f'<script type="application/ld+json">{json.dumps(value)}</script>'


@st.composite
def _mangled(draw: st.DrawFn, text: str) -> bytes:
    """Return a text as bytes, some of them moved, doubled, lost or made up."""
    data = text.encode(draw(st.sampled_from(ENCODINGS)), "replace")
    for _ in range(draw(st.integers(0, 3))):
        begin = draw(st.integers(0, len(data)))
        end = draw(st.integers(begin, min(len(data), begin + 400)))
        piece = draw(
            st.sampled_from((b"", data[begin:end] * 2, data[begin:end][::-1]))
            | st.binary(max_size=8)
        )
        data = data[:begin] + piece + data[end:]
    return data


def feeds() -> st.SearchStrategy[bytes]:
    """Feeds: generated, or real ones; then mangled."""
    items = st.lists(_trees(_FEED_TAGS), max_size=4).map("".join)
    whole = items.map(
        lambda inner: f'<rss version="2.0"><channel><item>{inner}</item></channel></rss>'
    )
    atom = items.map(
        lambda inner: f'<feed xmlns="http://www.w3.org/2005/Atom"><entry>{inner}</entry></feed>'
    )
    wrapped = json_values.map(lambda value: json.dumps({"version": "1.1", "items": [value]}))
    samples = st.sampled_from([_sample("feed.xml"), _sample("sitemap.xml"), _sample("api.json")])
    generated = _trees(_FEED_TAGS) | whole | atom | wrapped | json_values.map(json.dumps) | samples
    return generated.flatmap(_mangled)


def pages() -> st.SearchStrategy[bytes]:
    """Article pages: generated, or a real one; then mangled."""
    story = _sample("page.html")
    trees = _trees(_PAGE_TAGS, json_values.map(_script))
    inside = trees.map(lambda inner: story.replace("<article>", f"<article>{inner}"))
    headed = trees.map(lambda inner: story.replace("<head>", f"<head>{inner}"))
    samples = st.sampled_from([story, _sample("list.html"), _sample("files.html")])
    return (trees | inside | headed | samples).flatmap(_mangled)


def _sample(name: str) -> str:
    return (SAMPLES / name).read_text("utf-8")
