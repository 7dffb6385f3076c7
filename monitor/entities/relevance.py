"""How much an item is about a company that it names.

A headline that begins with the company is about it; an analyst of a bank who is quoted makes the bank no
subject. Read from surface alone, as is the rest of this package.
"""

from __future__ import annotations

import re

from monitor.domain import Relevance

_OPENING = re.compile(
    r"^(?:(?:UPDATE|WRAPUP|CORRECTED|RPT|REFILE|BRIEF|EXCLUSIVE|FACTBOX|TIMELINE|ANALYSIS|REG|TEXT|"
    r"Breakingviews|Exclusive|Factbox|Timeline|Analysis|Correction|Update)[\s\d]*[-:\u2013]? ?)*"
    r"(?:[A-Z]\w+(?:'s|s') |(?:The|the) )?['\"\u300a\u3010]?$"
)
_QUOTED_BEFORE = re.compile(
    r"\b(?:analysts?|economists?|strategists?|researchers?|traders?|brokers?) (?:at|from|with|of) (?:the )?$"
    r"|\b(?:according to|[Ff]ormer(?:ly)?|[Ee]x-|polled by|data from|cited by|citing) ?(?:the )?$"
)
_QUOTED_AFTER = re.compile(
    r"(?:'s)? (?:analysts?|economists?|strategists?|upgrades?|downgrades?|newspaper|magazine|"
    r"reported (?:on|in|citing|that)|said in a (?:note|research note))\b"
)
_SOURCE_BEFORE = re.compile(r"[:\-\u2013] ?$")
_SENTENCE_END = re.compile(r"[.!?]['\"]? (?=[A-Z])|[\u3002\uff01\uff1f]")


def relevance_of(field: str, text: str, start: int, end: int) -> Relevance:
    """Return how far the mention at ``text[start:end]`` makes the company what the item is about.

    Examples
    --------
    >>> relevance_of("title", "UPDATE 1-Acme recalls pumps", 9, 13).value
    'subject'
    >>> relevance_of("title", "Pump makers fall on Acme recall", 20, 24).value
    'title'
    >>> relevance_of("title", "Pump sales may fall: Acme", 21, 25).value
    'passing'
    >>> relevance_of("lead", "Pumps fail, said an analyst at Acme", 31, 35).value
    'passing'
    """
    before, after = text[max(0, start - 60) : start], text[end : end + 40]
    if _QUOTED_BEFORE.search(before) or _QUOTED_AFTER.match(after):
        return Relevance.PASSING
    if field == "title":
        if start and not after and _SOURCE_BEFORE.search(before):
            return Relevance.PASSING  # "...: Acme" names who said so
        return Relevance.SUBJECT if _OPENING.match(text[:start]) else Relevance.TITLE
    return Relevance.PASSING if _SENTENCE_END.search(text, 0, start + 1) else Relevance.LEAD
