"""What every source brings: one item as found, before anything is cleaned or believed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RawItem:
    """One item as its source gave it. Nothing in it is trusted yet.

    Parameters
    ----------
    source
        Name of the configured source.
    origin
        ``FILE:LINE``, or the feed's URL or path.
    title, summary
        Text or HTML; the summary may be empty.
    url, guid
        Where the item is, and what its publisher calls it.
    published
        As written, or a datetime; ``None`` when the source gives no date.
    publisher, language
        As stated by the item, its feed or the source's configuration.
    body
        The text, not HTML, of a whole document; then the summary may be empty.
    author
        Who wrote it, as its page or feed names them.
    """

    source: str
    origin: str
    title: str
    summary: str
    url: str | None
    guid: str | None
    published: str | datetime | None
    publisher: str | None = None
    language: str | None = None
    body: str = ""
    author: str = ""
