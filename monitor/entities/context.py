"""What the words around a name say: whether a company is meant, a person, a thing, or another body."""

from __future__ import annotations

import re

from monitor.entities.legal import TRADES
from monitor.entities.vague import PLACES
from monitor.entities.words import (
    ACTS,
    ACTS_WHEN_FIRST,
    GIVEN_NAMES,
    OTHER_BODIES,
    PRESS_WORDS,
    ROLES,
    TITLES,
)


def is_company(text: str, folded: str, start: int, end: int, informative: bool) -> bool:
    """Say whether something shows that an ordinary word is a company here.

    Parameters
    ----------
    text, folded
        The text with its case, and folded; of equal length.
    informative
        `capitals_inform` of the text.
    """
    word_after = _next_word(folded, end)
    if is_possessive(folded, end) or word_after in ACTS:
        return True
    first = _STARTS_SENTENCE.search(text, max(0, start - 4), start) is not None
    if first and word_after in ACTS_WHEN_FIRST:
        return True
    if _ITEM_BEFORE.search(text, max(0, start - 14), start) and _ITEM_AFTER.match(text, end):
        return True
    if not informative or (first and " " not in text[start:end]):
        return False
    after = _WORD_AFTER.match(text, end)
    touches_after = after is not None and after.group(1)[0].isupper()
    before = _WORD_BEFORE.search(text, max(0, start - 40), start)
    touches_before = before is not None and before.group(1)[0].isupper()
    return not touches_after and not touches_before


def is_other(text: str, folded: str, start: int, end: int, common: bool, short: bool) -> bool:
    """Say whether a one-word name is a person's ("Jerry Vale", "Mr. Vale") or another body's ("Ford Health").

    Parameters
    ----------
    common
        The name is also a word, or a name of other things.
    short
        It is a short form that a rule made; a longer name of the company, "Delta Steel" say, would
        have been found in its place.
    """
    if is_possessive(folded, end):
        return False
    before = _WORD_BEFORE.search(folded, max(0, start - 20), start)
    word = before.group(1) if before else ""
    if word in GIVEN_NAMES or word.rstrip(".") in TITLES or _INITIAL.fullmatch(word):
        return True
    if _COALITION_AFTER.match(text, end):
        return True
    if _NEAR_BEFORE.search(folded, max(0, start - 12), start) and _PLACE_ENDS.match(folded, end):
        return True
    after = _WORD_AFTER.match(text, end)
    next_word = after.group(1) if after else ""
    if common and next_word[:1].isupper() and fold_word(next_word) in OTHER_BODIES:
        return True
    if not short:
        return False
    if next_word in PRESS_WORDS or _FUND_AFTER.match(text, end):
        return True
    place = _PLACE_AFTER.match(folded, end)
    if place and place.group(1) in PLACES:
        return True
    return common and bool(
        word in ROLES
        or (next_word[:1].isupper() and fold_word(next_word) in TRADES)
        or _JOINED_BEFORE.search(text, max(0, start - 20), start)
        or _AGE_AFTER.match(text, end)
    )


def is_surname(text: str, start: int, informative: bool, common: bool) -> bool:
    """Say whether a capitalised word before makes a surname of a name, in a text in sentence case.

    Before a ``common`` one so do capitals ("DLA Piper").
    """
    before = _WORD_BEFORE.search(text, max(0, start - 40), start) if informative else None
    if before is None:
        return False
    word = before.group(1)
    return (
        word[0].isupper()
        and (word[1:].islower() or (common and len(word) > 2 and word.isalpha() and word.isupper()))
        and not word.endswith("'s")
        and _STARTS_SENTENCE.search(text, max(0, before.start() - 4), before.start()) is None
    )


def capitals_inform(text: str) -> bool:
    """Say whether the text is in sentence case: most of its longer words begin small."""
    words = _LONG_WORD.findall(text)
    small = [word for word in words if word[0].islower()]
    return len(small) * 2 > len(words)


def is_possessive(folded: str, end: int) -> bool:
    return folded.startswith("'s", end)


def stands_in_list(folded: str, start: int, end: int, starts: set[int], ends: set[int]) -> bool:
    """Say whether a place stands beside one of others in a list: "Visa/MasterCard", "Visa and Acme"."""
    before = _LIST_BEFORE.search(folded, max(0, start - 8), start)
    after = _LIST_AFTER.match(folded, end)
    return bool((before and before.start() in ends) or (after and after.end() in starts))


def _next_word(folded: str, end: int) -> str:
    after = _WORD_AFTER.match(folded, end)
    return after.group(1).replace(".", "").removesuffix("'s") if after else ""


def fold_word(word: str) -> str:
    return word.lower().rstrip(".").removesuffix("'s")


_INITIAL = re.compile(r"[a-uw-z]\.")  # "v." is versus
_WORD_AFTER = re.compile(r" ([\w.']+)")
_WORD_BEFORE = re.compile(r"([\w.']+) $")
_JOINED_BEFORE = re.compile(r"[A-Z]\w+ & $")  # "Hellman & Friedman"
# "Amazon Defense Coalition", but "Amazon Joins Coalition"
_COALITION_AFTER = re.compile(r" (?:[A-Z]\w*[^\WsS] )?(?:Coalition|COALITION)\b")
# "trains collide near Rio", but "near Shell's plant", "near Shell plant"
_NEAR_BEFORE = re.compile(r"\b(?:near|outside|downtown|north of|south of|east of|west of) $")
_PLACE_ENDS = re.compile(r"$|[,.;:)]| (?:de|in|on|and|as|after|kills?|while|when)\b")
_AGE_AFTER = re.compile(r", \d\d,")
_PLACE_AFTER = re.compile(r", (\w+)")
_FUND_AFTER = re.compile(r" (?:Capital|Partners|Associates|Ventures|Management)\b")
_LONG_WORD = re.compile(r"[A-Za-z]{4,}")
_LIST_BEFORE = re.compile(r"(?:, and |, | and | & |/)$")
_LIST_AFTER = re.compile(r", and |, | and | & |/")
_ITEM_BEFORE = re.compile(r"(?:, and|,| and| on| [Ff]eaturing) $")
_ITEM_AFTER = re.compile(r"(?:,? and|,) [A-Z]|\.?$")
_STARTS_SENTENCE = re.compile(r"(?:^|[.:?!*\"'(-] ?)$")
