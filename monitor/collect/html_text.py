"""HTML to text: tags, scripts and styles go; words that stood in different blocks stay apart."""

from __future__ import annotations

import re

from lxml import etree
from lxml import html as lxml_html

from models.text import normalise

MAX_HTML_CHARS = 50_000
MAX_TEXT_CHARS = 3_000
TITLE_FROM_SUMMARY_CHARS = 120

_TAG = re.compile(r"<(?:/?[a-zA-Z][^<>]*|!--.*?--|![^<>]*|\?[^<>]*)>", re.DOTALL)
_MARKUP = re.compile(r"<[a-zA-Z/!?]")
_MAX_PASSES = 3
_DROPPED = ("script", "style", "noscript", "template", "iframe", "object", "svg", "title")
_BLOCKS = frozenset(
    (
        "address", "article", "aside", "blockquote", "br", "center", "dd", "div", "dl", "dt",
        "figcaption", "figure", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li",
        "main", "nav", "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul",
    )
)  # fmt: skip


def text_of_html(markup: str) -> str:
    """Return the normalised text of a title or summary that may be HTML, escaped once or twice.

    Reads at most `MAX_HTML_CHARS` and returns at most about `MAX_TEXT_CHARS` characters, so its
    cost is bounded whatever comes. No tag survives. The result is text: whoever shows it still
    escapes it.

    Examples
    --------
    >>> text_of_html("<p>Profit <b>falls</b></p><p>5 &lt; 6 &amp;amp; 7</p><script>x()</script>")
    'Profit falls 5 < 6 & 7'
    """
    if len(markup) > MAX_HTML_CHARS:
        markup = markup[:MAX_HTML_CHARS]
    text = normalise(_strip(markup) if _MARKUP.search(markup) else markup)[:MAX_TEXT_CHARS]
    for _ in range(_MAX_PASSES):
        if "<" not in text or _TAG.search(text) is None:
            return text
        text = normalise(_strip(text))
    return normalise(text.replace("<", " "))


def beginning(markup: str) -> str:
    """Return a title for a text that has none: its first words.

    Examples
    --------
    >>> beginning("<p>Profit falls</p>")
    'Profit falls'
    """
    text = text_of_html(markup)
    if len(text) <= TITLE_FROM_SUMMARY_CHARS:
        return text
    space = text.rfind(" ", TITLE_FROM_SUMMARY_CHARS // 2, TITLE_FROM_SUMMARY_CHARS)
    return text[: space if space > 0 else TITLE_FROM_SUMMARY_CHARS].rstrip() + "…"


def _strip(markup: str) -> str:
    data = markup.replace("\0", " ").encode("utf-8", "replace")
    parser = lxml_html.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True
    )
    try:
        tree = lxml_html.document_fromstring(data, parser=parser)
    except etree.ParserError:  # nothing but comments or white space
        return ""
    etree.strip_elements(tree, *_DROPPED, with_tail=False)
    pieces: list[str] = []
    length = 0
    for event, element in etree.iterwalk(tree, events=("start", "end")):
        if element.tag in _BLOCKS:
            pieces.append(" ")
        text = element.text if event == "start" else element.tail
        if text:
            pieces.append(text)
            length += len(text)
            if length > MAX_TEXT_CHARS:
                break
    return "".join(pieces)[: MAX_TEXT_CHARS + 1]
