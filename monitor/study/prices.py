"""Prices from a CSV file: returns by trading day and company."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from monitor.domain import Company
from monitor.entities.fold import fold
from monitor.errors import ConfigError

NAMES = ("company", "ticker", "ric")
VALUES = ("close", "return")


@dataclass(frozen=True, slots=True)
class Prices:
    """``returns`` has a row for every trading day of the file and a column for every watched company in it.

    Closes give log returns from one close of a company to its next; a day on which it has none is NaN, and
    so is the day after. ``unknown`` are the names in the file that nobody watches.
    """

    returns: pd.DataFrame
    unknown: tuple[str, ...]


def load_prices(path: Path, companies: Iterable[Company]) -> Prices:
    """Read prices.

    Parameters
    ----------
    path
        A UTF-8 CSV file with the columns ``date`` (2026-01-31), one of ``company`` (name or id), ``ticker``
        and ``ric``, and one of ``close`` (above 0) and ``return`` (0.01 is a rise of one in a hundred).
    companies
        The watchlist.

    Raises
    ------
    ConfigError
        The file cannot be read, or a row is wrong; the message names file and line and what to change.
    """
    known = _known(companies)
    found: dict[tuple[date, str], float] = {}
    unknown: set[str] = set()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
            who, what = _columns(path, reader.fieldnames)
            for row in reader:
                where = f"{path}:{reader.line_num}"
                day, value = _day(where, row["date"]), _value(where, what, row[what])
                name = (row[who] or "").strip()
                company = known[who].get(fold(name))
                if company is None:
                    unknown.add(name)
                elif found.setdefault((day, company), value) is not value:
                    raise ConfigError(f"{where}: {name} has a second {what} on {day}; remove one")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); give a UTF-8 CSV file") from None
    if not found:
        names = ", ".join(sorted(unknown)[:5]) or "none"
        raise ConfigError(f"{path}: no price of a watched company; it names {names}")
    table = pd.Series(found).unstack().sort_index()
    table.index = pd.DatetimeIndex(table.index, name="day")
    returns = table.apply(np.log).diff() if what == "close" else table
    return Prices(returns, tuple(sorted(unknown)))


def _known(companies: Iterable[Company]) -> dict[str, dict[str, str]]:
    known: dict[str, dict[str, str]] = {name: {} for name in NAMES}
    for company in companies:
        known["company"] |= {fold(company.id): company.id, fold(company.name): company.id}
        if company.ticker:
            known["ticker"][fold(company.ticker)] = company.id
        known["ric"] |= {fold(ric): company.id for ric in company.rics}
    return known


def _columns(path: Path, header: Iterable[str]) -> tuple[str, str]:
    """Return which column names the company and which the price."""
    names = list(header)
    who = [name for name in NAMES if name in names]
    what = [name for name in VALUES if name in names]
    if "date" not in names or len(who) != 1 or len(what) != 1:
        raise ConfigError(
            f"{path}:1: columns are {', '.join(names) or 'missing'}; write date, one of "
            f"{', '.join(NAMES)}, and one of {', '.join(VALUES)}"
        )
    return who[0], what[0]


def _day(where: str, text: str | None) -> date:
    try:
        return date.fromisoformat((text or "").strip())
    except ValueError:
        raise ConfigError(f"{where}: date {text!r} is not a day such as 2026-01-31") from None


def _value(where: str, what: str, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (what == "close" and value <= 0):
        raise ConfigError(
            f"{where}: {what} {text!r} is no price; write a number, or leave the row out"
        )
    return value
