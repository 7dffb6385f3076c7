"""Other amounts in the same story."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from itertools import pairwise

LEAST, MOST = 0.75, 1.33
_TRIES = 24

_NUMBER = r"\d{1,3}(?:,\d{2,3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_SCALES = {
    "k": 1e3, "thousand": 1e3, "lakh": 1e5, "lakhs": 1e5, "m": 1e6, "mn": 1e6, "mln": 1e6,
    "million": 1e6, "crore": 1e7, "crores": 1e7, "cr": 1e7, "b": 1e9, "bn": 1e9, "bln": 1e9,
    "billion": 1e9, "t": 1e12, "tn": 1e12, "trln": 1e12, "trillion": 1e12,
}  # fmt: skip
_UNITS = ("%", "percent", "pct", "bps", "basis points", "cents", "points", "x", *_SCALES)
_UNIT = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_ANY = re.compile(
    rf"(?P<money>(?:[$€£¥₹]|\b(?:rs|inr|usd|eur|gbp)\.?)\s?)?"
    rf"(?<![\w.])(?P<number>{_NUMBER})(?![.,]?\d)"
    rf"(?:(?:\s|-)?(?P<unit>{_UNIT})(?![A-Za-z0-9])|(?![A-Za-z0-9]))",
    re.IGNORECASE,
)
# "10-12%", "10 to 12%": the first has the unit of the second.
_RANGE = re.compile(r"\s?(?:-|–|to|and)\s?[$€£¥₹]?")


@dataclass(frozen=True, slots=True)
class _Amount:
    """A number of the text: where, its value as written, in units, and whether it may change."""

    start: int
    end: int
    written: str
    scale: float
    free: bool

    @property
    def value(self) -> float:
        return float(self.written.replace(",", ""))


class NumberChange:
    """Multiplies the amounts of a text by one factor between `LEAST` and `MOST`.

    Amounts are numbers with a currency, a unit or decimals; years, quarters, dates, ranks and
    names such as ``S&P 500`` stay. What a label may hang on is kept: signs, zero and one hundred
    per cent, the power of ten of each number, its decimals, and which of any two numbers is the
    larger ("EPS of $1.23 vs $1.20 consensus" stays a beat).
    """

    name = "numbers"

    def augment(self, text: str, rng: random.Random) -> str:
        """The text with other amounts; see `models.dataset.augment.Augmentation`."""
        amounts = _amounts(text)
        if not any(amount.free for amount in amounts):
            return text
        for _ in range(_TRIES):
            factor = rng.uniform(LEAST, MOST)
            written = [_times(a.written, factor) if a.free else a.written for a in amounts]
            if written != [a.written for a in amounts] and _same_story(amounts, written):
                return _replaced(text, amounts, written)
        return text


def _amounts(text: str) -> list[_Amount]:
    found = []
    matches = list(_ANY.finditer(text))
    units = [(m["unit"] or "").casefold() for m in matches]
    for number in range(len(matches) - 2, -1, -1):
        between = text[matches[number].end() : matches[number + 1].start("number")]
        if not units[number] and _RANGE.fullmatch(between):
            units[number] = units[number + 1]
    for match, unit in zip(matches, units, strict=True):
        written = match["number"]
        whole = unit in ("%", "percent", "pct") and float(written.replace(",", "")) == 100
        free = bool(match["money"] or unit or "." in written) and not whole
        start, end = match.span("number")
        found.append(_Amount(start, end, written, _SCALES.get(unit, 1.0), free))
    return found


def _times(written: str, factor: float) -> str:
    """A number times a factor, in the form it is written in."""
    whole, _, decimals = written.partition(".")
    value = float(written.replace(",", "")) * factor
    plain = f"{value:.{len(decimals)}f}"
    if "," not in whole:
        return plain
    digits, _, rest = plain.partition(".")
    sizes = [len(group) for group in whole.split(",")]
    groups = []
    for size in reversed(sizes[1:]):
        groups.append(digits[-size:])
        digits = digits[:-size]
    return ",".join([digits, *reversed(groups)]) + (f".{rest}" if rest else "")


def _same_story(amounts: list[_Amount], written: list[str]) -> bool:
    old = [a.value for a in amounts]
    new = [float(w.replace(",", "")) if w[:1] != "," else -1.0 for w in written]
    if any(_power(a) != _power(b) for a, b in zip(old, new, strict=True)):
        return False
    scales = [a.scale for a in amounts]
    scaled = [v * s for v, s in zip(old, scales, strict=True)]
    rescaled = [v * s for v, s in zip(new, scales, strict=True)]
    return _same_order(old, new) and _same_order(scaled, rescaled)


def _same_order(old: list[float], new: list[float]) -> bool:
    """Whether every two are as before: less, equal or more."""
    order = sorted(range(len(old)), key=lambda i: old[i])
    return all(
        new[low] < new[high] if old[low] < old[high] else new[low] == new[high]
        for low, high in pairwise(order)
    )


def _power(value: float) -> int | None:
    """Power of ten of a number, exactly; None of zero."""
    return int(f"{value:.16e}".partition("e")[2]) if value else None


def _replaced(text: str, amounts: list[_Amount], written: list[str]) -> str:
    pieces, end = [], 0
    for amount, new in zip(amounts, written, strict=True):
        pieces += [text[end : amount.start], new]
        end = amount.end
    return "".join(pieces) + text[end:]
