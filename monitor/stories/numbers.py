"""Numbers as headlines write them, for rules that compare a result with what was expected."""

from __future__ import annotations

import re

_AMOUNT = re.compile(
    r"(?P<sign>[-(]?)\s?[$€£¥]?\s?(?P<minus>-?)(?P<digits>\d[\d,]*(?:\.\d+)?)\s?(?P<unit>[a-z]*)"
)
_UNITS = {
    "c": 0.01,
    "cent": 0.01,
    "cents": 0.01,
    "k": 1e3,
    "m": 1e6,
    "mln": 1e6,
    "mn": 1e6,
    "million": 1e6,
    "b": 1e9,
    "bln": 1e9,
    "bn": 1e9,
    "billion": 1e9,
}


def amount(text: str) -> float | None:
    """Return the number a folded text begins with, or ``None``; brackets and a minus are a loss.

    Examples
    --------
    >>> amount("$2.11"), amount("(0.12)"), amount("1,250 mln"), amount("90 cents"), amount("n/a")
    (2.11, -0.12, 1250000000.0, 0.9, None)
    """
    found = _AMOUNT.match(text.strip())
    if found is None:
        return None
    value = float(found["digits"].replace(",", "")) * _UNITS.get(found["unit"], 1.0)
    return -value if found["sign"] or found["minus"] else value
