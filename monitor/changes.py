"""What an update of an article says that the text before it did not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from monitor.domain import Article

_END = re.compile(r"(?<=[.!?])\s+(?=\S)|(?<=[。!?;])(?=\S)")


class Part(StrEnum):
    """Of an article."""

    TITLE = "title"
    LEAD = "lead"
    BODY = "body"  # of a long document; of it only the lead is kept


@dataclass(frozen=True, slots=True)
class Change:
    """One part of an article that an update changed.

    Parameters
    ----------
    before, after
        Of a title, all of it; of a lead, the sentences that went and those that came. Of a body nothing: it
        is not kept.
    """

    part: Part
    before: str = ""
    after: str = ""


def changes(before: Article, after: Article) -> tuple[Change, ...]:
    """Return what differs between two revisions of an article; nothing where they are the same one.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from datetime import UTC, datetime
    >>> at = datetime(2026, 1, 5, tzinfo=UTC)
    >>> first = Article("a", "1", "s", "p", None, "Acme recalls 3,000 fans",
    ...                 "Two caught fire. Nobody was hurt.", "en", at, at)
    >>> second = replace(first, revision="2", title="Acme recalls 5,000 fans",
    ...                  lead="Three caught fire. Nobody was hurt.")
    >>> for change in changes(first, second):
    ...     print(change.part, "|", change.before, "|", change.after)
    title | Acme recalls 3,000 fans | Acme recalls 5,000 fans
    lead | Two caught fire. | Three caught fire.
    """
    found = []
    if before.title != after.title:
        found.append(Change(Part.TITLE, before.title, after.title))
    if before.lead != after.lead:
        found.append(_sentences_changed(before.lead, after.lead))
    if not found and before.revision != after.revision:
        found.append(Change(Part.BODY))
    return tuple(found)


def _sentences_changed(before: str, after: str) -> Change:
    old, new = _END.split(before), _END.split(after)
    gone: list[str] = []
    come: list[str] = []
    # Without the guess at "junk", which is made for lines of programs.
    for what, *places in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what != "equal":
            begin, end, new_begin, new_end = places
            gone += old[begin:end]
            come += new[new_begin:new_end]
    return Change(Part.LEAD, _joined(gone), _joined(come))


def _joined(sentences: Sequence[str]) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def with_changes(revisions: Sequence[Article]) -> Iterator[tuple[Article, tuple[Change, ...]]]:
    """Yield the revisions of an article as they came, each with what it changed of the one before."""
    for place, article in enumerate(revisions):
        yield article, changes(revisions[place - 1], article) if place else ()
