"""The watchlist: which companies the desk follows, from a CSV file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from monitor.domain import Company
from monitor.entities.codes import credit_code_is_valid, isin_is_valid, lei_is_valid
from monitor.entities.fold import fold, is_unspaced
from monitor.entities.listings import join_listings, strangers
from monitor.entities.table import Table
from monitor.errors import ConfigError

COLUMNS = (
    *("name", "aliases", "ticker", "isin", "ric", "lei", "credit_code"),
    *("parent", "sector", "country", "groups"),
)
MAX_NAME = 120  # characters; a longer one is nearly always a missing quote


@dataclass(frozen=True, slots=True)
class Watchlist:
    """The companies of one file, and what was odd about it but not wrong."""

    companies: tuple[Company, ...]
    warnings: tuple[str, ...] = ()
    #: What the column asked for with `load_listings` says of each company, by its id.
    ids: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def parents(self) -> dict[str, str]:
        """The id of each subsidiary's parent."""
        return {company.id: company.parent for company in self.companies if company.parent}

    def ancestors(self, company_id: str) -> tuple[str, ...]:
        """Return the ids of a company's parent, of the parent's parent, and so on.

        Examples
        --------
        >>> watched = Watchlist((Company("a", "A"), Company("b", "B", parent="a")))
        >>> watched.ancestors("b"), watched.ancestors("a")
        (('a',), ())
        """
        parents, above = self.parents, []
        while parent := parents.get(company_id):
            above.append(parent)
            company_id = parent
        return tuple(above)


def load_watchlist(path: Path) -> Watchlist:
    """Read a watchlist.

    Parameters
    ----------
    path
        A UTF-8 CSV file with a header. Columns, in any order and any case: ``name``, and all
        optional: ``aliases`` (several separated by semicolons, as are ``ric`` and ``groups``),
        ``ticker``, ``isin``, ``ric``, ``lei``, ``credit_code``, ``parent`` (a name of the same
        file), ``sector``, ``country``, ``groups``. Other columns are ignored with a warning.

    Raises
    ------
    ConfigError
        The file cannot be read, or a row is wrong; the message names file and line and what to
        change.
    """
    table = Table(path, "name")
    warnings = tuple(
        f"{path}:1: column `{column}` is not used; known columns are {', '.join(COLUMNS)}"
        for column in table.columns
        if column not in COLUMNS
    )
    companies: list[Company] = []
    seen = _Seen(path)
    parents: list[tuple[str, str]] = []  # where, and the name given, of each company
    for line, cells in table.rows():
        company = _company(f"{path}:{line}", cells)
        seen.add(line, company)
        companies.append(company)
        parents.append((f"{path}:{line}", cells.get("parent", "")))
    return Watchlist(_with_parents(companies, parents, seen), warnings)


def load_listings(path: Path, id_column: str, name_column: str = "name") -> Watchlist:
    """Read a list in which a company may stand several times, once for each of its listings.

    Parameters
    ----------
    path
        As of `load_watchlist`; columns that it does not know are ignored without a warning.
    id_column
        The column that tells listings apart, a code of an exchange say; rows that name one company
        are joined, and `Watchlist.ids` has all their codes.
    name_column
        The column of the names.

    Raises
    ------
    ConfigError
        As of `load_watchlist`; or the columns are not there.
    """
    table = Table(path, fold(name_column), fold(id_column))
    listings: list[tuple[Company, str]] = []
    for line, cells in table.rows():
        where = f"{path}:{line}"
        code = cells[fold(id_column)]
        if not code:
            raise ConfigError(f"{where}: no `{id_column}`; complete the row or remove it")
        company = _company(where, {**cells, "name": cells[fold(name_column)], "parent": ""})
        listings.append((company, code))
    joined, ids = join_listings(listings)
    return Watchlist(joined, ids=ids)


def load_reference(paths: Iterable[Path], watched: Iterable[Company]) -> tuple[Company, ...]:
    """Read lists of companies that are not watched: watchlists, or what ``entities import`` writes.

    Those that are watched are left out.

    Raises
    ------
    ConfigError
        As of `load_watchlist`.
    """
    rows = []
    for path in paths:
        for line, cells in Table(path, "name").rows():
            rows.append((_company(f"{path}:{line}", {**cells, "parent": ""}), ""))
    return strangers(join_listings(rows)[0], watched)


def slug(name: str) -> str:
    """Return the stable id of a name: letters and digits of any script, the rest as single hyphens.

    Examples
    --------
    >>> slug("Procter & Gamble"), slug("\\u5de5\\u5546\\u94f6\\u884c"), slug("Nestl\\u00e9")
    ('procter-gamble', '\u5de5\u5546\u94f6\u884c', 'nestle')
    """
    return re.sub(r"[\W_]+", "-", fold(name)).strip("-")


