"""Cutting a text into sentences, well enough for rules: at ends of sentences in English and
Chinese.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_END = re.compile(
    r"[。\n]+|[;!?]+(?=\s|[^\x00-\x7f])\s*"
    r"|(?<![ .][a-z])(?<!\b(?:mr|ms|dr|st|vs|co))(?<!\b(?:inc|ltd|mrs))\.\s+"
)


def sentences(folded: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each sentence of a folded text, in order; together they cover the
    words.

    Examples
    --------
    >>> text = "u.s. sues acme inc. over leak. shares fall."
    >>> [text[start:end] for start, end in sentences(text)]
    ['u.s. sues acme inc. over leak. ', 'shares fall.']
    """
    start = 0
    for end in _END.finditer(folded):
        if end.end() > start:
            yield start, end.end()
        start = end.end()
    if start < len(folded):
        yield start, len(folded)
