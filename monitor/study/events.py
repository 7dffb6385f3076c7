"""Event study: what prices did around alerts, against the mean of the other companies.

The abnormal return of a company is its return less the mean return of the others on that day (the
market-adjusted model with equal weights: Brown and Warner 1985, *Journal of Financial Economics* 14, 3-31).
Day 0 is the first trading day that closes after the alert was decided; part of its return may have come
before the alert, so only what comes from day 1 on is after it. Intervals: alerts are drawn by their day, all
of a day together, because companies fall together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitor.study.leads import CONFIDENCE, DRAWS

AROUND = 5  # trading days on either side
LEAST_EVENT_DAYS = 8  # fewer tell no interval
SPANS = {"before": (-AROUND, -1), "day": (0, 0), "after": (1, AROUND)}


def abnormal(returns: pd.DataFrame) -> pd.DataFrame:
    """Return each company's return less the mean of the others; NaN where there is no other.

    Examples
    --------
    >>> abnormal(pd.DataFrame({"a": [0.02], "b": [0.01], "c": [0.03]})).round(3).values.tolist()
    [[0.0, -0.015, 0.015]]
    """
    known = returns.notna().sum(axis=1).to_numpy(dtype=np.float64)[:, None] - 1.0
    total = returns.sum(axis=1).to_numpy(dtype=np.float64)[:, None]
    values = returns.to_numpy(dtype=np.float64)
    others = np.divide(total - values, known, out=np.full(values.shape, np.nan), where=known > 0)
    return pd.DataFrame(values - others, index=returns.index, columns=returns.columns)


def event_study(
    returns: pd.DataFrame, events: Sequence[tuple[int, str]], seed: int = 0, draws: int = DRAWS
) -> pd.DataFrame:
    """Return mean abnormal returns around events.

    Parameters
    ----------
    returns
        ``(days, companies)``.
    events
        Row of the event's day 0, and company. A second event of a company on one day is no other event.

    Returns
    -------
    DataFrame
        Columns day (relative; and the sums ``before``, ``day``, ``after`` of `SPANS`), events, mean, low,
        high. Only events whose whole span is known are in it. NaN where there are too few.
    """
    table = abnormal(returns)
    places, paths = [], []
    for row, company in sorted(set(events)):
        if company not in table or row < AROUND or row + AROUND >= len(table):
            continue
        path = table[company].to_numpy(dtype=np.float64)[row - AROUND : row + AROUND + 1]
        if not np.isnan(path).any():
            places.append(row)
            paths.append(path)
    names: list[object] = [*range(-AROUND, AROUND + 1), *SPANS]
    if not paths:
        nothing = np.full(len(names), np.nan)
        return pd.DataFrame(
            {"day": names, "events": 0, "mean": nothing, "low": nothing, "high": nothing}
        )
    found = np.stack(paths)
    spans = [found[:, a + AROUND : b + AROUND + 1].sum(axis=1) for a, b in SPANS.values()]
    found = np.column_stack([found, *spans])
    low, high = _interval(found, np.array(places), seed, draws)
    return pd.DataFrame(
        {"day": names, "events": len(found), "mean": found.mean(axis=0), "low": low, "high": high}
    )


def _interval(
    found: NDArray[np.float64], places: NDArray[np.int64], seed: int, draws: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    days, at = np.unique(places, return_inverse=True)
    if len(days) < LEAST_EVENT_DAYS:
        nothing = np.full(found.shape[1], np.nan)
        return nothing, nothing
    sums = np.zeros((len(days), found.shape[1]))
    np.add.at(sums, at, found)
    count = np.bincount(at)
    rows = np.random.default_rng(seed).integers(0, len(days), (draws, len(days)))
    means = sums[rows].sum(axis=1) / count[rows].sum(axis=1)[:, None]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return low, high
