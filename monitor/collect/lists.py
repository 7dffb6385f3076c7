"""HTML pages that list news: each item by a CSS selector, its parts by others inside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

from cssselect import SelectorError
from lxml import etree
from lxml import html as lxml_html
from lxml.cssselect import CSSSelector
from pydantic import Field, field_validator

from monitor.collect.dates import parse_date
from monitor.collect.encodings import to_text
from monitor.collect.raw import RawItem
from monitor.collect.source import Failure, SourceConfig, SourceError
from monitor.collect.web_source import RenderedOptions, WebSource
from monitor.domain import DeadItem

MAX_ITEMS = 1_000


class ListOptions(RenderedOptions):
    """CSS selectors; those of the parts begin at the item."""

    item: str = Field(description="Selects every item of the list, such as `ul.news > li`.")
    title: str = Field("", description="Selects the title; by default the text of the link.")
    link: str = Field("a[href]", description="Selects the link; the item itself may be one.")
    summary: str = Field("", description="Selects the lead, where the list has any.")
    date: str = Field(
        "time",
        description="Selects the date; its `datetime` or `title` attribute goes before its text.",
    )
    time_zone: ZoneInfo = Field(ZoneInfo("UTC"), description="Zone of dates that name none.")

    @field_validator("item", "title", "link", "summary", "date")
    @classmethod
    def _is_a_selector(cls, value: str) -> str:
        if value:
            try:
                CSSSelector(value, translator="html")
            except SelectorError as error:
                raise ValueError(f"{value!r} is not a CSS selector: {error}") from None
        return value


class ListSource(WebSource):
    """An HTML page that lists news, by CSS selectors; with `articles` the page of each item is read, too."""

    Options = ListOptions

    def __init__(self, config: SourceConfig) -> None:
        super().__init__(config)
        self.options: ListOptions = config.options

    def poll(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        """Yield the items of the list; see `monitor.collect.source.Source.poll`."""
        fetched = self.page(self.options, wait_for=self.options.item)
        if fetched.body is None:
            return
        complete = self.completer() if self.config.articles else None
        text = to_text(fetched.body, fetched.headers.get("content-type", ""))
        for item in read_list(text, fetched.url, self.config, self.options):
            yield complete(item) if complete else item
        self.keep(self.location, fetched)


def read_list(text: str, url: str, config: SourceConfig, told: ListOptions) -> Iterator[RawItem]:
    """Yield the items of a page.

    Raises
    ------
    SourceError
        Nothing on the page is selected: it has changed, or needs JavaScript.
    """
    try:
        # As UTF-8, whatever the page says of itself: it is text already.
        parser = lxml_html.HTMLParser(encoding="utf-8", no_network=True)
        page = lxml_html.document_fromstring(text.encode(), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise SourceError(
            f"{config.location}: not a readable page: {error}", kind=Failure.UNREADABLE
        ) from None
    etree.strip_elements(page, "script", "style", with_tail=False)
    found = _select(page, told.item)[:MAX_ITEMS]
    if not found:
        raise SourceError(
            f"{config.location}: nothing on the page is {told.item!r}; has the page changed"
            + (
                "?"
                if told.javascript
                else ", or does it need JavaScript (options.javascript = true)?"
            ),
            kind=Failure.NOTHING_FOUND,
        )
    language = config.language or page.get("lang")
    for element in found:
        link = element if element.get("href") else _first(element, told.link)
        href = link.get("href") if link is not None else None
        title = _first(element, told.title) if told.title else link
        summary = _first(element, told.summary) if told.summary else None
        yield RawItem(
            source=config.name,
            origin=config.location,
            title=_words(title if title is not None else element),
            summary=_words(summary),
            url=_joined(url, href),
            guid=None,
            published=_dated(_first(element, told.date) if told.date else None, told.time_zone),
            publisher=config.publisher,
            language=language,
        )


def _select(element: etree._Element, selector: str) -> list[etree._Element]:
    return list(CSSSelector(selector, translator="html")(element))


def _first(element: etree._Element, selector: str) -> etree._Element | None:
    return next(iter(_select(element, selector)), None)


def _words(element: etree._Element | None) -> str:
    """Return the text of an element; what looks like markup in it was text on the page."""
    if element is None:
        return ""
    return " ".join("".join(element.itertext()).split()).replace("<", "&lt;")


def _joined(base: str, href: str | None) -> str | None:
    try:
        return urljoin(base, href.strip()) if href else None
    except ValueError:
        return None


def _dated(element: etree._Element | None, zone: ZoneInfo) -> str | datetime | None:
    if element is None:
        return None
    written = element.get("datetime") or element.get("title") or _words(element)
    try:
        return parse_date(written, zone) if written else None
    except (ValueError, OverflowError, OSError):
        return None  # "2 hours ago": the time of the visit stands in
