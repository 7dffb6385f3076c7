"""Writes recorded news for the tests: plausible wire headlines made from a grammar, seeded."""

from __future__ import annotations

import csv
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2025, 3, 3, tzinfo=UTC)
COMPANIES = (
    "Aldermoor Bank",
    "Brightwater Foods",
    "Corvane Motors",
    "Delphine Air",
    "Eastmarch Oil",
)
VERBS = (
    "posts record quarterly profit",
    "shares fall after profit warning",
    "recalls thousands of products over fire risk",
    "fined $40 mln over money laundering",
    "names new chief financial officer",
    "raises full-year dividend",
    "hit by data breach",
    "to present at investor conference",
    "denies bankruptcy report",
    "says oil output rose in March",
)
WRAPS = ("European shares edge higher", "Dollar slips before Fed", "Gold steady as traders wait")


def write_news(path: Path, rows: int, seed: int = 7) -> Path:
    """Write a replay file of ``rows`` items over about six days; ids are unique, some titles are not."""
    chance = random.Random(seed)
    at = START
    with open(path, "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["published_at", "section", "id", "title"])
        for number in range(rows):
            at += timedelta(seconds=chance.expovariate(rows / (6 * 86400)))
            if chance.random() < 0.4:
                title = f"{chance.choice(COMPANIES)} {chance.choice(VERBS)}"
            else:
                title = f"{chance.choice(WRAPS)}, {chance.randrange(1000)} points"
            if chance.random() < 0.2:
                title = f"UPDATE {chance.randrange(1, 5)}-{title}"
            url = f"https://wire.example/{at:%Y/%m/%d}/item-{number}"
            writer.writerow([f"{at:%Y-%m-%dT%H:%M:%SZ}", "", url, title])
    return path


def write_watchlist(path: Path) -> Path:
    path.write_text("name,aliases\n" + "".join(f"{name},\n" for name in COMPANIES), "utf-8")
    return path
