"""Words of a text with their places, and word pieces merged into them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Span = tuple[int, int]

# Chinese characters and kana, which no space sets apart: each is a word of its own.
_ALONE = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_LETTER = rf"(?:(?![{_ALONE}])\w)"
_WORD = re.compile(
    r"\[\w+\]"  # a marker: [email], [unused1]
    rf"|[{_ALONE}]"
    rf"|[$€£¥₹#@]?{_LETTER}+(?:[.,'’&/\-]{_LETTER}+)*%?"
    r"|([^\w\s])\1*"
)


def word_spans(text: str) -> list[Span]:
    """Start and end of every word; each character that is not white space is in exactly one.

    Examples
    --------
    >>> text = "AT&T's $3.2 bln bid, up 5%"
    >>> [text[start:end] for start, end in word_spans(text)]
    ["AT&T's", '$3.2', 'bln', 'bid', ',', 'up', '5%']
    >>> word_spans("央行 cuts")
    [(0, 1), (1, 2), (3, 7)]
    """
    return [match.span() for match in _WORD.finditer(text)]


def word_of_pieces(pieces: Sequence[Span], words: Sequence[Span]) -> list[int | None]:
    """Which word each piece belongs to.

    Parameters
    ----------
    pieces
        Character spans of the tokens; special tokens have an empty one.
    words
        As `word_spans` makes them.

    Returns
    -------
    list
        Index in `words`, None for special tokens. A piece that begins with the space before its
        word (sentencepiece) belongs to the word it ends in.

    Examples
    --------
    >>> word_of_pieces([(0, 0), (0, 4), (4, 6), (6, 9), (0, 0)], [(0, 6), (7, 9)])
    [None, 0, 0, 1, None]
    """
    starts = [start for start, _ in words]
    return [
        bisect_right(starts, end - 1) - 1 if end > start and words else None
        for start, end in pieces
    ]


def merge(
    values: NDArray[np.floating], owners: Sequence[int | None], words: int
) -> NDArray[np.float64]:
    """Sum of each word's pieces, ``(words,) float64``; what special tokens have is left out."""
    merged = np.zeros(words, dtype=np.float64)
    for value, owner in zip(values.tolist(), owners, strict=True):
        if owner is not None:
            merged[owner] += value
    return merged
