"""How fast companies are found: titles a second of one thread, with tens of thousands of companies.

    python -m tests.bench.resolver [FILE] [--companies N] [--rows N] [--json]

The companies are those of the lists in the data folder, filled up with made-up ones. Seconds are CPU time of
the process, the best of `RUNS`; building the resolver is not counted.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import time
from itertools import islice, product
from pathlib import Path

from monitor.domain import Company
from monitor.entities import Resolver
from monitor.entities.fold import fold
from monitor.entities.lists import read_list

RUNS = 3
SHARED = Path(os.environ.get("FORESHOCK_DATA", "../shared/data"))
LISTS = {
    "sec_company_tickers.json": "sec",
    "us_nyse_full_tickers.json.gz": "exchange",
    "us_nasdaq_full_tickers.json.gz": "exchange",
    "cn_a_share_stock_basic.csv": "a-share",
}
HEADS = ("Bor", "Cal", "Dra", "Fen", "Gal", "Hel", "Kor", "Lum", "Mer", "Nov", "Pry", "Quo", "Ral")
MIDS = ("ab", "ec", "id", "om", "un", "ax", "el", "ir", "os", "ut")
TAILS = ("ano", "bex", "corix", "dyne", "ford", "gen", "lith", "mont", "nix", "pro", "tron", "via")
TRADES = ("Motors", "Bank", "Energy", "Foods")


def main() -> None:
    parser = argparse.ArgumentParser(description="Titles a second in which companies are found.")
    parser.add_argument("file", nargs="?", default=str(SHARED / "replay/reuters_2014-05.csv.gz"))
    parser.add_argument("--companies", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    watched = companies(given.companies)
    begun = time.process_time()
    resolver = Resolver(watched)
    built_s = time.process_time() - begun
    with gzip.open(given.file, "rt", encoding="utf-8", newline="") as file:
        titles = [row["title"] for row in islice(csv.DictReader(file), given.rows)]
    figures = {
        "companies": len(watched),
        "titles": len(titles),
        "titles_per_s": round(titles_per_s(resolver, titles)),
        "build_s": round(built_s, 2),
    }
    print(json.dumps(figures) if given.json else "\n".join(f"{k}: {v}" for k, v in figures.items()))


def companies(wanted: int) -> list[Company]:
    """Return so many companies of different names: of the lists that are there, then made-up ones."""
    listed = (
        company
        for name, format in LISTS.items()
        if (SHARED / "lists" / name).exists()
        for company in read_list(SHARED / "lists" / name, format)
    )
    chosen: dict[str, Company] = {}
    ids: set[str] = set()
    for company in (*listed, *made_up()):
        if len(chosen) < wanted and company.id not in ids and fold(company.name) not in chosen:
            chosen[fold(company.name)] = company
            ids.add(company.id)
    return list(chosen.values())


def made_up() -> list[Company]:
    """Return 6,240 companies that are nobody's."""
    names = ("".join(parts) for parts in product(HEADS, MIDS, TAILS))
    return [
        Company(f"{name}-{trade}".lower(), f"{name} {trade} Holdings Corp")
        for name, trade in product(names, TRADES)
    ]


def titles_per_s(resolver: Resolver, titles: list[str]) -> float:
    """Return titles a second of CPU time, the best of some runs."""
    seconds = []
    for _ in range(RUNS):
        begun = time.process_time()
        for title in titles:
            resolver.resolve(title)
        seconds.append(time.process_time() - begun)
    return len(titles) / min(seconds)


if __name__ == "__main__":
    main()
