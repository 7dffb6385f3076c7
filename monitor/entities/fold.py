"""Folding a text for comparison: one character in, one out, so that positions stay true."""

from __future__ import annotations

import unicodedata

_SAME = {"\u2018": "'", "\u2019": "'", "\u02bc": "'", "\u201c": '"', "\u201d": '"', "\u00a0": " "}
_SAME |= dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")


def fold(text: str) -> str:
    """Return the text in lower case, Latin accents and typographic variants taken off.

    The result has exactly as many characters as the text.

    Examples
    --------
    >>> fold("Nestl\\u00e9\\u2019s \\uff21\\uff22\\uff23")
    "nestle's abc"
    >>> len(fold("\\u0130\\u00df")) == 2
    True
    """
    return text.lower() if text.isascii() else text.translate(_TABLE)


def unaccent(text: str) -> str:
    """Return the text as `fold` does, its case kept.

    Examples
    --------
    >>> unaccent("Nestl\\u00e9")
    'Nestle'
    """
    return text if text.isascii() else text.translate(_CASED)


def is_unspaced(char: str) -> bool:
    """Say whether a character belongs to a script written without spaces (Han, kana, Thai).

    Examples
    --------
    >>> is_unspaced("\\u94f6"), is_unspaced("a")
    (True, False)
    """
    return (
        "\u3040" <= char <= "\u30ff"
        or "\u3400" <= char <= "\u9fff"
        or "\uf900" <= char <= "\ufaff"
        or "\u0e00" <= char <= "\u0e7f"
        or char >= "\U00020000"
    )


class _Folds(dict[int, str]):
    """A translation table that works out a character the first time it is seen."""

    def __init__(self, lower: bool) -> None:
        super().__init__()
        self._lower = lower

    def __missing__(self, code: int) -> str:
        char = chr(code)
        base = _SAME.get(char) or unicodedata.normalize("NFKD", char)[:1] or char
        if not base.isascii():
            base = char
        if self._lower and len(base.lower()) == 1:
            base = base.lower()
        self[code] = base
        return base


_TABLE = _Folds(lower=True)
_CASED = _Folds(lower=False)
