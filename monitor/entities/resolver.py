"""Which watched companies a text names: exact names and aliases, at word boundaries, longest first.

Rules, in the order they are applied to every place where a name's letters occur:

1. *Boundaries.* No letter, digit, underscore or joined ampersand on either side ("apple" is not in
   "Pineapple", "GE" not in "R&GE"); a possessive or contraction may follow ("Apple's"), another
   name may not ("Dell'Oro"). A hyphen is a boundary, because wires write "UPDATE 1-GM recalls",
   "Apple-supplier", "Goldman-backed" and "-source". Han, kana and Thai need no boundary.
2. *Case.* A name of at most four characters without a lower-case letter (GE, AT&T, J&J) matches in
   just that
   case; other short names and ordinary words (Nike, Shell) need a capital; longer ones match in any
   case.
3. *Tickers* match as ``$T``, ``(T)``, ``T.N``, ``NYSE: T``, never bare.
4. *Ordinary words.* Target, Visa, Total... in the middle of a sentence-case text are taken at their
   capital
   unless another capitalised word touches them ("Zweig Total Return"). As first word, in Title Case
   or in ALL CAPS the capital says nothing, so a cue must follow ("Target's", "Target CEO", "Visa
   Inc"), or it must stand in a list of names ("on Amazon, Target and Macy's") or beside another
   watched company ("Visa/MasterCard").
5. *People and other bodies.* A one-word name after a given name or a title is a person ("Jerry
   Vale"); before "Foundation" or "Health" it is another body.
6. *Short forms* that a rule made out of a long name (`derive`) need what their `Trust` says: nothing, a
   cue as of ordinary words, or a fuller name of the same company in the title or the lead. A form
   that two companies share means the one that the item names in full, else nobody.
7. *Overlaps.* Leftmost, then longest; well-known phrases (`words.DECOYS`) compete and name nobody.

Limits, honestly: it reads no meaning. "Delta" the river in a sentence, "Countrywide" the other firm
of the same name, or "Merck KGaA" against "Merck" are taken or lost by these surface rules alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import ahocorasick

from monitor.domain import Company, Mention
from monitor.entities import context
from monitor.entities.derive import Trust
from monitor.entities.fold import fold, is_unspaced, unaccent
from monitor.entities.index import OTHER, Name, names_of
from monitor.entities.relevance import relevance_of
from monitor.entities.tickers import Tickers


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a name stands in a text, and which of its owners it means there."""

    start: int
    end: int
    name: Name
    company: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """A mention, and in words why the text counts as one."""

    mention: Mention
    why: str


class _Field:
    """One of the two texts of an item, and the names that stand in it."""

    def __init__(self, name: str, text: str, folded: str, places: list[_Place]) -> None:
        self.name = name
        self.text = text  # without accents
        self.folded = folded
        self.places = places

    @cached_property
    def informative(self) -> bool:
        return context.capitals_inform(self.text)


class Resolver:
    """Find watched companies in texts. Immutable and safe to share between threads.

    Parameters
    ----------
    companies
        The watchlist. No text may name two of them.
    reference
        Companies that are not watched, of a list that the user loads: where a text has one of their
        longer names, or a short form that they share with a watched one, the watched one is not meant.

    Raises
    ------
    ConfigError
        Two companies share a name or alias.

    Examples
    --------
    >>> resolver = Resolver([Company("apple", "Apple", ticker="AAPL"), Company("target", "Target")])
    >>> [(m.company_id, m.start, m.end) for m in resolver.resolve("Apple's shares (AAPL.O) slip")]
    [('apple', 0, 5), ('apple', 16, 20)]
    >>> resolver.resolve("Target price raised for pineapple growers")
    ()
    >>> zenith = Resolver([Company("zenith", "Zenith Motors Holdings Corp")])
    >>> [mention.alias for mention in zenith.resolve("ZM recalls cars", "Zenith Motors said")]
    ['ZM', 'Zenith Motors']
    """

    def __init__(self, companies: Iterable[Company], reference: Iterable[Company] = ()) -> None:
        companies = tuple(companies)
        self._tickers = Tickers(companies)
        self._automaton = ahocorasick.Automaton()
        for key, name in names_of(companies, reference).items():
            self._automaton.add_word(key, name)
        self._automaton.make_automaton()

    def resolve(self, title: str, lead: str = "") -> tuple[Mention, ...]:
        """Return every mention, those of the title first, each in order of place.

        Mentions of one field never overlap; ``alias`` is the name as the watchlist writes it (or a
        form derived from it), ``title[start:end]`` the text as it stands.
        """
        return tuple(found.mention for found in self.find(title, lead))

    def find(self, title: str, lead: str = "") -> tuple[Found, ...]:
        """Return what `resolve` does, each with the reason why it counts."""
        read = (self._read("title", title), self._read("lead", lead) if lead else None)
        fields = [field for field in read if field is not None]
        if not fields:  # most items name nobody
            return ()
        if any(_is_doubtful(place.name) for field in fields for place in field.places):
            fuller = _fuller(fields)
            for field in fields:
                field.places = list(_believable(field, fuller))
        return tuple(
            Found(
                Mention(
                    *(company, place.name.alias, field.name, place.start, place.end),
                    relevance=relevance_of(field.name, field.text, place.start, place.end),
                ),
                place.name.why,
            )
            for field in fields
            for place in field.places
            if (company := place.company) is not None
        )

    def _read(self, field_name: str, text: str) -> _Field | None:
        """Find the names that stand in a text on their own and in their case, longest first."""
        folded = fold(text)
        hits = list(self._automaton.iter(folded))
        codes = list(self._tickers.find(text))
        if not hits and not codes:
            return None
        plain = unaccent(text)
        places = [
            _Place(start, last + 1, name, _watched(name))
            for last, name in hits
            if _has_case(plain, start := last + 1 - name.length, name)
            and _is_bounded(plain, start, last + 1, name)
        ]
        places += (
            _Place(start, end, Name((company,), code, _CODE_LENGTH, is_code=True), company)
            for start, end, company, code in codes
        )
        if not places:
            return None
        return _Field(field_name, plain, folded, list(_leftmost_longest(places)))


