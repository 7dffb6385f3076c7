"""Watchlists out of lists of companies that others publish.

To read another format, write a function from the text of a file to companies and add a line to `FORMATS`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from monitor.domain import Company
from monitor.entities.fold import fold
from monitor.entities.legal import fold_wide, without_listing
from monitor.entities.watchlist import MAX_NAME, slug
from monitor.errors import ConfigError


def read_list(path: Path, format: str) -> tuple[Company, ...]:
    """Return the companies of a published list, each once, by the first of its shares.

    Parameters
    ----------
    path
        The file as published, UTF-8, plain or ``.gz``.
    format
        A key of `FORMATS`.

    Raises
    ------
    ConfigError
        The file cannot be read, or is not of this format.
    """
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    except (OSError, EOFError) as error:
        raise ConfigError(f"{path}: cannot read the list: {error}; check the path") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8; save it as UTF-8") from None
    try:
        companies = _each_once(FORMATS[format](text))
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError, csv.Error) as error:
        raise ConfigError(
            f"{path}: is not a list of format `{format}` ({type(error).__name__}: {error}); "
            f"formats are {', '.join(FORMATS)}"
        ) from None
    if not companies:
        raise ConfigError(
            f"{path}: holds no company as of format `{format}`; formats are {', '.join(FORMATS)}"
        )
    return companies


def write_watchlist(path: Path, companies: Iterable[Company]) -> None:
    """Write companies as a watchlist that `load_watchlist` reads."""
    columns = ("name", "ticker", "ric", "sector", "country")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for company in companies:
            writer.writerow(
                (
                    *(company.name, company.ticker or "", ";".join(company.rics)),
                    *(company.sector or "", company.country or ""),
                )
            )


def _sec(text: str) -> Iterator[Company]:
    for row in json.loads(text).values():
        yield _company(row["title"], ticker=row["ticker"])


def _sp500(text: str) -> Iterator[Company]:
    for row in csv.DictReader(io.StringIO(text)):
        yield _company(row["Security"], ticker=row["Symbol"], sector=row["GICS Sector"])


def _exchange(text: str) -> Iterator[Company]:
    for row in json.loads(text):
        yield _company(
            row["name"], ticker=row["symbol"], sector=row.get("sector"), country=row.get("country")
        )


def _a_share(text: str) -> Iterator[Company]:
    for row in csv.DictReader(io.StringIO(text)):
        if row["status"] != "D":  # delisted
            yield _company(
                fold_wide(row["name"]), ric=row["ts_code"], sector=row["industry"], country="China"
            )


FORMATS: Mapping[str, Callable[[str], Iterator[Company]]] = {
    "sec": _sec,
    "sp500": _sp500,
    "exchange": _exchange,
    "a-share": _a_share,
}


def _company(
    name: str, ticker: str = "", ric: str = "", sector: Any = None, country: Any = None
) -> Company:
    name = without_listing(_UNIT.split(" ".join(name.split()))[0])
    if name.isupper():  # as the SEC keeps them: "ACME COM INC"
        name = _COM.sub(".com", name)
        name = _LONG_WORD.sub(lambda word: word.group().capitalize(), name)
    return Company(
        id=slug(name),
        name=name,
        ticker=ticker.strip().upper() or None,
        rics=(ric,) if ric else (),
        sector=sector or None,
        country=country or None,
    )


# "Acme LP Beneficial Unit Certificates representing ..."
_UNIT = re.compile(r" (?:Beneficial Unit|representing|each representing)\b")
_COM = re.compile(r"(?<=[A-Z])[ .]COM\b")
_LONG_WORD = re.compile(r"[A-Z]{4,}|(?<![A-Z&])(?:INC|LTD|LLC|CO)\b")


def _each_once(companies: Iterable[Company]) -> tuple[Company, ...]:
    kept: dict[str, Company] = {}
    names: set[str] = set()
    for company in companies:
        if 1 < len(company.name) <= MAX_NAME and company.id and fold(company.name) not in names:
            names.add(fold(company.name))
            kept.setdefault(company.id, company)
    return tuple(kept.values())
