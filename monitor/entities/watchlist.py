"""The watchlist: which companies the desk follows, from a CSV file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from monitor.domain import Company
from monitor.entities.fold import fold, is_unspaced
from monitor.errors import ConfigError

COLUMNS = ("name", "aliases", "ticker", "isin")
MAX_NAME = 120  # characters; a longer one is nearly always a missing quote


@dataclass(frozen=True, slots=True)
class Watchlist:
    """The companies of one file, and what was odd about it but not wrong."""

    companies: tuple[Company, ...]
    warnings: tuple[str, ...] = ()


def load_watchlist(path: Path) -> Watchlist:
    """Read a watchlist.

    Parameters
    ----------
    path
        A UTF-8 CSV file with a header. Columns, in any order and any case: ``name``; ``aliases``,
        separated by semicolons; optional ``ticker`` and ``isin``. Other columns are ignored with a
        warning.

    Raises
    ------
    ConfigError
        The file cannot be read, or a row is wrong; the message names file and line and what to
        change.
    """
    rows = _rows(path, _read(path))
    try:
        _, header = next(rows)
    except StopIteration:
        raise ConfigError(
            f"{path}: the watchlist is empty; write a header line `name,aliases` and one "
            "company per line"
        ) from None
    columns = [fold(cell).strip() for cell in header]
    if "name" not in columns:
        raise ConfigError(
            f"{path}:1: no column `name` among {', '.join(map(repr, header))}; the first line "
            "must be a "
            "comma-separated header such as `name,aliases,ticker,isin`"
        )
    if doubled := {column for column in columns if column and columns.count(column) > 1}:
        raise ConfigError(f"{path}:1: column `{min(doubled)}` is given twice; remove one")
    ignored = [column for column in columns if column not in COLUMNS]
    warnings = tuple(
        f"{path}:1: column `{column}` is not used; known columns are {', '.join(COLUMNS)}"
        for column in ignored
    )
    companies: list[Company] = []
    seen = _Seen(path)
    for line, cells in rows:
        if len(cells) != len(columns):
            raise ConfigError(
                f"{path}:{line}: {len(cells)} fields where the header has {len(columns)}; "
                "complete the row, or "
                "put quotes around a field that holds a comma"
            )
        company = _company(f"{path}:{line}", dict(zip(columns, map(str.strip, cells), strict=True)))
        seen.add(line, company)
        companies.append(company)
    if not companies:
        raise ConfigError(f"{path}: the watchlist has a header and no company; add one per line")
    return Watchlist(tuple(companies), warnings)


def slug(name: str) -> str:
    """Return the stable id of a name: letters and digits of any script, the rest as single hyphens.

    Examples
    --------
    >>> slug("Procter & Gamble"), slug("\\u5de5\\u5546\\u94f6\\u884c"), slug("Nestl\\u00e9")
    ('procter-gamble', '\u5de5\u5546\u94f6\u884c', 'nestle')
    """
    return re.sub(r"[\W_]+", "-", fold(name)).strip("-")


def isin_is_valid(isin: str) -> bool:
    """Check the form and the check digit of an ISIN (ISO 6166: letters as 10..35, then Luhn).

    Examples
    --------
    >>> isin_is_valid("US0378331005"), isin_is_valid("US0378331006")
    (True, False)
    """
    if not re.fullmatch(r"[A-Z]{2}[A-Z0-9]{9}[0-9]", isin):
        return False
    digits = [int(digit) for char in isin for digit in str(int(char, 36))]
    doubled = [digit * 2 if place % 2 else digit for place, digit in enumerate(reversed(digits))]
    return sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10 == 0


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot read the watchlist: {error.strerror}; check the path"
        ) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path}:{line}: byte 0x{data[error.start]:02x} is not UTF-8; save the file as `CSV "
            "UTF-8`"
        ) from None


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line each row starts at, and its cells; blank lines are left out."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ConfigError(
                f"{path}:{line}: torn row ({error}); close the quotes, or double a quote inside "
                "a quoted field"
            ) from None
        if any(cell.strip() for cell in cells):
            yield line, cells
        line = reader.line_num + 1


def _company(where: str, cells: dict[str, str]) -> Company:
    name = cells["name"]
    aliases = tuple(
        dict.fromkeys(
            alias for part in cells.get("aliases", "").split(";") if (alias := part.strip())
        )
    )
    for alias in (name, *aliases):
        _check_name(where, alias)
    isin = cells.get("isin", "").upper()
    if isin and not isin_is_valid(isin):
        raise ConfigError(
            f"{where}: ISIN {isin!r} of {name!r} is not valid (12 characters, the last a check "
            "digit); "
            "correct it or leave the field empty"
        )
    ticker = cells.get("ticker", "").lstrip("$").upper()
    return Company(
        id=slug(name),
        name=name,
        aliases=tuple(alias for alias in aliases if alias != name),
        ticker=ticker or None,
        isin=isin or None,
    )


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
