"""Which watched names are states: a desk that lends to them follows them as it follows companies.

The names of states are those of the Unicode CLDR, in English and Chinese, by way of `babel`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from babel import Locale

from monitor.domain import Company
from monitor.entities.fold import fold

SECTOR = "sovereign"  # in the watchlist's column `sector`, for a name that no list has
_LANGUAGES = ("en", "zh")


def states_among(companies: Iterable[Company]) -> frozenset[str]:
    """Return the ids of the companies that are states: by their name, or by their sector.

    Examples
    --------
    >>> greece, acme = Company("gr", "Greece"), Company("acme", "Acme")
    >>> zone = Company("eu", "Eurozone", sector="Sovereign")
    >>> sorted(states_among([greece, acme, zone]))
    ['eu', 'gr']
    """
    return frozenset(
        company.id
        for company in companies
        if fold(company.sector or "") == SECTOR or fold(company.name) in _territories()
    )


@cache
def _territories() -> frozenset[str]:
    return frozenset(
        fold(name)
        for language in _LANGUAGES
        for code, name in Locale(language).territories.items()
        if len(code) == 2  # the others are continents and regions
    )
