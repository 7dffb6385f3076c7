"""Long documents: the passages that decide, found by reading all of them.

A document is read passage by passage, as long as the model reads at once, and speaks by its gravest one:
the maximum over passages (MaxP: Dai and Callan, SIGIR 2019, section 3). That passage, and for every further
watched company the first that names it, become the article's lead: what was decided on is what is kept and
shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from monitor.domain import Article, ClassifiedArticle
from monitor.stories.sentences import sentences

PASSAGE_CHARS = 400
"""Of a passage, in Latin letters: about 100 tokens, which leaves 28 for the title."""

LEAD_CHARS = 1_000
JOINT = " … "
_EAST_ASIAN_FROM = "\u2e80"
_EAST_ASIAN_CHARS = 4  # a Chinese character is a token, as about four Latin letters are
_FACTS = ("confirmed", "amended", "rumour")

Read = Callable[[Sequence[Article]], Sequence[ClassifiedArticle]]


def shortened(articles: Sequence[Article], read: Read) -> list[Article]:
    """Return the articles, each with a body replaced by one whose lead is the passages that decide.

    Parameters
    ----------
    read
        Classifies articles without a body.
    """
    cut = {place: passages(each.body) for place, each in enumerate(articles) if each.body}
    asked = [
        replace(articles[place], lead=passage, body="")
        for place, found in cut.items()
        for passage in found
    ]
    readings = iter(read(asked) if asked else ())
    short = list(articles)
    for place, found in cut.items():
        lead = _lead([next(readings) for _ in found])
        short[place] = replace(articles[place], lead=lead, body="")
    return short


def passages(text: str) -> list[str]:
    """Return a text in passages of whole sentences; a sentence that is too long is cut.

    Examples
    --------
    >>> [len(each) for each in passages("The bank failed today. " * 40)]
    [390, 390, 137]
    """
    found: list[str] = []
    length = 0
    for piece in _pieces(text):
        width = _width(piece)
        if found and length + width <= PASSAGE_CHARS:
            found[-1] += piece
            length += width
        else:
            found.append(piece)
            length = width
    return [each.strip() for each in found if each.strip()]


def _pieces(text: str) -> Iterator[str]:
    for start, end in sentences(text):
        while _width(text[start:end]) > PASSAGE_CHARS:
            middle = start + PASSAGE_CHARS
            while _width(text[start:middle]) > PASSAGE_CHARS:
                middle -= (middle - start) // 2
            yield text[start:middle]
            start = middle
        yield text[start:end]


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(_EAST_ASIAN_CHARS if each >= _EAST_ASIAN_FROM else 1 for each in text)


def _lead(readings: Sequence[ClassifiedArticle]) -> str:
    chosen = [max(readings, key=_weight)]
    named = {mention.company_id for mention in chosen[0].mentions}
    length = len(chosen[0].article.lead)
    for each in readings:
        further = {mention.company_id for mention in each.mentions} - named
        length_with = length + len(JOINT) + len(each.article.lead)
        if further and length_with <= LEAD_CHARS:
            chosen.append(each)
            named |= further
            length = length_with
    return JOINT.join(each.article.lead for each in chosen)


def _weight(reading: ClassifiedArticle) -> tuple[float, ...]:
    """Say how much a passage decides: by its gravest event and company, then by how negative it is."""
    severity = max((each.severity for each in reading.risks if each.stage in _FACTS), default=0)
    named = bool(reading.mentions)
    return (severity * named, severity, named, -(reading.score or 0.0))
