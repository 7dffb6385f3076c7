"""Baselines: what is usual for a key at this hour of the week.

A key's expected count is its own rate times a stream-wide hour-of-week profile. One company's own 168 bins
would need months to fill; the whole stream fills them in a week or two.

The test statistic is Anscombe's variance-stabilised difference (Anscombe 1948, *Biometrika* 35, 246-254),
divided by the square root of the key's own over-dispersion, because news comes in clumps and because some
keys swing from day to day: share prices are bad news on every down day. How far the negative items of a
window swing is measured on the windows of the past themselves (`monitor.aggregate.swings`), so that what was
usual once in a fortnight is no surprise today, whatever made it so: a down day, a clump, hours that are not
the stream's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from monitor.aggregate.buckets import MARKET_KEY
from monitor.aggregate.swings import HOUR_US, swings
from monitor.domain import Dimension, Grain, to_micros
from monitor.store import Connection, buckets
from monitor.store.schema import SCORE_UNIT

if TYPE_CHECKING:
    import pandas as pd

HOURS_PER_WEEK = 168
# A profile bin is pulled towards the mean of its hour of day, and that towards 1, by this many observations.
PRIOR_WEEKS = 2.0
# A key nobody wrote about is still expected to be named once in this many days.
FLOOR_DAYS = 10.0
# Days above this quantile are cut down to it, so that last month's crisis does not hide the next one.
WINSOR_QUANTILE = 0.9
# Days with fewer items that the model read say too little about a share, and fewer such days nothing.
LEAST_READ = 5
LEAST_DAYS = 5

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rate:
    """One key's usual rates per *standard hour* (an hour of profile weight 1)."""

    items_per_hour: float
    negative_per_hour: float
    dispersion: float  # >= 1, of items in a day
    score_mean: float | None
    share: float = 0.5  # usual share of negative items among those that the model read
    share_spread: float = float("inf")  # its standard deviation from day to day; inf: not known
    swings: Mapping[int, float] = field(default_factory=dict)

    def negative_dispersion(self, width_us: int) -> float:
        """Return the over-dispersion (>= 1) of the negative items of windows of this width."""
        return self.swings.get(width_us, 1.0)


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
        return self.rates.get((dimension.value, key), Rate(floor, floor / 2, 1.0, None))

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


def compute(history: pd.DataFrame, as_of: datetime, widths_us: Sequence[int] = ()) -> Baselines:
    """Compute baselines from hour buckets.

    Parameters
    ----------
    history
        Hour buckets before ``as_of``: columns dimension, key, start_us, items, negative, score_sum (in
        units), positive, neutral; the market's rows set the profile.
    as_of
        The moment after the last hour.
    widths_us
        Widths of the windows whose swings are measured, in microseconds.
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
    rates = _rates(history, profile, first_us, hours, widths_us)
    return Baselines(as_of, hours / 24, profile, rates)


def load_baselines(
    connection: Connection,
    as_of: datetime,
    history_days: float,
    dimensions: Sequence[Dimension] = (Dimension.COMPANY, Dimension.TOPIC),
    widths_us: Sequence[int] = (),
) -> Baselines:
    """Compute the baselines of some dimensions as of an hour from the stored hour buckets."""
    start_us, end_us = to_micros(as_of - timedelta(days=history_days)), to_micros(as_of)
    history = buckets.between(
        connection, Grain.HOUR, start_us, end_us, [Dimension.MARKET, *dimensions]
    )
    return compute(history, as_of, widths_us)


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
    history: pd.DataFrame,
    profile: Floats,
    first_us: int,
    hours: int,
    widths_us: Sequence[int],
) -> dict[tuple[str, str], Rate]:
    """Return each key's rates from its daily counts, winsorised; all keys at once."""
    bins = ((first_us - MONDAY_US) // HOUR_US + np.arange(hours)) % HOURS_PER_WEEK
    # Standard hours of each day.
    weights = np.bincount(np.arange(hours) // 24, profile[bins]).astype(np.float64)
    groups = history.groupby(["dimension", "key"], sort=False)
    row = np.asarray(groups.ngroup(), dtype=np.int64)
    hour = (history["start_us"].to_numpy() - first_us) // HOUR_US
    indices: dict[Any, Any] = groups.indices
    keys: list[tuple[str, str]] = list(indices)
    order = row[[places[0] for places in indices.values()]]
    count = len(keys)

    def per_day(column: NDArray[np.int64]) -> Floats:
        flat = np.bincount(row * len(weights) + hour // 24, column, count * len(weights))
        return flat.reshape(count, len(weights)).astype(np.float64)

    bad = history["negative"].to_numpy()
    items, spread = _rate(per_day(history["items"].to_numpy()), weights)
    negative = np.maximum(_rate(per_day(bad), weights)[0], 0.5 / (24 * FLOOR_DAYS))
    read_daily = per_day(history[list(_READ)].sum(axis=1).to_numpy())
    share, share_spread = _share(per_day(bad), read_daily)
    read = read_daily.sum(axis=1)
    score = np.bincount(row, history["score_sum"].to_numpy(), count) / SCORE_UNIT
    swung = {
        width_us: swings(row, hour, bad, negative, profile[bins], width_us)
        for width_us in widths_us
    }
    return {
        key: Rate(
            items_per_hour=max(float(items[at]), 1.0 / (24 * FLOOR_DAYS)),
            negative_per_hour=float(negative[at]),
            dispersion=float(spread[at]),
            score_mean=float(score[at] / read[at]) if read[at] else None,
            share=float(share[at]),
            share_spread=float(share_spread[at]),
            swings={width_us: float(each[at]) for width_us, each in swung.items()},
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


def _share(negative: Floats, read: Floats) -> tuple[Floats, Floats]:
    """Return the usual negative share and its spread from day to day of ``(keys, days)`` counts.

    Median and scaled median absolute deviation over the days with enough items; where too few days have,
    the share of all items, and a spread of infinity.
    """
    pooled = (negative.sum(axis=1) + 1.0) / (read.sum(axis=1) + 2.0)
    enough = read >= LEAST_READ
    shares = np.where(enough, negative / np.maximum(read, 1.0), np.nan)
    known = enough.sum(axis=1) >= LEAST_DAYS
    middle, spread = pooled, np.full(len(pooled), np.inf)
    middle[known] = np.nanmedian(shares[known], axis=1)
    away = np.abs(shares[known] - middle[known, None])
    spread[known] = np.nanmedian(away, axis=1) / NormalDist().inv_cdf(0.75)
    return middle, spread


_READ = ("positive", "neutral", "negative")
MONDAY_US = to_micros(datetime.fromisoformat("1970-01-05T00:00:00+00:00"))
