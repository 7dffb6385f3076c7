"""From a raw item to an article: cleaned, masked, dated, named."""

from __future__ import annotations

import re
from datetime import datetime

from models.text import mask, normalise
from monitor.collect.dates import DateRules, dateline, parse_date, to_utc
from monitor.collect.html_text import text_of_html
from monitor.collect.languages import language_of
from monitor.collect.raw import RawItem
from monitor.collect.urls import canonical_url, domain_of, named_date
from monitor.domain import (
    EPOCH,
    Article,
    DeadItem,
    DeadReason,
    article_id,
    revision_of,
    storable,
)

STAGE = "collect"
MAX_TITLE_CHARS = 1_000
MAX_LEAD_CHARS = 1_000
MAX_BODY_CHARS = 100_000
MAX_PUBLISHER_CHARS = 100
MAX_AUTHOR_CHARS = 200
MAX_PAYLOAD_CHARS = 2_000
_MAX_RAW_TITLE_CHARS = 8 * MAX_TITLE_CHARS  # markup and entities may take this much
_MAIL = re.compile(r"\S+@\S+")


def to_article(raw: RawItem, now: datetime, rules: DateRules) -> Article | DeadItem:
    """Make an article of a raw item, or say why it cannot be one. Never raises.

    Parameters
    ----------
    raw
        What a source brought.
    now
        Ingest time, aware UTC.
    rules
        What makes a date unbelievable.

    Returns
    -------
    Article | DeadItem
        Title and lead are normalised, free of markup and masked; event time is never after ``now``.

    Examples
    --------
    >>> from datetime import UTC
    >>> raw = RawItem("wire", "x.csv:2", "Acme &amp; Co <b>fails</b>", "", "http://a.example/1?utm_id=2",
    ...               None, "2026-01-05T09:30:00Z", language="en")
    >>> article = to_article(raw, datetime(2026, 1, 5, 9, 31, tzinfo=UTC), DateRules())
    >>> article.title, article.url, article.publisher, article.date_status.value
    ('Acme & Co fails', 'http://a.example/1', 'a.example', 'ok')
    """
    if len(raw.title) > _MAX_RAW_TITLE_CHARS:
        return _dead(raw, now, DeadReason.TOO_LARGE, _too_long(len(raw.title)))
    title = mask(text_of_html(raw.title))
    if not title:
        return _dead(raw, now, DeadReason.EMPTY_TITLE, "the title holds no text")
    if len(title) > MAX_TITLE_CHARS:
        return _dead(raw, now, DeadReason.TOO_LARGE, _too_long(len(title)))
    try:
        stated = _stated_date(raw.published, rules)
    except (ValueError, OverflowError, OSError) as error:
        return _dead(raw, now, DeadReason.BAD_DATE, f"cannot read the date: {error}")

    body = _body(raw.body) if raw.body else ""
    lead = _lead(raw.summary, title) if raw.summary else _cut(body)
    url = canonical_url(raw.url)
    named = [named_date(url or raw.guid or ""), dateline(lead)]
    oldest = min((date for date in named if date is not None), default=None)
    published_at, status = rules.judge(stated, oldest, now)
    # An item without a date keeps its id however often its feed is read.
    dated = EPOCH if stated is None else stated
    return Article(
        id=article_id(url, raw.guid or raw.url, raw.source, title, dated),
        revision=revision_of(title, body or lead),
        source=raw.source,
        publisher=_publisher(raw, url),
        url=url,
        title=title,
        lead=lead,
        language=language_of(raw.language, title, lead),
        published_at=published_at,
        ingested_at=now,
        date_status=status,
        body=body if len(body) > MAX_LEAD_CHARS else "",
        author=_author(raw.author) if raw.author else "",
    )


def dead_item(
    reason: DeadReason, detail: str, origin: str, payload: str, now: datetime
) -> DeadItem:
    """Return a dead item of this stage; its payload is cut, masked and can be stored anywhere.

    Examples
    --------
    >>> from datetime import UTC
    >>> dead = dead_item(DeadReason.TORN_ROW, "1 field", "x.csv:3", "a\\0b", datetime.now(UTC))
    >>> dead.payload
    'a\\\\x00b'
    """
    return DeadItem(
        reason, detail, origin, mask(_storable(payload))[:MAX_PAYLOAD_CHARS], STAGE, now
    )


def _storable(text: str) -> str:
    return storable(text[:MAX_PAYLOAD_CHARS])


def _dead(raw: RawItem, now: datetime, reason: DeadReason, detail: str) -> DeadItem:
    fields = (raw.published, raw.guid, raw.url, raw.title, raw.summary)
    payload = " | ".join(str(value)[:MAX_PAYLOAD_CHARS] for value in fields if value)
    return dead_item(reason, _storable(detail), raw.origin, payload, now)


def _too_long(length: int) -> str:
    return f"the title has {length} characters, at most {MAX_TITLE_CHARS} are taken"


def _stated_date(published: str | datetime | None, rules: DateRules) -> datetime | None:
    if isinstance(published, datetime):
        return to_utc(published, rules.naive_zone)
    if published is None or not published.strip():
        return None
    return parse_date(published, rules.naive_zone)


def _lead(summary: str, title: str) -> str:
    lead = mask(text_of_html(summary))
    return "" if lead == title else _cut(lead)


def _body(text: str) -> str:
    """Return the text of a document, normalised and masked; no tag survives in it."""
    return mask(normalise(text[:MAX_BODY_CHARS])).replace("<", " ")


def _cut(lead: str) -> str:
    if len(lead) > MAX_LEAD_CHARS:
        lead = lead[:MAX_LEAD_CHARS]
        # End with a whole word where there are words; Chinese has no spaces to end at.
        space = lead.rfind(" ", MAX_LEAD_CHARS - 100)
        lead = lead[:space] if space > 0 else lead
    return lead.rstrip()


def _author(text: str) -> str:
    """Return the names without the mail addresses that RSS has there: ``jane@a.example (Jane Roe)``."""
    names = text_of_html(text[: 8 * MAX_AUTHOR_CHARS])
    return mask(_MAIL.sub("", names).strip(" ()<>,;"))[:MAX_AUTHOR_CHARS].rstrip()


def _publisher(raw: RawItem, url: str | None) -> str:
    if raw.publisher:
        publisher = mask(normalise(raw.publisher[:MAX_PUBLISHER_CHARS]))
        if publisher:
            return publisher[:MAX_PUBLISHER_CHARS]
    return domain_of(url) if url else raw.source
