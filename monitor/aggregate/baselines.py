"""Baselines: what is usual for a key at this hour of the week.

A key's expected count is its own rate times a stream-wide hour-of-week profile. One company's own 168 bins
would need months to fill; the whole stream fills them in a week or two.

The test statistic is Anscombe's variance-stabilised difference (Anscombe 1948, *Biometrika* 35, 246-254),
divided by the square root of the key's own over-dispersion, because news comes in clumps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitor.aggregate.buckets import MARKET_KEY
from monitor.domain import Dimension, Grain, to_micros
from monitor.store import Connection, buckets
from monitor.store.schema import SCORE_UNIT

HOUR_US = Grain.HOUR.seconds * 1_000_000
HOURS_PER_WEEK = 168
# A profile bin is pulled towards the mean of its hour of day, and that towards 1, by this many observations.
PRIOR_WEEKS = 2.0
# A key nobody wrote about is still expected to be named once in this many days.
FLOOR_DAYS = 10.0
# Days above this quantile are cut down to it, so that last month's crisis does not hide the next one.
WINSOR_QUANTILE = 0.9

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rate:
    """One key's usual rates per *standard hour* (an hour of profile weight 1)."""

    items_per_hour: float
    negative_per_hour: float
    dispersion: float  # >= 1, of items
    negative_dispersion: float  # >= 1
    score_mean: float | None


@dataclass(frozen=True, slots=True)
class Baselines:
    """Baselines as of one moment: they know only hours before it.

    ``profile`` is ``(168,) float64`` with mean 1 over the hours seen, from Monday 00:00 UTC.
    """

    as_of: datetime
    days: float  # length of the history
    profile: Floats
    rates: dict[tuple[str, str], Rate] = field(repr=False)

    def rate(self, dimension: Dimension, key: str) -> Rate:
        """Return a key's rate; a key without history has the floor rate."""
        floor = self.floor
        return self.rates.get((dimension.value, key), Rate(floor, floor / 2, 1.0, 1.0, None))

    @property
    def floor(self) -> float:
        return 1.0 / (24 * FLOOR_DAYS)

    def weight(self, end_us: NDArray[np.int64], width_us: int) -> Floats:
        """Return the profile's weight of ``(end - width, end]``, in standard hours; vectorised."""
        cumulative = np.concatenate([[0.0], np.cumsum(self.profile)])

        def integral(at_us: NDArray[np.int64]) -> Floats:
            hours = (at_us - MONDAY_US) / HOUR_US
            weeks, within = np.divmod(hours, HOURS_PER_WEEK)
            whole = within.astype(np.int64)
            return np.asarray(
                weeks * cumulative[-1] + cumulative[whole] + (within - whole) * self.profile[whole],
                dtype=np.float64,
            )

        return integral(end_us) - integral(end_us - width_us)


