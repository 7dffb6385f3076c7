"""One company out of its several listings: "UBS AG" in Zurich and in New York is one company."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from monitor.domain import Company
from monitor.entities.derive import is_nobodys
from monitor.entities.fold import fold
from monitor.entities.legal import without_structure, without_trade


def join_listings(
    listings: Iterable[tuple[Company, str]],
) -> tuple[tuple[Company, ...], dict[str, frozenset[str]]]:
    """Join rows that name one company; return the companies, and the codes of each by its id.

    Rows are one company's when their names are the same, or differ by a legal form that one of them
    leaves out ("Acme" and "Acme Plc"). "Merck KGaA" and "Merck & Co" are two. A row whose name has no
    word of its own ("Co Ltd") gives a code and no company.

    Examples
    --------
    >>> rows = [(Company("acme", "Acme"), "ACM.N"), (Company("acme-plc", "Acme Plc"), "ACM.L")]
    >>> companies, ids = join_listings(rows)
    >>> [company.name for company in companies], sorted(ids["acme-plc"])
    (['Acme Plc'], ['ACM.L', 'ACM.N'])
    """
    kin: dict[str, list[tuple[Company, str]]] = defaultdict(list)
    for company, code in listings:
        kin[_squashed(without_structure(company.name))].append((company, code))
    companies: list[Company] = []
    ids: dict[str, frozenset[str]] = {}
    for bare, rows in kin.items():
        whole = bare and any(_squashed(company.name) == bare for company, _ in rows)
        same: dict[str, list[tuple[Company, str]]] = defaultdict(list)
        for company, code in rows:
            same[bare if whole else company.id].append((company, code))
        for group in same.values():
            company = _joined([company for company, _ in group])
            if not is_nobodys(company.name):
                companies.append(company)
            ids[company.id] = frozenset(code for _, code in group)
    return tuple(companies), ids


def strangers(reference: Iterable[Company], watched: Iterable[Company]) -> tuple[Company, ...]:
    """Return the companies of a reference list that are none of the watched ones.

    Examples
    --------
    >>> acme = Company("acme", "Acme", ticker="ACM")
    >>> rows = (Company("acme-motors-inc", "Acme Motors Inc"), Company("b", "Acme Bolt Corp"))
    >>> [company.name for company in strangers(rows, [acme])]
    ['Acme Bolt Corp']
    """
    names: set[str] = set()
    tickers: set[str] = set()
    for company in watched:
        names |= {_squashed(without_structure(name)) for name in (company.name, *company.aliases)}
        tickers |= _codes(company)
    return tuple(
        company
        for company in reference
        if not _codes(company) & tickers
        and names.isdisjoint(
            _squashed(shorten(company.name)) for shorten in (without_structure, without_trade)
        )
    )


def _codes(company: Company) -> set[str]:
    return {code for code in (company.ticker, *company.rics) if code}


def _joined(rows: list[Company]) -> Company:
    longest = max(rows, key=lambda company: len(company.name))
    return replace(
        longest,
        aliases=tuple(dict.fromkeys(alias for row in rows for alias in row.aliases)),
        rics=tuple(dict.fromkeys(ric for row in rows for ric in row.rics)),
        groups=tuple(dict.fromkeys(group for row in rows for group in row.groups)),
    )


def _squashed(name: str) -> str:
    return "".join(char for char in fold(name) if char.isalnum())
