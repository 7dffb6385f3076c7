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
5. *People.* A one-word name after a given name is a person ("Jerry Vale").
6. *Overlaps.* Leftmost, then longest; well-known phrases (`words.DECOYS`) compete and name nobody.

Limits, honestly: it reads no meaning. "Delta" the river in a sentence, "Countrywide" the other firm
of the same name, or "Merck KGaA" against "Merck" are taken or lost by these surface rules alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import ahocorasick

from monitor.domain import Company, Mention
from monitor.entities.fold import fold, is_unspaced, unaccent
from monitor.entities.words import ACTS, ACTS_WHEN_FIRST, DECOYS, GIVEN_NAMES, ORDINARY, TREACHEROUS
from monitor.errors import ConfigError


@dataclass(frozen=True, slots=True)
class _Name:
    """One way to write a company; ``company`` is ``None`` for a decoy."""

    company: str | None
    alias: str
    length: int
    exact: str | None = None  # only in just these letters
    capital: bool = False  # only with a capital
    treacherous: bool = False
    single: bool = False  # one word
    ticker: bool = False
    free_left: bool = False  # written without spaces on this side
    free_right: bool = False


class Resolver:
    """Find watched companies in texts. Immutable and safe to share between threads.

    Parameters
    ----------
    companies
        The watchlist. No text may name two of them.

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
    """

    def __init__(self, companies: Iterable[Company]) -> None:
        names: dict[str, _Name] = {}
        derived: list[tuple[str, _Name]] = []
        tickers: dict[str, _Name] = {}
        for company in companies:
            for alias in dict.fromkeys((company.name, *company.aliases)):
                name = _name(company.id, alias)
                key = fold(alias)
                if names.setdefault(key, name).company != company.id:
                    raise ConfigError(
                        f"{alias!r} names both {names[key].company!r} and {company.id!r}; keep one"
                    )
                derived += ((variant, name) for variant in _variants(alias))
            if company.ticker:
                base = company.ticker.split(".")[0]
                tickers.setdefault(
                    fold(base), _Name(company.id, base, len(base), exact=base, ticker=True)
                )
        for variant, name in derived:
            names.setdefault(fold(variant), _name(str(name.company), variant))
        for phrase in DECOYS:
            names.setdefault(phrase, _Name(None, phrase, len(phrase)))
        self._automaton = ahocorasick.Automaton()
        for key in names.keys() | tickers.keys():
            self._automaton.add_word(
                key, tuple(each[key] for each in (names, tickers) if key in each)
            )
        self._automaton.make_automaton()

    def resolve(self, title: str, lead: str = "") -> tuple[Mention, ...]:
        """Return every mention, those of the title first, each in order of place.

        Mentions of one field never overlap; ``alias`` is the name as the watchlist writes it (or a
        spelling derived from it), ``title[start:end]`` the text as it stands.
        """
        found = self._find(title, "title")
        return (*found, *self._find(lead, "lead")) if lead else tuple(found)

    def _find(self, text: str, field: str) -> list[Mention]:
        folded = fold(text)
        places = [
            (last + 1 - name.length, last + 1, name)
            for last, names in self._automaton.iter(folded)
            for name in names
        ]
        if not places:
            return []
        plain = unaccent(text)
        sound = [
            place for place in places if _is_bounded(plain, *place) and _has_case(plain, *place)
        ]
        if not sound:
            return []
        chosen = list(_leftmost_longest(sound))
        if any(name.treacherous or name.single for _, _, name in chosen):
            chosen = list(_believable(plain, folded, chosen))
        return [
            Mention(name.company, name.alias, field, start, end)
            for start, end, name in chosen
            if name.company is not None
        ]


_Place = tuple[int, int, _Name]


def _name(company: str, alias: str) -> _Name:
    plain = unaccent(alias)
    single = not re.search(r"[\s.&]", plain)
    word = fold(alias)
    short = len(plain) <= 4
    written_low = plain[:1].islower()
    return _Name(
        company,
        alias,
        len(alias),
        exact=plain if short and plain == plain.upper() and plain != plain.lower() else None,
        capital=not written_low
        and plain[:1].isalpha()
        and plain[:1].isascii()
        and (short or (single and (word in ORDINARY or word in TREACHEROUS))),
        treacherous=single and word in TREACHEROUS,
        single=single and plain[:1].isascii(),
        free_left=is_unspaced(alias[0]),
        free_right=is_unspaced(alias[-1]),
    )


def _variants(alias: str) -> Iterator[str]:
    """Yield the other usual spellings: "and" for "&", space for hyphen, two words joined, quotes
    left out.
    """
    if " & " in alias:
        yield alias.replace(" & ", " and ")
    if "-" in alias:
        yield alias.replace("-", " ")
    words = alias.split(" ")
    if len(words) == 2 and len(alias) > 8 and alias.replace(" ", "").isalpha():
        yield "".join(words)
    if fold(alias).endswith("'s"):
        yield alias[:-2] + "s"


