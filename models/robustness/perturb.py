"""Ways to write a text otherwise that leave what it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any

import yaml

#: From a text and a source of chance to the text written otherwise.
Perturbation = Callable[[str, Random], str]

# One slip in about six words: what a hurried hand makes, still read by everyone.
_WORDS_PER_TYPO = 6
# Words with a digit, a capital inside or fewer letters are figures, tickers and names: a slip there
# may change who or how much is spoken of.
_SAFE_WORD = re.compile(r"(?<![\w$@#/.&-])[A-Za-z]?[a-z]{4,}(?![\w/@-])")
_KEYS = {
    key: row[max(0, at - 1) : at] + row[at + 1 : at + 2]
    for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm")
    for at, key in enumerate(row)
}
# Cyrillic and Greek letters that look like the Latin ones (Unicode TR 39, confusables).
_HOMOGLYPHS = str.maketrans("aceopxyABEHKMOPTX", "асеорхуАВЕНКМОРТХ")
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}
_URL = re.compile(r"((?:https?://|www\.)\S+)")


def perturb(name: str, text: str, seed: int = 0) -> str:
    """One perturbation of one text; the same for the same name, text and seed.

    Parameters
    ----------
    name
        One of `PERTURBATIONS`.
    text
        As a source publishes it; addresses of pages in it stay.
    seed
        Of the choices made.

    Returns
    -------
    str
        The text itself where the perturbation finds nothing to change.

    Examples
    --------
    >>> perturb("upper", "Shares fall https://t.co/aB1")
    'SHARES FALL https://t.co/aB1'
    """
    chance = Random(f"{seed} {name} {text}")
    parts = _URL.split(text)
    return "".join(
        part if at % 2 else PERTURBATIONS[name](part, chance) for at, part in enumerate(parts)
    )


def _slips(text: str, chance: Random, slip: Callable[[str, Random], str]) -> str:
    places = [match.span() for match in _SAFE_WORD.finditer(text)]
    count = min(len(places), max(1, len(text.split()) // _WORDS_PER_TYPO))
    for start, end in sorted(chance.sample(places, count), reverse=True):
        text = text[:start] + slip(text[start:end], chance) + text[end:]
    return text


def typo_swap(text: str, chance: Random) -> str:
    """Neighbouring letters change places: shares, shraes."""

    def slip(word: str, chance: Random) -> str:
        places = [i for i in range(1, len(word) - 1) if word[i] != word[i + 1]]
        if not places:
            return word
        at = chance.choice(places)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    return _slips(text, chance, slip)


def typo_drop(text: str, chance: Random) -> str:
    """A letter is missing, never the first: shares, shres."""

    def slip(word: str, chance: Random) -> str:
        at = chance.randrange(1, len(word))
        return word[:at] + word[at + 1 :]

    return _slips(text, chance, slip)


def typo_key(text: str, chance: Random) -> str:
    """A neighbouring key is hit, never for the first letter: shares, shsres."""

    def slip(word: str, chance: Random) -> str:
        at = chance.randrange(1, len(word))
        return word[:at] + chance.choice(_KEYS[word[at]]) + word[at + 1 :]

    return _slips(text, chance, slip)


def upper(text: str, chance: Random) -> str:
    """CAPITALS, as wires flash."""
    return text.upper()


def lower(text: str, chance: Random) -> str:
    """Small letters only."""
    return text.lower()


def title(text: str, chance: Random) -> str:
    """Each Word Begins With A Capital; the rest of a word stays."""
    return re.sub(r"(?<![\w'’])[a-z]", lambda m: m.group().upper(), text)


def synonyms(text: str, chance: Random) -> str:
    """Every word of ``synonyms.yaml`` becomes another one of its group, in the same case."""
    pattern, groups = _synonyms()

    def other(match: re.Match[str]) -> str:
        word = match.group()
        chosen = chance.choice([w for w in groups[word.lower()] if w.lower() != word.lower()])
        if text.isupper():
            return chosen.upper()
        # CEO, chief executive; but Raises, Lifts.
        short = word[1:] != word[1:].lower()
        return chosen[0].upper() + chosen[1:] if word[0].isupper() and not short else chosen

    return pattern.sub(other, text)


@cache
def _synonyms() -> tuple[re.Pattern[str], dict[str, list[str]]]:
    source = files(__package__).joinpath("synonyms.yaml").read_text(encoding="utf-8")
    rows: Any = yaml.safe_load(source)
    groups = {str(word).lower(): list(map(str, row)) for row in rows for word in row}
    if len(groups) != sum(map(len, rows)):
        raise ValueError("synonyms.yaml: a word is in two groups")
    words = "|".join(re.escape(word) for word in sorted(groups, key=len, reverse=True))
    return re.compile(rf"(?<![\w$@#-])(?:{words})(?![\w-])", re.IGNORECASE), groups


def homoglyphs(text: str, chance: Random) -> str:
    """About one word in six is written with letters of other alphabets that look the same."""
    return _slips(text, chance, lambda word, _: word.translate(_HOMOGLYPHS))


def full_width(text: str, chance: Random) -> str:
    """ASCII as East Asian keyboards type it, twice as wide."""
    return text.translate(_FULL_WIDTH)


def invisible(text: str, chance: Random) -> str:
    """Zero-width spaces and soft hyphens within words, as pages and spammers leave them."""
    return re.sub(r"(?<=[A-Za-z])(?=[A-Za-z]{3})", lambda _: chance.choice("\u200b\u00ad"), text)


def whitespace(text: str, chance: Random) -> str:
    """Runs of spaces, no-break spaces, tabs and line ends between words, and around the text."""
    gaps = ("  ", "\u00a0", "\t", " \n ", "\u2003")
    return " " + re.sub(r" ", lambda _: chance.choice(gaps), text) + "\n"


def punctuation(text: str, chance: Random) -> str:
    """Typographic quotes and dashes, and another end: a full stop more, or less."""
    text = re.sub(r"(?<=\w)'(?=\w)", "’", text)
    text = re.sub(r'"([^"]*)"', r"“\1”", text)
    text = text.replace(" - ", " – ").replace("...", "…")
    core = text.rstrip()
    if not core:
        return text
    return core[:-1] if core[-1] == "." else core + ("." if core[-1].isalnum() else "")


#: By name; the order of reports.
PERTURBATIONS: Mapping[str, Perturbation] = {
    function.__name__: function
    for function in (
        typo_swap,
        typo_drop,
        typo_key,
        upper,
        lower,
        title,
        synonyms,
        homoglyphs,
        full_width,
        invisible,
        whitespace,
        punctuation,
    )
}
