"""Sentiment towards one company: the company's name in the text becomes a marker.

The model never sees the name, so it cannot have opinions about it, and a headline is read from the
company's side: ``[unused1] wins suit against Beta Corp`` for Alpha, the other way round for Beta.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: A token every BERT vocabulary keeps free; it stands for the company asked about.
MARKER = "[unused1]"


def mark_target(text: str, names: Sequence[str]) -> str:
    """Put the marker where a company is named.

    Parameters
    ----------
    text
        As `models.text.model_input` makes it.
    names
        The company's name and aliases, as they may stand in the text; case does not matter.

    Returns
    -------
    str
        Where no name is found, the marker and a colon go before the text.

    Examples
    --------
    >>> mark_target("Alpha wins suit against Beta", ["Beta"])
    'Alpha wins suit against [unused1]'
    >>> mark_target("Alphabet sues", ["Alpha"])
    '[unused1]: Alphabet sues'
    """
    text = unmarked(text)
    wanted = sorted({name.strip() for name in names if name.strip()}, key=len, reverse=True)
    if wanted:
        pattern = "|".join(re.escape(name) for name in wanted)
        text, found = re.subn(rf"(?<!\w)(?:{pattern})(?!\w)", MARKER, text, flags=re.IGNORECASE)
        if found:
            return text
    return f"{MARKER}: {text}"


def unmarked(text: str) -> str:
    """Take out markers that a text brings itself.

    Examples
    --------
    >>> unmarked("a [unused1] b")
    'a   b'
    """
    return text.replace(MARKER, " ") if MARKER in text else text