def _is_bounded(text: str, start: int, end: int, name: _Name) -> bool:
    if name.ticker:
        return _is_ticker(text, start, end)
    if start and not name.free_left:
        before = text[start - 1]
        if (before.isalnum() and not is_unspaced(before)) or before == "_":
            return False
        if before in ".,$" and text[start].isdigit():  # "$12.3M"
            return False
        if before in "&'" and start > 1 and text[start - 2].isalnum():
            return False
    if end < len(text) and not name.free_right:
        after = text[end]
        if (after.isalnum() and not is_unspaced(after)) or after == "_":
            return False
        if after == "&" and text[end + 1 : end + 2].isalnum():
            return False
        if after == "'" and text[end + 1 : end + 2].isalnum() and not _CONTRACTION.match(text, end):
            return False
    return True


def _is_ticker(text: str, start: int, end: int) -> bool:
    before = text[start - 1] if start else " "
    if before.isalnum() or text[end : end + 1].isalnum():
        return False
    if before == "$" or _EXCHANGE_BEFORE.search(text, max(0, start - 12), start):
        return True
    return (before == "(" and text[end : end + 1] == ")") or bool(_EXCHANGE_AFTER.match(text, end))


def _has_case(text: str, start: int, end: int, name: _Name) -> bool:
    if name.exact is not None:
        return text[start:end] == name.exact
    return not name.capital or text[start].isupper()


def _leftmost_longest(places: list[_Place]) -> Iterator[_Place]:
    places.sort(key=lambda place: (place[0], -place[1]))
    reached = 0
    for place in places:
        if place[0] >= reached:
            reached = place[1]
            yield place


def _believable(text: str, folded: str, places: list[_Place]) -> Iterator[_Place]:
    """Leave out persons, and ordinary words that nothing shows to be companies."""
    informative = _capitals_inform(text)
    sure: list[_Place] = []
    doubtful: list[_Place] = []
    for place in places:
        start, end, name = place
        if (
            name.single
            and not _is_possessive(folded, end)
            and _word_before(folded, start) in GIVEN_NAMES
        ):
            continue
        if name.treacherous and not _is_company(text, folded, start, end, informative):
            doubtful.append(place)
        else:
            sure.append(place)
    if doubtful:
        ends = {end: name for _, end, name in sure if name.company}
        starts = {start: name for start, _, name in sure if name.company}
        for place in doubtful:
            before = _LIST_BEFORE.search(folded, max(0, place[0] - 8), place[0])
            after = _LIST_AFTER.match(folded, place[1])
            if (before and before.start() in ends) or (after and after.end() in starts):
                sure.append(place)
        sure.sort(key=lambda place: place[0])
    yield from sure


def _is_company(text: str, folded: str, start: int, end: int, informative: bool) -> bool:
    after = _WORD_AFTER.match(folded, end)
    word_after = after.group(1).replace(".", "").removesuffix("'s") if after else ""
    if _is_possessive(folded, end) or word_after in ACTS:
        return True
    first = _STARTS_SENTENCE.search(text, max(0, start - 4), start) is not None
    if first and word_after in ACTS_WHEN_FIRST:
        return True
    if _ITEM_BEFORE.search(text, max(0, start - 14), start) and _ITEM_AFTER.match(text, end):
        return True
    if first or not informative:
        return False
    touches_after = after is not None and text[after.start(1)].isupper()
    before = _WORD_BEFORE.search(text, max(0, start - 40), start)
    touches_before = before is not None and before.group(1)[0].isupper()
    return not touches_after and not touches_before


def _capitals_inform(text: str) -> bool:
    """Say whether the text is in sentence case: most of its longer words begin small."""
    words = _LONG_WORD.findall(text)
    small = [word for word in words if word[0].islower()]
    return len(small) * 2 > len(words)


def _is_possessive(folded: str, end: int) -> bool:
    return folded.startswith("'s", end)


def _word_before(folded: str, start: int) -> str:
    before = _WORD_BEFORE.search(folded, max(0, start - 20), start)
    return before.group(1) if before else ""


_CONTRACTION = re.compile(r"'(?:s|ll|d|re|ve|t)\b", re.IGNORECASE)
_EXCHANGE_BEFORE = re.compile(r"\b(?:NYSE|NASDAQ|Nasdaq|LSE|TSX|ASX|HKEX|SSE|SZSE|OTC)\s?:\s?$")
_EXCHANGE_AFTER = re.compile(r"\.[A-Z]{1,3}\b")
_WORD_AFTER = re.compile(r" ([\w.']+)")
_WORD_BEFORE = re.compile(r"([\w.']+) $")
_LONG_WORD = re.compile(r"[A-Za-z]{4,}")
_LIST_BEFORE = re.compile(r"(?:, and |, | and | & |/)$")
_LIST_AFTER = re.compile(r", and |, | and | & |/")
_ITEM_BEFORE = re.compile(r"(?:, and|,| and| on| [Ff]eaturing) $")
_ITEM_AFTER = re.compile(r"(?:,? and|,) [A-Z]|\.?$")
_STARTS_SENTENCE = re.compile(r"(?:^|[.:?!\"'(-] ?)$")
