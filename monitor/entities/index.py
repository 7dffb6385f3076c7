"""Every way to write the watched companies: what the watchlist states, its spellings, its short forms."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from monitor.domain import Company
from monitor.entities.derive import Cut, Form, Trust, forms, is_nobodys
from monitor.entities.english import is_name, is_ordinary
from monitor.entities.fold import fold, is_unspaced, unaccent
from monitor.entities.legal import without_form
from monitor.entities.vague import GENERIC, PLACES
from monitor.entities.words import DECOYS, ORDINARY, TREACHEROUS
from monitor.errors import ConfigError

OTHER = "\0"  # begins the key of a company that is not watched


@dataclass(frozen=True, slots=True)
class Name:
    """One way to write a company.

    ``owners`` are the companies it may mean: none for a decoy, several for a short form they share.
    """

    owners: tuple[str, ...]
    alias: str
    length: int
    trust: Trust = Trust.STATED
    exact: str | None = None  # only in just these letters
    capital: bool = False  # only with a capital
    treacherous: bool = False
    common: bool = False  # also a word, or the name of someone or something
    single: bool = False  # one word
    free_left: bool = False  # written without spaces on this side
    free_right: bool = False
    is_code: bool = False  # a ticker or instrument code

    @property
    def why(self) -> str:
        """Say in words what lets the name count."""
        return "a code of the company" if self.is_code else _WHY[self.trust]


_WHY = {
    Trust.STATED: "a name that the watchlist states",
    Trust.FULL: "its name without the legal form",
    Trust.SHORT: "a short form of its name",
    Trust.CUE: "a short form, and the text shows a company or names it in full",
    Trust.FULLER: "a form that several share, and the text names it in full",
}


def names_of(companies: Iterable[Company], reference: Iterable[Company] = ()) -> dict[str, Name]:
    """Return every name by its folded letters.

    Parameters
    ----------
    companies
        The watchlist.
    reference
        Companies that are not watched: their long names compete with those of watched ones, and a
        short form they share names nobody by itself.

    Raises
    ------
    ConfigError
        Two companies share a name or alias.
    """
    companies = tuple(companies)
    names: dict[str, Name] = {}
    spellings: list[tuple[str, Name]] = []
    for company in companies:
        for alias in dict.fromkeys((company.name, *company.aliases)):
            if is_nobodys(alias) and without_form(alias) != alias:  # "Co Ltd", "Bancorp Inc"
                continue
            name = _name((company.id,), alias, Trust.STATED)
            first = names.setdefault(fold(alias), name)
            if first.owners != name.owners:
                raise ConfigError(
                    f"{alias!r} names both {first.owners[0]!r} and {company.id!r}; keep one"
                )
            spellings += ((variant, name) for variant in _spellings(alias))
    for variant, name in spellings:
        names.setdefault(fold(variant), _name(name.owners, variant, Trust.STATED))
    for key, name in _forms(companies, reference).items():
        names.setdefault(key, name)
    for phrase in DECOYS:
        names.setdefault(phrase, Name((), phrase, len(phrase)))
    return names


@dataclass(frozen=True, slots=True, order=True)
class _Claim:
    trust: Trust
    cut: Cut
    text: str


def _forms(companies: Iterable[Company], reference: Iterable[Company]) -> dict[str, Name]:
    """Return the short forms, each with the companies that may be called so."""
    claims: dict[str, dict[str, _Claim]] = defaultdict(dict)

    def claim(owner: str, form: Form) -> None:
        for variant in (form.text, *_spellings(form.text)):
            made = _Claim(form.trust, form.cut, variant)
            held = claims[fold(variant)].setdefault(owner, made)
            claims[fold(variant)][owner] = min(held, made)

    for company in companies:
        for form in forms(company):
            claim(company.id, form)
    for number, company in enumerate(reference):
        claim(f"{OTHER}{number}", Form(company.name, Trust.FULL, Cut.FORM))
        for form in forms(company):
            claim(f"{OTHER}{number}", form)
    return {key: name for key, owners in claims.items() if (name := _claimed(owners))}


def _claimed(claims: Mapping[str, _Claim]) -> Name | None:
    """Return the name of those who claim a form: the first of the owners where it is mostly called so."""
    owners = sorted(claims, key=lambda owner: claims[owner])
    best = claims[owners[0]]
    trust, shared = best.trust, False
    if len(owners) > 1:
        next_best = claims[owners[1]]
        shared = next_best.cut < Cut.REST or (best.cut > Cut.FORM and len(owners) > 2)
        shared &= not (best.trust <= Trust.SHORT and next_best.trust is Trust.FULLER)
    if owners[0].startswith(OTHER) and not shared:
        return Name((), best.text, len(best.text)) if trust <= Trust.SHORT else None
    if all(owner.startswith(OTHER) for owner in owners):
        return None
    return _name(tuple(owners), best.text, Trust.FULLER if shared else trust)


def _name(owners: tuple[str, ...], alias: str, trust: Trust) -> Name:
    plain = unaccent(alias)
    single = not re.search(r"[\s.&]", plain)
    word = fold(alias)
    short = len(plain) <= (4 if trust is Trust.STATED else 6)
    ordinary = word in ORDINARY
    vague = ordinary or word in TREACHEROUS or word in GENERIC
    blended = trust > Trust.FULL and short and single and plain[1:] != plain[1:].lower()
    return Name(
        owners,
        alias,
        len(alias),
        trust,
        exact=plain
        if blended or (short and plain == plain.upper() and plain != plain.lower())
        else None,
        capital=not plain[:1].islower()
        and plain[:1].isalpha()
        and plain[:1].isascii()
        and (short or trust > Trust.STATED or (single and (vague or is_ordinary(word)))),
        treacherous=trust is Trust.CUE
        or (single and not ordinary and (vague or (trust is Trust.STATED and is_ordinary(word)))),
        common=single and (is_name(word) or is_ordinary(word)),
        single=single and plain[:1].isascii(),
        free_left=is_unspaced(alias[0]),
        free_right=is_unspaced(alias[-1]),
    )


def _spellings(alias: str) -> Iterator[str]:
    """Yield the other usual spellings: "and" for "&", hyphen or none, two words joined, no quotes."""
    if " & " in alias:
        yield alias.replace(" & ", " and ")
    if " and " in alias:
        yield alias.replace(" and ", " & ")
    if "-" in alias:
        yield alias.replace("-", " ")
        if len(alias) > 6:
            yield alias.replace("-", "")
    words = alias.split(" ")
    joined = "".join(words)
    if len(words) == 2 and len(alias) > 8 and joined.isalpha() and fold(joined) not in PLACES:
        yield joined
    if fold(alias).endswith("'s"):
        yield alias[:-2] + "s"
