"""Short forms of a company's long name: what the news calls it when the watchlist does not say.

"General Motors Corp" is General Motors, and GM; "Acme Banking Group Plc" is Acme. Each form has a `Trust`,
which says what a text must show before the form counts. Forms never take a name that the watchlist states,
and a form that two companies share counts only where the text also names one of them in full.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from monitor.domain import Company
from monitor.entities.english import is_name, is_ordinary, is_word
from monitor.entities.fold import fold, is_unspaced, unaccent
from monitor.entities.legal import (
    FORMS,
    STRUCTURES,
    TRADES,
    parts,
    without_form,
    without_structure,
    without_trade,
)
from monitor.entities.vague import ABBREVIATIONS, BLENDS, CLIPPED, GENERIC, HEADS, INDICES, PLACES
from monitor.entities.words import GIVEN_NAMES, ORDINARY, SURNAMES, TREACHEROUS


class Trust(IntEnum):
    """What a text has to show before a name counts."""

    STATED = 0  # nothing: the watchlist says so
    FULL = 1  # nothing: the whole name without its legal form
    SHORT = 2  # its capital, and no word that makes a person or another body of it
    CUE = 3  # that a company is meant, as of "Target"; or a fuller name elsewhere in the item
    FULLER = 4  # a fuller name elsewhere in the item


class Cut(IntEnum):
    """What was left out of a name; of two companies, the one that left out less is called so."""

    FORM = 0
    TRADE = 1
    REST = 2


@dataclass(frozen=True, slots=True)
class Form:
    """One short form: the text, how far it can be trusted, and what was left out."""

    text: str
    trust: Trust
    cut: Cut


def forms(company: Company) -> Iterator[Form]:
    """Yield the short forms of a company's name, the most trusted first.

    Examples
    --------
    >>> [form.text for form in forms(Company("x", "Zenith Motors Holdings Corp"))]
    ['Zenith Motors Holdings', 'Zenith Motors', 'Zenith', 'ZM', 'ZeMo', 'ZenMot']
    >>> [form.text for form in forms(Company("x", "宁德时代股份有限公司"))]
    ['宁德时代']
    """
    seen = {fold(company.name)}
    for form in _forms(company):
        if len(form.text) > 1 and fold(form.text) not in seen:
            seen.add(fold(form.text))
            yield form


def _forms(company: Company) -> Iterator[Form]:
    if several := parts(company.name):
        for part in several:
            yield from _whole(without_form(part))
        return
    full = without_form(company.name)
    held = without_structure(company.name)
    yield from _whole(full)
    if held != full:
        if fold(held) in ABBREVIATIONS:
            yield Form(held, Trust.FULLER, Cut.FORM)
        elif " " in held and _is_vague(held):
            yield Form(held, Trust.CUE, Cut.FORM)
        else:
            yield from _whole(held)
    if not held or is_unspaced(held[0]):
        return
    yield from _cuts(held)
    tickers = {code.split(".")[0] for code in (company.ticker or "", *company.rics)}
    yield from _initials(held, tickers)
    yield from (form for form in _initials(full, tickers) if form.text in tickers)
    yield from _blends(held)


def _whole(text: str) -> Iterator[Form]:
    """The whole name, less what is form."""
    if is_nobodys(text):  # without its form "News Corp" is
        return
    if " " in text or is_unspaced(text[0]):
        if len(text) > 2:
            yield Form(text, Trust.FULL, Cut.FORM)
        return
    word = fold(text).removesuffix(".com").removesuffix("!")
    if word != fold(text):
        yield Form(text, Trust.FULL, Cut.FORM)
        text = text[: len(word)]
    if word in PLACES | GENERIC | TRADES:
        return
    if word in HEADS:
        yield Form(text, Trust.FULLER, Cut.FORM)
        return
    if word not in ORDINARY and (is_ordinary(word) or word in GIVEN_NAMES or word in SURNAMES):
        yield Form(text, Trust.CUE, Cut.FORM)
        return
    named = word in ORDINARY or is_name(word)
    yield Form(text, Trust.SHORT if named else Trust.FULL, Cut.FORM)
    joined = re.fullmatch(r"(?i:(\w{4,})group)|(\w{4,})(?:Co|Corp)", text)  # "Acmegroup", "AcmeCo"
    if joined:
        yield from _cut(joined.group(1) or joined.group(2), Cut.TRADE)
    if word.endswith("s") and len(word) > 5 and not named:
        yield Form(f"{text[:-1]}'s", Trust.SHORT, Cut.FORM)


def is_nobodys(name: str) -> bool:
    """Say whether a name has no word that is anyone's own: "Co Ltd", "Steel Corp", "Bancorp".

    Examples
    --------
    >>> is_nobodys("Steel Holdings Ltd"), is_nobodys("Consolidated"), is_nobodys("News Corp")
    (True, True, False)
    """
    words = [word for word in fold(without_structure(name)).split(" ") if word]
    if len(words) > 1:
        return False
    formed = without_form(name) != name  # "News Corp" is a name as it stands
    return not words or words[0] in FORMS | STRUCTURES | TRADES | (set() if formed else GENERIC)


def _cuts(held: str) -> Iterator[Form]:
    """Without the trade; the trade clipped; the first word; the surname of a founder."""
    words = held.split(" ")
    if any(fold(word) in PLACES for word in words[1:]):  # "Acme India" is not Acme
        return
    if (short := without_trade(held)) != held:
        yield from _cut(short, Cut.TRADE)
    if len(words) > 1 and (clipped := CLIPPED.get(fold(words[-1]))):
        yield Form(" ".join((*words[:-1], clipped)), Trust.SHORT, Cut.TRADE)
    if len(words) > 1:
        yield from _cut(words[0].rstrip(","), Cut.REST)
    opens = len(words) > 2 and _is_vague(words[0]) and fold(words[0]) not in PLACES
    if opens and words[1] not in ("&", "and", "of"):
        yield from _cut(" ".join(words[:2]), Cut.REST)
    first, _, second = words[0].partition("-")
    if second[:1].isupper() and len(words) <= 2 and len(first) > 5:
        yield from _cut(first, Cut.REST)
    if len(words) == 2 and fold(words[0]) in GIVEN_NAMES:
        yield from _cut(words[1], Cut.REST)


def _cut(text: str, cut: Cut) -> Iterator[Form]:
    """A name cut short, to several words or to one."""
    word = fold(text).rstrip(".").removesuffix("'s")
    if " " in text:
        if not all(word in PLACES for word in fold(text).split(" ")):
            yield Form(text, Trust.CUE if _is_vague(text) else Trust.FULL, cut)
        return
    letters = len(text) == 2 and text.isupper() and word not in ABBREVIATIONS
    if letters:
        yield Form(text, Trust.CUE, cut)
    if len(word) < 3 or word in PLACES | GENERIC | TRADES or not word[0].isalpha():
        return
    if text.isupper() and word in ABBREVIATIONS:
        return
    if word in GIVEN_NAMES | SURNAMES | INDICES | HEADS:
        yield Form(text, Trust.FULLER, cut)
    elif word in ORDINARY:
        yield Form(text, Trust.SHORT, cut)
    elif is_ordinary(word):
        known = cut is Cut.TRADE and word in TREACHEROUS
        yield Form(text, Trust.CUE if known else Trust.FULLER, cut)
    elif is_word(word):
        yield Form(text, Trust.SHORT if cut is Cut.TRADE else Trust.FULLER, cut)
    else:
        yield Form(text, Trust.SHORT, cut)


def _is_vague(text: str) -> bool:
    """Say whether a name has only words that could begin many another."""
    return all(
        is_ordinary(word) or word in PLACES | GENERIC | TRADES | STRUCTURES
        for word in fold(text).replace("-", " ").split(" ")
    )


def _initials(name: str, tickers: set[str]) -> Iterator[Form]:
    """GM of General Motors, J&J of Johnson & Johnson: free where the ticker says the same."""
    words = [
        word for word in re.split(r"[\s-]+", unaccent(name)) if word[:1].isalnum() or word == "&"
    ]
    letters = "".join(
        word[0].upper()
        for word in words
        if fold(word) not in ("of", "and", "the", "de", "for", "&")
    )
    made = [letters]
    if len(words) == 3 and words[1] == "&" and len(letters) == 2:
        made.append(f"{letters[0]}&{letters[1]}")
    for text in made:
        word = fold(text)
        if len(text) < 2 or word in ABBREVIATIONS or not text.replace("&", "").isalpha():
            continue
        twice = "&" in text and fold(words[0]) == fold(words[2])  # J&J; "JJ" is somebody's initials
        free = (
            twice or text.replace("&", "") in tickers or (len(text) > 3 and not is_ordinary(word))
        )
        yield Form(text, Trust.SHORT if free else Trust.FULLER, Cut.TRADE)


def _blends(name: str) -> Iterator[Form]:
    """BofA of Bank of America, AmEx of American Express: a capital inside tells them from words."""
    words = name.split(" ")
    if len(words) == 3 and fold(words[1]) == "of":
        yield Form(f"{words[0][:1]}of{words[2][:1]}", Trust.SHORT, Cut.TRADE)
    if len(words) != 2 or not all(len(word) > 3 and word.isalpha() for word in words):
        return
    first, last = (unaccent(word).capitalize() for word in words)
    for size in (2, 3):
        yield Form(first[:size] + last[:size], Trust.SHORT, Cut.TRADE)
    if (known := [BLENDS.get(fold(word), "") for word in words]) and all(known):
        yield Form("".join(known).capitalize(), Trust.CUE, Cut.TRADE)
