"""What a reader made of alerts, and the precision that follows from it."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.robustness.wilson import wilson
from monitor.domain import VERDICTS
from monitor.errors import ConfigError

_COLUMNS = ("alert_id", "verdict", "note")


@dataclass(frozen=True, slots=True)
class Precision:
    """Share of judged alerts that were true, with Wilson's 95% interval (Wilson 1927)."""

    judged: int
    true: int
    precision: float | None
    low: float | None
    high: float | None
    by_verdict: Mapping[str, int]


def load_verdicts(path: Path) -> dict[str, tuple[str, str]]:
    """Return (verdict, note) by alert id; nothing where there is no file yet.

    Raises
    ------
    ConfigError
        A row is wrong; names file and line.
    """
    if not path.exists():
        return {}
    found = {}
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            if row.get("verdict") not in VERDICTS or not row.get("alert_id"):
                raise ConfigError(
                    f"{path}:{reader.line_num}: verdict {row.get('verdict')!r}; write one of "
                    f"{', '.join(VERDICTS)}"
                )
            found[row["alert_id"]] = (row["verdict"], row.get("note") or "")
    return found


def save_verdicts(path: Path, verdicts: Mapping[str, tuple[str, str]]) -> None:
    """Write verdicts, ordered by alert id."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows((id_, *verdicts[id_]) for id_ in sorted(verdicts))


def sample(ids: Iterable[str], size: int, seed: int) -> list[str]:
    """Return a random sample of alerts, the same for the same ids and seed.

    Examples
    --------
    >>> sample("abcdef", 3, 1) == sample("fedcba", 3, 1)
    True
    """
    ranked = sorted(ids)
    return random.Random(seed).sample(ranked, min(size, len(ranked)))


def precision_of(verdicts: Sequence[str]) -> Precision:
    """Return the share of true verdicts with its interval.

    Examples
    --------
    >>> found = precision_of(["true"] * 85 + ["false"] * 15)
    >>> found.precision, round(found.low, 3), round(found.high, 3)
    (0.85, 0.767, 0.907)
    """
    judged, true = len(verdicts), verdicts.count("true")
    if not judged:
        return Precision(0, 0, None, None, None, {})
    low, high = wilson(true, judged)
    counts = dict(Counter(verdicts).most_common())
    return Precision(judged, true, true / judged, low, high, counts)