_CODES: tuple[tuple[str, str, Callable[[str], bool], str], ...] = (
    ("isin", "ISIN", isin_is_valid, "12 characters, the last a check digit"),
    ("lei", "LEI", lei_is_valid, "20 characters, the last two check digits"),
    (
        *("credit_code", "unified social credit code"),
        credit_code_is_valid,
        "18 characters, the last a check character",
    ),
)


def _company(where: str, cells: Mapping[str, str]) -> Company:
    name = cells["name"]
    aliases = _several(cells, "aliases")
    for alias in (name, *aliases):
        _check_name(where, alias)
    codes: dict[str, str | None] = {}
    for column, called, is_valid, form in _CODES:
        code = cells.get(column, "").upper()
        if code and not is_valid(code):
            raise ConfigError(
                f"{where}: {called} {code!r} of {name!r} is not valid ({form}); "
                "correct it or leave the field empty"
            )
        codes[column] = code or None
    rics = _several(cells, "ric")
    for ric in rics:
        if not _RIC.fullmatch(ric):
            raise ConfigError(
                f"{where}: instrument code {ric!r} of {name!r} is not a code with its place, such as "
                "`T.N` or `600519.SS`; correct it, or put a bare ticker into the `ticker` column"
            )
    return Company(
        id=slug(name),
        name=name,
        aliases=tuple(alias for alias in aliases if alias != name),
        ticker=cells.get("ticker", "").lstrip("$").upper() or None,
        rics=rics,
        sector=cells.get("sector") or None,
        country=cells.get("country") or None,
        groups=_several(cells, "groups"),
        **codes,
    )


def _several(cells: Mapping[str, str], column: str) -> tuple[str, ...]:
    parts = (part.strip() for part in cells.get(column, "").split(";"))
    return tuple(dict.fromkeys(part for part in parts if part))


def _with_parents(
    companies: list[Company], parents: list[tuple[str, str]], seen: _Seen
) -> tuple[Company, ...]:
    """Put the id of the company that each `parent` names in its place."""
    found: dict[str, str] = {}
    for company, (where, name) in zip(companies, parents, strict=True):
        if not name:
            continue
        parent = seen.owner(name)
        if parent is None:
            raise ConfigError(
                f"{where}: parent {name!r} of {company.name!r} is not in this watchlist; add a row "
                "for it, or leave the field empty"
            )
        found[company.id] = parent
        above = company.id
        while above in found:
            above = found[above]
            if above == company.id:
                raise ConfigError(
                    f"{where}: {company.name!r} would be its own parent, by way of {name!r}; "
                    "correct the `parent` fields"
                )
    return tuple(replace(company, parent=found.get(company.id)) for company in companies)


def _check_name(where: str, name: str) -> None:
    if not name:
        raise ConfigError(f"{where}: the name is empty; write the company's name or remove the row")
    if not slug(name):
        raise ConfigError(f"{where}: {name!r} has no letter or digit; write the company's name")
    if len(name) > MAX_NAME or any(ord(char) < 32 for char in name):
        raise ConfigError(
            f"{where}: {name[:40]!r}... is longer than {MAX_NAME} characters or holds a line "
            "break; is a quote missing?"
        )
    if len(name) == 1:
        hint = (
            "a fuller name"
            if is_unspaced(name)
            else "a fuller name, or put it in the `ticker` column"
        )
        raise ConfigError(f"{where}: {name!r} alone would match far too much; write {hint}")


class _Seen:
    """Which line first gave a name, so that no text can mean two companies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._slugs: dict[str, tuple[int, str]] = {}
        self._names: dict[str, tuple[int, str]] = {}

    def add(self, line: int, company: Company) -> None:
        where = f"{self._path}:{line}"
        if first := self._slugs.get(company.id):
            raise ConfigError(
                f"{where}: company {company.name!r} is already on line {first[0]}; join the two "
                "rows into one"
            )
        self._slugs[company.id] = (line, company.id)
        for name in (company.name, *company.aliases):
            line_before, owner = self._names.setdefault(fold(name), (line, company.id))
            if owner != company.id:
                raise ConfigError(
                    f"{where}: {name!r} already names {owner!r} (line {line_before}); keep it "
                    "in one of the two rows"
                )

    def owner(self, name: str) -> str | None:
        """Return the id of the company that has this name or alias."""
        _, owner = self._names.get(fold(name), (0, None))
        return owner


_RIC = re.compile(r"[A-Za-z\d-]{1,12}\.[A-Za-z]{1,3}")
