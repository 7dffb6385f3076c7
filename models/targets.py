"""Sentiment towards one company: the company's name in the text becomes a marker.

The model never sees the name, so it cannot have opinions about it, and a headline is read from the
company's side: ``[unused1] wins suit against Beta Corp`` for Alpha, the other way round for Beta.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

#: A token every BERT vocabulary keeps free; it stands for the company asked about.
MARKER = "[unused1]"
#: Kana and CJK ideographs: written without spaces, so that a name ends where it ends.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
# Of a word with spaces around it. Case is told apart: to compile so large a set without takes milliseconds.
_LETTER = rf"(?!(?-i:[{_UNSPACED}]))\w"


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
    >>> mark_target("国美电器起诉Alpha公司", ["国美电器"]), mark_target("国美电器起诉Alpha公司", ["Alpha"])
    ('[unused1]起诉Alpha公司', '国美电器起诉[unused1]公司')
    """
    text = unmarked(text)
    wanted = {name.strip() for name in names if name.strip()}
    if wanted:
        text, found = _any_of(tuple(sorted(wanted))).subn(MARKER, text)
        if found:
            return text
    return f"{MARKER}: {text}"


@lru_cache(maxsize=4_096)
def _any_of(names: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile("|".join(map(_whole, longest_first)), re.IGNORECASE)


def _whole(name: str) -> str:
    """Pattern of a name that is no part of a longer word."""
    before, after = (re.match(f"[{_UNSPACED}]", edge) for edge in (name[0], name[-1]))
    left = "" if before else rf"(?<!{_LETTER})"
    right = "" if after else rf"(?!{_LETTER})"
    return f"{left}{re.escape(name)}{right}"


def unmarked(text: str) -> str:
    """Take out markers that a text brings itself.

    Examples
    --------
    >>> unmarked("a [unused1] b")
    'a   b'
    """
    return text.replace(MARKER, " ") if MARKER in text else text
