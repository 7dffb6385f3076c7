"""One page that is itself the news: a notice that is replaced, a live blog, a press room's front."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from monitor.collect.documents import MAX_CHARS
from monitor.collect.raw import RawItem
from monitor.collect.source import Failure, SourceConfig, SourceError
from monitor.collect.web_source import RenderedOptions, WebSource
from monitor.domain import DeadItem, digest


class PageSource(WebSource):
    """One article page; when its text changes, that is an update of its item.

    An update is dated by when the page says that it was updated: the first text may be weeks old.
    """

    Options = RenderedOptions

    def __init__(self, config: SourceConfig) -> None:
        super().__init__(config)
        self.options: RenderedOptions = config.options or RenderedOptions()
        self._text = ""  # digest of what was read last

    @property
    def memory(self) -> Mapping[str, str]:
        """As other sources on the web have it, and what the text was."""
        known = super().memory
        return {**known, "text": self._text} if known else known

    def remember(self, memory: Mapping[str, str]) -> None:
        """Take up what an earlier process knew of this page."""
        super().remember(memory)
        if memory.get("location") == self.location:
            self._text = memory.get("text", "")

    def poll(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        """Yield the page as an item, if it has changed."""
        from monitor.collect.page_text import Access, read_page  # the extractor is slow to import

        fetched = self.page(self.options)
        if fetched.body is None:
            return
        page = read_page(fetched.body, fetched.url, fetched.headers.get("content-type", ""))
        if page is not None and page.access is Access.WALL:
            raise SourceError(
                f"{self.location}: the page shows no news to a program, but a request ({page.title!r}); is "
                "there a feed or an API?",
                kind=Failure.BLOCKED,
            )
        if page is None or not page.title or not page.text:
            raise SourceError(
                f"{self.location}: no article was found on the page; does it need JavaScript or a login?",
                kind=Failure.NOTHING_FOUND,
            )
        text = digest(f"{page.title}\n{page.text}")
        if text != self._text:
            updated = page.updated if self._text else None
            yield RawItem(
                source=self.name,
                origin=self.location,
                title=page.title,
                summary="",
                url=self.location,
                guid=None,
                published=updated or page.published,
                publisher=self.config.publisher,
                language=self.config.language,
                body=page.text[:MAX_CHARS],
                author=page.author,
            )
        self._text = text
        self.keep(self.location, fetched)
