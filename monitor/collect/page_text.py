"""What an article page says: its news without what stands around it, by whom and when, and whether it is all.

The text is trafilatura's with ``favor_precision`` and without comments: on the 181 news pages of
scrapinghub's article extraction benchmark its token F1 is 0.965, that of trafilatura's default 0.948
(``python -m tests.bench.extraction``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import trafilatura

from monitor.collect.dates import CHINA, parse_date
from monitor.collect.encodings import to_text
from monitor.collect.page_data import Stated, read_stated

STUB_CHARS = 1_500
WALL_CHARS = 1_000
_NOTE_CHARS = 300
_DECLARATION = re.compile(r"\s*<\?xml[^>]{0,200}>")

_PAYWALL = re.compile(
    # "Firms must register to continue operating" and "bought the remaining 30%" are news.
    r"\b(?:subscribe|register|sign up|sign in|log ?in)(?: now| today| for free)? (?:to|and) "
    r"(?:(?:continue|keep) reading|continue\s*(?:[.!]|$)|read (?:this|the|more|on|full)"
    r"|unlock (?:this|the|full))"
    r"|\balready (?:an? )?(?:subscriber|subscribed|member)\s?\?|\balready have an account\b"
    r"|\b(?:article|story|content|page) is (?:only )?(?:available |reserved |exclusive(?:ly)? )?(?:for|to)"
    r" (?:our |paying |premium |registered )?(?:subscribers|members|users)"
    r"|\bto (?:continue|keep) reading\b|\bcontinue reading (?:your article )?with a\b"
    r"|\b(?:unlock|read) the (?:full|rest of (?:the|this)|complete|whole) (?:article|story)"
    r"|\bstart your (?:free )?trial\b|\bcreate a free account to\b"
    r"|(?:订阅|登录|登入|注册|付费|购买|开通|成为|扫码)[^。!?]{0,12}(?:阅读|查看|浏览|解锁)[^。!?]{0,4}"
    r"(?:全文|(?:全部|完整|更多|剩余)(?:内容|文章))"
    r"|(?:本文|以下|剩余|余下)[^。!?]{0,8}(?:付费|会员|订阅)[^。!?]{0,6}(?:内容|专享|可见|阅读)"
    r"|(?:剩余|还有|余下)\s?\d{1,2}\s?%的?(?:内容|全文)",
    re.IGNORECASE | re.MULTILINE,
)
_WALL = re.compile(
    r"\b(?:are you|you(?:'|\u2019)?re not|not) a robot\b|\bunusual (?:activity|traffic)\b"
    r"|\b(?:enable|turn on|allow|requires?) (?:javascript|cookies|js)\b"
    r"|\baccess (?:to this (?:page|site) (?:has been|is) )?denied\b"
    r"|\bverify(?:ing)? (?:that )?you(?:'|\u2019)?(?: a)?re (?:a )?human\b"
    r"|\bchecking your browser\b|\bcaptcha\b|\bbefore you continue to\b"
    r"|\bwe (?:and our (?:\d+ )?partners )?(?:use|store)[^.]{0,60}\bcookies\b"
    r"|(?:完成|进行)[^。]{0,6}验证|人机验证|输入验证码|访问(?:过于|太)频繁|(?:开启|启用)\s?javascript",
    re.IGNORECASE,
)


class Access(StrEnum):
    """How much of its news a page shows. A closed set."""

    FULL = "full"
    STUB = "stub"  # a beginning; the rest is for those who pay or log in
    WALL = "wall"  # no news: a request to prove oneself human, to accept cookies, to switch something on


@dataclass(frozen=True, slots=True)
class PageText:
    """The news of a page.

    Parameters
    ----------
    title, text
        Plain text, a paragraph a line; the text without requests to subscribe.
    author
        Names, joined by commas; empty where the page names nobody.
    published, updated
        Aware UTC, as the page states them; ``None`` where it does not.
    language
        ISO 639-1, as stated.
    access
        Whether that is all of it.
    """

    title: str
    text: str
    author: str = ""
    published: datetime | None = None
    updated: datetime | None = None
    language: str | None = None
    access: Access = Access.FULL


def read_page(body: bytes, url: str | None = None, content_type: str = "") -> PageText | None:
    """Return the news of an HTML page, ``None`` where none is found. Never raises.

    Parameters
    ----------
    body
        As sent, decompressed.
    url
        Where it is.
    content_type
        The header of that name: it may name the encoding.

    Examples
    --------
    >>> read_page(b"no page") is None
    True
    """
    try:
        # Decoded here: the extractor knows neither the header nor what gb2312 means on the web, and would
        # unpack what looks compressed, without a bound.
        tree = trafilatura.load_html(_DECLARATION.sub("", to_text(body, content_type), count=1))
        if tree is None:
            return None
        stated = read_stated(tree)
        found = trafilatura.bare_extraction(
            tree,
            url=url,
            include_comments=False,
            favor_precision=True,
            with_metadata=True,
            # A date in words that it does not know would be tried in 200 languages: five seconds.
            date_extraction_params={"original_date": True, "extensive_search": False},
        )
    except Exception:  # hostile input: a page that breaks the extractor is a page without text
        return None
    if found is None or isinstance(found, dict):
        return None
    title, text = found.title or "", found.text or ""
    access = access_of(title, text, stated)
    return PageText(
        title,
        text if access is Access.FULL else _without_requests(text),
        stated.author or found.author or "",
        stated.published or _day(found.date, stated.language),
        stated.updated,
        stated.language,
        access,
    )


def access_of(title: str, text: str, stated: Stated) -> Access:
    """Return whether a page shows all of its news.

    A long text is an article, whatever stands around it: metered sites state of every page that it is not
    free, and show it.

    Examples
    --------
    >>> access_of("Acme falls", "Shares of Acme fell. Subscribe to continue reading.", Stated()).value
    'stub'
    >>> access_of("Are you a robot?", "Please make sure that your browser supports cookies.", Stated()).value
    'wall'
    """
    if len(text) < WALL_CHARS and _WALL.search(f"{title} {text}"):
        return Access.WALL
    if len(text) < STUB_CHARS and (stated.free is False or _PAYWALL.search(text)):
        return Access.STUB
    return Access.FULL


def _without_requests(text: str) -> str:
    lines = text.split("\n")
    kept = [line for line in lines if len(line) > _NOTE_CHARS or not _PAYWALL.search(line)]
    return "\n".join(kept).strip()


def _day(date: str | None, language: str | None) -> datetime | None:
    try:
        return parse_date(date, CHINA if language == "zh" else UTC) if date else None
    except (ValueError, OverflowError, OSError):
        return None
