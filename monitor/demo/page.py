"""HTML pages: one per article, and an index of the feeds. All that comes from items is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import yaml

from monitor.demo.items import DemoItem
from monitor.demo.outlets import OUTLETS, Outlet

_BACKGROUNDS = Path(__file__).with_name("backgrounds.yaml")
_STYLE = (
    "body{font:17px/1.5 Georgia,serif;max-width:40em;margin:2em auto;padding:0 1em}"
    "nav,footer{color:#666}"
)


def load_backgrounds() -> Mapping[str, str]:
    """Return the paragraph that closes an article, by the name that calls for it."""
    found: dict[str, str] = yaml.safe_load(_BACKGROUNDS.read_text(encoding="utf-8"))
    return found


def article_page(item: DemoItem, outlet: Outlet, backgrounds: Mapping[str, str]) -> bytes:
    """Return the page of an item: headline, byline, summary and background."""
    text = plain_text(item.summary)
    about = [words for name, words in backgrounds.items() if name in item.title + text]
    about.append(backgrounds[outlet.slug])
    paragraphs = "\n".join(f"<p>{escape(words)}</p>" for words in [text, *about])
    # A page that was moved here from an archive says nothing about its date: its link does.
    fresh = f"/{item.published:%Y/%m/%d}/" in item.path
    moment = item.published.isoformat()
    meta = f'<meta property="article:published_time" content="{moment}">' if fresh else ""
    when = f"<time>{item.published:%Y-%m-%d %H:%M} UTC</time>" if fresh else ""
    title = escape(item.title or "Untitled")
    return _page(
        outlet.language,
        title,
        f'<meta name="description" content="{escape(text)}">'
        f'<meta property="og:title" content="{title}">'
        f'<meta property="og:site_name" content="{escape(outlet.title)}">{meta}',
        f'<nav><a href="/">{escape(outlet.title)}</a></nav><main><article><h1>{title}</h1>'
        f'<p class="byline">{escape(outlet.byline)} {when}</p>\n{paragraphs}\n</article></main>'
        f"<footer>{escape(outlet.title)} is invented, like everything it reports.</footer>",
    )


def index_page(now: datetime) -> bytes:
    """Return the list of feeds, with the time that the demo believes in."""
    rows = "".join(
        f'<li><a href="/feeds/{o.slug}.xml">{escape(o.title)}</a> ({o.language}): '
        f"{escape(o.tagline)}</li>"
        for o in OUTLETS.values()
    )
    title = "Foreshock demo feeds"
    body = f"<h1>{title}</h1><p>It is {now:%Y-%m-%d %H:%M} UTC here.</p><ul>{rows}</ul>"
    return _page("en", title, "", body)


def plain_text(html: str) -> str:
    """Return the text of a piece of HTML, without scripts.

    Examples
    --------
    >>> plain_text("<p>Tape &amp; <b>Candle</b></p><script>alert(1)</script>")
    'Tape & Candle'
    """
    reader = _TextReader()
    reader.feed(html)
    reader.close()
    return " ".join("".join(reader.parts).split())


class _TextReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: Iterable[object]) -> None:
        self._silent += tag in {"script", "style"}

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)


def _page(language: str, title: str, head: str, body: str) -> bytes:
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f"<title>{title}</title>{head}<style>{_STYLE}</style></head><body>{body}</body></html>\n"
    ).encode()
