"""How well the resolver finds the companies that someone tagged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from monitor.domain import Mention
from monitor.entities.resolver import Resolver


@dataclass(frozen=True, slots=True)
class Tagged:
    """A text with the codes of the companies that its publisher tagged, and where it stands."""

    line: int
    title: str
    lead: str
    codes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Untagged:
    """A company that was found in a text and is not among its tags."""

    row: Tagged
    mention: Mention

    @property
    def quote(self) -> str:
        """The words around the mention, the name in double brackets."""
        text = self.row.title if self.mention.field == "title" else self.row.lead
        start, end = self.mention.start, self.mention.end
        return f"{text[max(0, start - 80) : start]}[[{text[start:end]}]]{text[end : end + 60]}"


@dataclass(slots=True)
class Figures:
    """Counts over texts; `None` stands for a share of nothing."""

    n: int = 0  # texts
    tagged: int = 0  # tags of companies on the watchlist
    tagged_found: int = 0
    found: int = 0  # companies found, each once in a text
    found_tagged: int = 0
    unknown: int = 0  # tags of companies that are not on the watchlist
    untagged: list[Untagged] = field(default_factory=list)
    missed: list[tuple[Tagged, str]] = field(default_factory=list)

    @property
    def recall(self) -> float | None:
        """Tagged companies of the watchlist that were found."""
        return self.tagged_found / self.tagged if self.tagged else None

    @property
    def tagged_precision(self) -> float | None:
        """Found companies that are tagged: a lower bound, as publishers tag the main ones only."""
        return self.found_tagged / self.found if self.found else None


def evaluate(
    resolver: Resolver, rows: Iterable[Tagged], ids: Mapping[str, frozenset[str]]
) -> Figures:
    """Resolve texts and compare with their tags.

    Parameters
    ----------
    ids
        The codes of each company by its id, as of `load_listings`; two codes of one company in a
        text are one tag.
    """
    company_of = {code: company for company, codes in ids.items() for code in codes}
    figures = Figures()
    for row in rows:
        figures.n += 1
        figures.unknown += sum(code not in company_of for code in row.codes)
        tagged = {company_of[code] for code in row.codes if code in company_of}
        first = dict(_first_of_each(resolver.resolve(row.title, row.lead)))
        figures.tagged += len(tagged)
        figures.tagged_found += len(tagged & first.keys())
        figures.found += len(first)
        figures.found_tagged += len(tagged & first.keys())
        figures.untagged += (Untagged(row, m) for name, m in first.items() if name not in tagged)
        figures.missed += ((row, company) for company in sorted(tagged - first.keys()))
    return figures


def _first_of_each(mentions: Iterable[Mention]) -> Iterator[tuple[str, Mention]]:
    seen: set[str] = set()
    for mention in mentions:
        if mention.company_id not in seen:
            seen.add(mention.company_id)
            yield mention.company_id, mention
