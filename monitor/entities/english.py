"""Which words are ordinary English, and which are names of people, places and things.

The dictionary is Hunspell's en_US, which `chunspell` carries. It judges short forms that a rule made out
of a long name, never a name that a person wrote into the watchlist.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import hunspell


@cache
def is_ordinary(word: str) -> bool:
    """Say whether a folded word is in ordinary use, written small: the shipped model's vocabulary has it.

    Examples
    --------
    >>> is_ordinary("target"), is_ordinary("boston"), is_ordinary("oncology")
    (True, False, False)
    """
    return word in _frequent() and is_word(word)


@cache
def is_word(word: str) -> bool:
    """Say whether a folded word is English at all, written small: ordinary or rare.

    Examples
    --------
    >>> is_word("target"), is_word("oncology"), is_word("agilent")
    (True, True, False)
    """
    return _is_letters(word) and bool(_VOWEL.search(word)) and _dictionary().spell(word)


@cache
def is_name(word: str) -> bool:
    """Say whether a folded word, with a capital, is known as the name of someone, some place or some thing.

    Examples
    --------
    >>> is_name("boston"), is_name("quarterly"), is_name("agilent")
    (True, False, False)
    """
    written = word.capitalize()  # "Quarterly" is spelt right too, but its entry is small
    return _is_letters(word) and written in _dictionary().stem(written)


_VOWEL = re.compile(r"[aeiouy]")  # of a word; without one the dictionary has units: gm, kg


def _is_letters(word: str) -> bool:
    """Say whether the dictionary can judge a word: its encoding lacks others, or it reads them as several."""
    return word.isascii() and word.isalpha()


@cache
def _dictionary() -> hunspell.Hunspell:
    """The dictionary of the package itself, whatever ``HUNSPELL_DATA`` says: all machines judge alike."""
    folder = Path(hunspell.__file__).with_name("dictionaries")
    return hunspell.Hunspell("en_US", hunspell_data_dir=str(folder))


@cache
def _frequent() -> frozenset[str]:
    from models.bundle import TOKENIZER, shipped_bundle
    from models.tokens import load_tokenizer

    return frozenset(load_tokenizer(shipped_bundle() / TOKENIZER).get_vocab())
