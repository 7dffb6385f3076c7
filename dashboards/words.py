"""Times, numbers and decisions in plain words."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from monitor.alert import explain
from monitor.domain import Alert, Article


def clock(moment: datetime) -> str:
    """Return a UTC time to the minute.

    Examples
    --------
    >>> clock(datetime.fromisoformat("2008-09-08T14:32:10+00:00"))
    '8 Sep 14:32'
    """
    return f"{moment.day} {moment:%b %H:%M}"


def byline(article: Article) -> str:
    """Return who published an item, and who wrote it where somebody is named."""
    return f"{article.publisher}, by {article.author}" if article.author else article.publisher


def reading(sentiment: str | None, value: float | None) -> str:
    """Return what the model made of an item.

    Examples
    --------
    >>> reading("negative", -0.82), reading(None, None)
    ('negative −0.82', 'not read by the model')
    """
    return "not read by the model" if sentiment is None else f"{sentiment} {explain.score(value)}"


def note(date: str, unsure: Sequence[str]) -> str:
    """Return what a reader of an item should know: about its date, and what the model was not sure of.

    Examples
    --------
    >>> note("old news", ["topic", "sentiment"]), note("", [])
    ('old news; unsure of sentiment, topic', '')
    """
    doubt = f"unsure of {', '.join(sorted(unsure))}" if len(unsure) else ""
    return "; ".join(part for part in (date, doubt) if part)


def marked(text: str, *found: str) -> str:
    """Return a text as HTML, every sign of it escaped, with some words marked wherever they stand.

    Examples
    --------
    >>> marked("Acme <b> files for Chapter 11", "FILES for chapter 11")
    'Acme &lt;b&gt; <mark>files for Chapter 11</mark>'
    """
    wanted = "|".join(re.escape(each) for each in sorted(found, key=len, reverse=True) if each)
    parts = re.split(f"({wanted})", text, flags=re.IGNORECASE) if wanted else [text]
    return "".join(
        f"<mark>{html.escape(part)}</mark>" if at % 2 else html.escape(part)
        for at, part in enumerate(parts)
    )


def event(alert: Alert) -> str:
    """Return an event's name for people."""
    return alert.event.replace("_", " ")


def rest(details: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the details that `why` does not put in words."""
    return [(key, str(value)) for key, value in sorted(details.items()) if key not in explain.SAID]