def _watched(name: Name) -> str | None:
    return name.owners[0] if name.owners and not name.owners[0].startswith(OTHER) else None


def _is_doubtful(name: Name) -> bool:
    return name.treacherous or name.single or name.trust > Trust.FULL


def _fuller(fields: Iterable[_Field]) -> dict[str, int]:
    """Return the companies that the item names in full, with the length of the longest such name."""
    lengths: dict[str, int] = {}
    for field in fields:
        for place in field.places:
            name = place.name
            if name.trust <= Trust.FULL and not name.treacherous:
                for owner in name.owners:
                    lengths[owner] = max(name.length, lengths.get(owner, 0))
    return lengths


def _believable(field: _Field, fuller: Mapping[str, int]) -> Iterator[_Place]:
    """Leave out persons, and words that nothing shows to be companies; say whom shared forms mean."""
    sure: list[_Place] = []
    doubtful: list[_Place] = []
    last_end = -1
    for place in field.places:
        name = place.name
        if name.single and context.is_other(
            field.text, field.folded, place.start, place.end, name.common, name.trust > Trust.FULL
        ):
            continue
        if name.single and name.trust > Trust.FULL and _is_surname(field, place):
            continue
        joint, last_end = last_end == place.start - 1 and field.text[last_end] == " ", place.end
        if joint and name.single and name.trust > Trust.STATED:  # "Sony Ericsson" is neither
            continue
        named = [owner for owner in name.owners if fuller.get(owner, 0) > name.length]
        if name.trust > Trust.FULL and len(named) == 1:
            place = replace(place, company=named[0])
        if name.trust is Trust.FULLER:
            if len(named) == 1 and (not name.common or _has_cue(field, place)):
                sure.append(place)
        elif name.treacherous and not (named and name.trust is Trust.CUE):
            (sure if _has_cue(field, place) else doubtful).append(place)
        else:
            sure.append(place)
    if doubtful:
        starts = {place.start for place in sure if place.company}
        ends = {place.end for place in sure if place.company}
        sure += (
            place
            for place in doubtful
            if context.stands_in_list(field.folded, place.start, place.end, starts, ends)
        )
        sure.sort(key=lambda place: place.start)
    yield from sure


def _has_cue(field: _Field, place: _Place) -> bool:
    return context.is_company(field.text, field.folded, place.start, place.end, field.informative)


def _is_surname(field: _Field, place: _Place) -> bool:
    return context.is_surname(field.text, place.start, field.informative, place.name.common)


def _is_bounded(text: str, start: int, end: int, name: Name) -> bool:
    if start and not name.free_left:
        before = text[start - 1]
        if (before.isalnum() and not is_unspaced(before)) or before == "_":
            return False
        if before in ".,$" and text[start].isdigit():  # "$12.3M"
            return False
        if before == "." and name.exact and _CODE_BEFORE.search(text, 0, start):  # ".SPX", "QNN.SN"
            return False
        if before in "&'" and start > 1 and text[start - 2].isalnum():
            return False
    if end < len(text) and not name.free_right:
        after = text[end]
        if (after.isalnum() and not is_unspaced(after)) or after == "_":
            return False
        if after == "." and _is_code(text, start, end, name):
            return False
        if after == "-" and name.exact and _MODEL_NUMBER.match(text, end):  # "LM-100J"
            return False
        if after == "&" and text[end + 1 : end + 2].isalnum():
            return False
        if after == "'" and text[end + 1 : end + 2].isalnum() and not _CONTRACTION.match(text, end):
            return False
    return True


def _is_code(text: str, start: int, end: int, name: Name) -> bool:
    """Say whether a name's letters are a code with its place: "CBS.UL" is a private company."""
    if not text[start:end].isupper() or not _PLACE_OF_CODE.match(text, end):
        return False
    return name.trust > Trust.FULL or text.startswith("UL", end + 1)


def _has_case(text: str, start: int, name: Name) -> bool:
    if name.exact is not None:
        return text.startswith(name.exact, start)
    if name.trust is Trust.CUE and not name.single:  # "American Axle", not "American axle"
        written = text[start : start + name.length]
        return written.istitle() or written.isupper() or written == name.alias
    return not name.capital or text[start].isupper()


def _leftmost_longest(places: list[_Place]) -> Iterator[_Place]:
    places.sort(key=lambda place: (place.start, -place.end))
    reached = 0
    for place in places:
        if place.start >= reached:
            reached = place.end
            yield place


_CODE_LENGTH = 1000  # a code says more than any short form
_CODE_BEFORE = re.compile(r"(?:^|[\sA-Z\d])\.$")
_MODEL_NUMBER = re.compile(r"-[A-Z]{0,3}\d")
_PLACE_OF_CODE = re.compile(r"\.[A-Z]{1,2}\b")
_CONTRACTION = re.compile(r"'(?:s|ll|d|re|ve|t)\b", re.IGNORECASE)
