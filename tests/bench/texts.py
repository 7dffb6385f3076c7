"""Real texts of two lengths to classify, and how calls are timed."""

from __future__ import annotations

import csv
import gzip
import os
import statistics
import time
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path

SHARED = Path(os.environ.get("FORESHOCK_DATA", "../shared/data"))
RUNS = 5


def titles(count: int) -> list[str]:
    """Headlines of a calm month."""
    with gzip.open(SHARED / "replay/reuters_2014-05.csv.gz", "rt", encoding="utf-8") as file:
        return [row["title"] for row in islice(csv.DictReader(file), count)]


def leads(count: int) -> list[str]:
    """Headlines with the first sentences under them, again from the start where there are too few."""
    with gzip.open(SHARED / "labelled/company_mentions.csv.gz", "rt", encoding="utf-8") as file:
        found = [f"{row['title']}. {row['lead']}" for row in csv.DictReader(file)]
    return [found[i % len(found)] for i in range(count)]


def median_s(call: Callable[[], object], runs: int = RUNS) -> float:
    """Seconds of a call, the median of some, after one that is not counted."""
    return in_turn({"": call}, runs)[""]


def in_turn(calls: Mapping[str, Callable[[], object]], runs: int = RUNS) -> dict[str, float]:
    """Seconds of each call, the median of some. They take turns: a slow minute of the machine hits all.

    A first turn is not counted.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(runs + 1):
        for name, call in calls.items():
            begun = time.perf_counter()
            call()
            if turn:
                times[name].append(time.perf_counter() - begun)
    return {name: statistics.median(each) for name, each in times.items()}
