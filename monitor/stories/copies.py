"""Which reports are copies of one text, by their titles.

Forty publishers that carry one agency report are one voice. Two titles are of one text when the words that
are left without the wire's housekeeping (`monitor.stories.titles`) are the same, or nearly so: the share of
words that they have in common (Jaccard 1912) is at least `SAME`. An editor changes a word or two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from monitor.domain import digest
from monitor.stories.titles import read_title

SAME = 0.8
_BETWEEN_WORDS = re.compile(r"[\W_]+")


@lru_cache(maxsize=4096)  # an alert's titles are compared whenever it grows
def report_key(title: str) -> str:
    """Return what the titles of all exact copies of a report have in common.

    Examples
    --------
    >>> report_key("UPDATE 2-Acme to close 3 plants ") == report_key("Acme to Close 3 Plants")
    True
    >>> report_key("Acme to close 3 plants") == report_key("Acme to close 4 plants")
    False
    """
    return _BETWEEN_WORDS.sub(" ", read_title(title).bare).strip() or title


def text_key(title: str) -> str:
    """Return 16 hex digits that all exact copies of a report have in common."""
    return digest(report_key(title))[:16]


def independent(reports: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Return the publishers who speak for themselves: of each text the first that had it.

    Parameters
    ----------
    reports
        Publisher and title, in the order of publication.

    Examples
    --------
    >>> wire = ("Wire", "Acme recalls 5,000 cookers after burns")
    >>> copies = ("Daily", "Acme Recalls 5,000 Cookers After Burns"), ("Herald", "RPT-" + wire[1])
    >>> sorted(independent([wire, *copies, ("Post", "Burns: Acme calls cookers back")]))
    ['Post', 'Wire']
    """
    # Another number is another report: "recalls 3,000", "recalls 5,000".
    texts: dict[frozenset[str], list[frozenset[str]]] = {}
    found: set[str] = set()
    for publisher, title in reports:
        words, numbers = _words(title)
        alike = texts.setdefault(numbers, [])
        if not any(_same(words, known) for known in alike):
            found.add(publisher)
        alike.append(words)
    return frozenset(found)


@lru_cache(maxsize=4096)
def _words(title: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words of a title, and those of them that are numbers."""
    words = frozenset(report_key(title).split())
    return words, frozenset(word for word in words if word.isdigit())


def _same(one: frozenset[str], other: frozenset[str]) -> bool:
    few, many = sorted((len(one), len(other)))
    if few < SAME * many:
        return False
    common = len(one & other)
    return common >= SAME * (few + many - common)
