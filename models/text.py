"""Normalising, masking and the classifier's reading of a text, for collecting and training alike.

A trained weight only means something for texts cleaned the way its training texts were, so
`NORMALISATION_VERSION` is part of a bundle's hash: raise it with any change of behaviour here or
in `models.personal`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from html import unescape
from html.entities import html5

from models.personal import mask

__all__ = ["NORMALISATION_VERSION", "mask", "model_input", "normalise"]

#: 2: letters that only look Latin became Latin.
NORMALISATION_VERSION: int = 2

#: Characters of raw text that can matter to a model that reads 128 tokens.
_READ_CHARS = 2_000

_ENTITY = re.compile(r"&(#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,8}|[A-Za-z][A-Za-z0-9]{1,31});")
# Controls (white space excepted), soft hyphen, zero-width and direction marks, interlinear
# annotation, tags, and lone surrogates, which no UTF-8 writer accepts.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff\ud800-\udfff]+"
)
_PLAIN = re.compile(r"[\t-\r\x1c-%'-~]*")
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_HAS_FULL_WIDTH = re.compile("[\u3000\uff01-\uff5e]")
# Cyrillic and Greek letters that look like a Latin one in every common type, from the confusables of
# Unicode Technical Standard 39; and what tells a text that is written in one of those alphabets.
_LOOKALIKES = dict(
    zip(
        map(ord, "асеорхуіјѕһԁԛԝАВСЕНІЈКМОРЅТХΑΒΕΖΗΙΚΜΝΟΡΤΥΧο"),
        "aceopxyijshdqwABCEHIJKMOPSTXABEZHIKMNOPTYXo",
        strict=True,
    )
)
_LOOKALIKE = re.compile(f"[{''.join(map(chr, _LOOKALIKES))}]")
_LATIN = re.compile("[A-Za-z]")
_OTHER_ALPHABET = re.compile("[\u0370-\u052f\u1f00-\u1fff]")
_WORD = re.compile(r"\w+")
_URL = re.compile(r"(?:https?://|www\.|pic\.twitter\.com/)\S*", re.IGNORECASE)
_MAX_PASSES = 4
_MAX_MARKS = 8


def normalise(text: str) -> str:
    """One spelling for one text.

    HTML entities become characters, full-width ASCII becomes ASCII, invisible and control
    characters go, letters that only look Latin become so, the rest is NFC, runs of white space become
    one space. Linear in the length of the text, whatever it holds, and idempotent.

    Parameters
    ----------
    text
        Any string, also one with lone surrogates.

    Returns
    -------
    str
        Text that encodes as UTF-8, without leading or trailing space. May be empty.

    Examples
    --------
    >>> normalise("  Profit\\u200b &amp;amp; loss\\n \uff31\uff13 ")
    'Profit & loss Q3'
    """
    if _PLAIN.fullmatch(text) is None:
        for _ in range(_MAX_PASSES):
            before = text
            text = _one_pass(text)
            if text == before:
                break
        else:
            # Entities nested deeper than any honest feed nests them: take their ampersand's
            # meaning away rather than unfold a bomb level by level.
            text = _one_pass(_ENTITY.sub(r"& \1;", text))
    return " ".join(text.split())


def model_input(title: str, lead: str = "") -> str:
    """What the classifier reads of an item: normalised, masked, without addresses of pages.

    Parameters
    ----------
    title
        Headline; wire prefixes such as ``UPDATE 1-`` stay, they were never learnt to mean more.
    lead
        First sentences, when there are any; the model reads them after the title.

    Returns
    -------
    str
        At most about 2,000 characters; empty when nothing but addresses was there.

    Examples
    --------
    >>> model_input("Oil falls 3%  https://t.co/abc", "Brent lost $2.")
    'Oil falls 3%. Brent lost $2.'
    """
    title = _readable(title)
    lead = _readable(lead) if lead else ""
    if not lead or lead == title:
        return title
    if not title:
        return lead
    joint = " " if title[-1] in ".!?:;\u2026\u3002\uff01\uff1f" else ". "
    read = f"{title}{joint}{lead}"
    return read if read.isascii() else normalise(read)  # what is Latin, both decide


def _readable(text: str) -> str:
    text = mask(normalise(text[:_READ_CHARS]))
    if "://" in text or "www." in text or "pic." in text:
        text = " ".join(_URL.sub(" ", text).split())
    return text


def _one_pass(text: str) -> str:
    if "&" in text:
        text = _ENTITY.sub(_character, text)
    if text.isascii():
        return _INVISIBLE.sub("", text)
    text = _INVISIBLE.sub("", text)
    if _HAS_FULL_WIDTH.search(text):
        text = text.translate(_FULL_WIDTH)
    # Canonical ordering sorts a run of combining marks by insertion: quadratic in its length.
    text = _long_mark_runs().sub(r"\1", text)
    text = unicodedata.normalize("NFC", text)
    if _LOOKALIKE.search(text):
        text = unicodedata.normalize("NFC", _unmasked(text))
    return text


def _unmasked(text: str) -> str:
    """A Latin text without the letters of other alphabets that were put into it to look Latin.

    A text that has other letters of those alphabets is written in one of them: there, only words of both
    that would be Latin all through are changed.

    Examples
    --------
    >>> _unmasked("\u0410\u0440\u0440l\u0435 falls"), _unmasked("\u0421\u0421\u0421\u0420 \u0438 USA")
    ('Apple falls', 'СССР и USA')
    """
    if _LATIN.search(text) is None:
        return text
    folded = text.translate(_LOOKALIKES)
    if _OTHER_ALPHABET.search(folded) is None:
        return folded
    return _WORD.sub(_unmasked_word, text)


def _unmasked_word(match: re.Match[str]) -> str:
    word = match.group()
    folded = word.translate(_LOOKALIKES)
    mixed = _LATIN.search(word) is not None and _OTHER_ALPHABET.search(folded) is None
    return folded if mixed else word


def _character(match: re.Match[str]) -> str:
    name = match.group(1)
    if name.startswith("#"):
        return unescape(match.group())
    return html5.get(name + ";", match.group())


@cache
def _long_mark_runs() -> re.Pattern[str]:
    """Runs of more than `_MAX_MARKS` combining marks, the first of them as group 1."""
    marks = "".join(chr(c) for c in range(0x300, 0x1E94B) if unicodedata.combining(chr(c)))
    return re.compile(f"([{marks}]{{{_MAX_MARKS}}})[{marks}]+")
