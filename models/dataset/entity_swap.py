"""A company for a company of its sector: the label is about what happened, not to whom."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.dataset.lists import read_list
from models.errors import DataError

_LIST = "companies.yaml"


@dataclass(frozen=True, slots=True)
class Company:
    """A company that may be swapped.

    Parameters
    ----------
    names
        The full name first, then what else it is called.
    sector
        It is swapped for another of its sector.
    ticker
        As in a cashtag, without the dollar sign; None where unknown.
    """

    names: tuple[str, ...]
    sector: str
    ticker: str | None = None


class EntitySwap:
    """Swaps every listed company of a text for another that the text does not name.

    A mention stays one mention: all names and cashtags of a company become those of the same
    other one, a first name its first, a cashtag its cashtag, and two companies stay two. Names are
    matched in their own case, or all in capitals.

    Parameters
    ----------
    companies
        To find and to swap for.
    """

    name = "entities"

    def __init__(self, companies: Sequence[Company]) -> None:
        self._companies = tuple(companies)
        self._owner: dict[str, int] = {}
        for number, company in enumerate(companies):
            for spelled in _spellings(company):
                if self._owner.setdefault(spelled, number) != number:
                    raise DataError(f"companies: {spelled!r} is of two; leave one")
        longest = sorted(self._owner, key=len, reverse=True)
        either = "|".join(map(re.escape, longest)) or r"(?!)"
        self._mentions = re.compile(rf"(?<![\w$#@&])(?:{either})(?![\w&])")

    @classmethod
    def built_in(cls, path: Path | None = None) -> EntitySwap:
        """From YAML, a list of ``{names, ticker}`` by sector; None for the built-in one."""
        content, place = read_list(_LIST, path)
        companies = []
        if not isinstance(content, Mapping):
            raise DataError(f"{place}: expected sectors, each with a list of companies")
        for sector, entries in content.items():
            for number, entry in enumerate(entries or (), start=1):
                names = entry.get("names") if isinstance(entry, Mapping) else None
                if not isinstance(names, list) or not names:
                    raise DataError(f"{place}: {sector}, company {number}: expected names: [...]")
                ticker = entry.get("ticker")
                companies.append(
                    Company(tuple(map(str, names)), str(sector), str(ticker) if ticker else None)
                )
        return cls(companies)

    def without(self, name: str) -> EntitySwap:
        """The same swap but for one company: it is neither found nor swapped for.

        Parameters
        ----------
        name
            Any name of the company; one that is not listed takes none away.
        """
        owner = next((n for s, n in self._owner.items() if s.casefold() == name.casefold()), None)
        if owner is None:
            return self
        return EntitySwap([c for i, c in enumerate(self._companies) if i != owner])

    def augment(self, text: str, rng: random.Random) -> str:
        """The text told of others; see `models.dataset.augment.Augmentation`."""
        found = list(self._mentions.finditer(text))
        if not found:
            return text
        tagged = {self._owner[m.group()] for m in found if m.group().startswith("$")}
        there = dict.fromkeys(self._owner[m.group()] for m in found)
        taken = set(there)
        swap: dict[int, int] = {}
        for number in there:
            company = self._companies[number]
            others = [
                i
                for i, other in enumerate(self._companies)
                if i not in taken
                and other.sector == company.sector
                and (number not in tagged or other.ticker)
            ]
            if others:
                swap[number] = rng.choice(others)
                taken.add(swap[number])
        return self._mentions.sub(lambda match: self._swapped(match.group(), swap), text)

    def _swapped(self, mention: str, swap: Mapping[int, int]) -> str:
        owner = self._owner[mention]
        if owner not in swap:
            return mention
        old, new = self._companies[owner], self._companies[swap[owner]]
        if mention.startswith("$"):
            return f"${new.ticker}"
        spelled = [mention, *(n for n in old.names if n.upper() == mention)]
        place = next((old.names.index(n) for n in spelled if n in old.names), 0)
        name = new.names[min(place, len(new.names) - 1)]
        return name.upper() if mention not in old.names else name


def _spellings(company: Company) -> set[str]:
    names = {*company.names, *(name.upper() for name in company.names)}
    return names | ({f"${company.ticker}"} if company.ticker else set())