def compute(history: pd.DataFrame, as_of: datetime) -> Baselines:
    """Compute baselines from hour buckets.

    Parameters
    ----------
    history
        Hour buckets before ``as_of``: columns dimension, key, start_us, items, negative, score_sum (in
        units), positive, neutral; the market's rows set the profile.
    as_of
        The moment after the last hour.
    """
    market = history[
        (history["dimension"] == Dimension.MARKET.value) & (history["key"] == MARKET_KEY)
    ]
    if market.empty:
        return Baselines(as_of, 0.0, np.ones(HOURS_PER_WEEK), {})
    first_us = int(market["start_us"].min())
    hours = (to_micros(as_of) - first_us) // HOUR_US
    series = np.zeros(hours)
    series[(market["start_us"].to_numpy() - first_us) // HOUR_US] = market["items"].to_numpy()
    profile = _profile(series, first_us)
    rates = _rates(history, profile, first_us, hours)
    return Baselines(as_of, hours / 24, profile, rates)


def load_baselines(
    connection: Connection,
    as_of: datetime,
    history_days: float,
    dimensions: Sequence[Dimension] = (Dimension.COMPANY, Dimension.TOPIC),
) -> Baselines:
    """Compute the baselines of some dimensions as of an hour from the stored hour buckets."""
    start_us, end_us = to_micros(as_of - timedelta(days=history_days)), to_micros(as_of)
    history = buckets.between(
        connection, Grain.HOUR, start_us, end_us, [Dimension.MARKET, *dimensions]
    )
    return compute(history, as_of)


def z_score(observed: Floats, expected: Floats, dispersion: Floats | float) -> Floats:
    """Return how far counts are from what was expected, in standard deviations (Anscombe 1948).

    Examples
    --------
    >>> z_score(np.array([10.0]), np.array([10.0]), 1.0)
    array([0.])
    """
    root = np.sqrt(observed + 0.375) - np.sqrt(expected + 0.375)
    return np.asarray(2.0 * root / np.sqrt(dispersion), dtype=np.float64)


def _profile(series: Floats, first_us: int) -> Floats:
    """Return 168 weights from the stream's hourly counts, shrunk in two steps."""
    mean = series.mean()
    if mean == 0:
        return np.ones(HOURS_PER_WEEK)
    bins = ((first_us - MONDAY_US) // HOUR_US + np.arange(len(series))) % HOURS_PER_WEEK
    # Weekends have their own hours of day.
    group = np.where(bins // 24 >= 5, 24, 0) + bins % 24
    relative = series / mean
    group_n = np.bincount(group, minlength=48)
    group_mean = (np.bincount(group, relative, 48) + PRIOR_WEEKS) / (group_n + PRIOR_WEEKS)
    all_bins = np.arange(HOURS_PER_WEEK)
    prior = group_mean[np.where(all_bins // 24 >= 5, 24, 0) + all_bins % 24]
    count = np.bincount(bins, minlength=HOURS_PER_WEEK)
    total = np.bincount(bins, relative, HOURS_PER_WEEK)
    profile = (total + PRIOR_WEEKS * prior) / (count + PRIOR_WEEKS)
    return np.asarray(profile / profile[bins].mean(), dtype=np.float64)


def _rates(
    history: pd.DataFrame, profile: Floats, first_us: int, hours: int
) -> dict[tuple[str, str], Rate]:
    """Return each key's rates from its daily counts, winsorised; all keys at once."""
    bins = ((first_us - MONDAY_US) // HOUR_US + np.arange(hours)) % HOURS_PER_WEEK
    # Standard hours of each day.
    weights = np.bincount(np.arange(hours) // 24, profile[bins]).astype(np.float64)
    groups = history.groupby(["dimension", "key"], sort=False)
    row = groups.ngroup().to_numpy()
    day = (history["start_us"].to_numpy() - first_us) // HOUR_US // 24
    indices: dict[Any, Any] = groups.indices
    keys: list[tuple[str, str]] = list(indices)
    order = row[[places[0] for places in indices.values()]]
    count = len(keys)

    def per_day(column: str) -> Floats:
        flat = np.bincount(
            row * len(weights) + day, history[column].to_numpy(), count * len(weights)
        )
        return flat.reshape(count, len(weights)).astype(np.float64)

    items, spread = _rate(per_day("items"), weights)
    negative, negative_spread = _rate(per_day("negative"), weights)
    read = np.bincount(row, history[list(_READ)].sum(axis=1).to_numpy(), count)
    score = np.bincount(row, history["score_sum"].to_numpy(), count) / SCORE_UNIT
    floor = 1.0 / (24 * FLOOR_DAYS)
    return {
        key: Rate(
            items_per_hour=max(float(items[at]), floor),
            negative_per_hour=max(float(negative[at]), floor / 2),
            dispersion=float(spread[at]),
            negative_dispersion=float(negative_spread[at]),
            score_mean=float(score[at] / read[at]) if read[at] else None,
        )
        for key, at in zip(keys, order, strict=True)
    }


def _rate(counts: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return rate and dispersion of ``(keys, days)`` counts; each ``(keys,)``."""
    days = len(weights)
    pace = counts / weights
    if days >= 5:
        pace = np.minimum(pace, np.quantile(pace, WINSOR_QUANTILE, axis=1, keepdims=True))
    rate = (pace * weights).sum(axis=1) / weights.sum()
    if days < 2:
        return rate, np.ones(len(rate))
    expected = np.maximum(rate[:, None] * weights, np.finfo(float).tiny)
    pearson = ((pace * weights - expected) ** 2 / expected).sum(axis=1) / (days - 1)
    return rate, np.maximum(1.0, np.where(rate > 0, pearson, 1.0))


_READ = ("positive", "neutral", "negative")
MONDAY_US = to_micros(datetime.fromisoformat("1970-01-05T00:00:00+00:00"))
