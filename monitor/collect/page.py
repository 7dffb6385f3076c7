"""One page that is itself the news: a notice that is replaced, a live blog, a press room's front."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from monitor.collect.documents import MAX_CHARS
from monitor.collect.raw import RawItem
from monitor.collect.source import SourceError
from monitor.collect.web_source import WebSource
from monitor.domain import DeadItem


class PageSource(WebSource):
    """One article page; when its text changes, that is an update of its item."""

    def poll(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        """Yield the page as an item, if it has changed."""
        from monitor.collect.pages import from_page  # the extractor takes half a second to import

        fetched = self.get(self.location)
        if fetched.body is None:
            return
        empty = RawItem(
            source=self.name,
            origin=self.location,
            title="",
            summary="",
            url=self.location,
            guid=None,
            published=None,
            publisher=self.config.publisher,
            language=self.config.language,
        )
        item = from_page(empty, fetched.body, MAX_CHARS)
        if not item.title or not item.summary:
            raise SourceError(
                f"{self.location}: no article was found on the page; does it need JavaScript or a login?"
            )
        yield replace(item, summary="", body=item.summary)
        self.keep(self.location, fetched)
