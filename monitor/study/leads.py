"""Lead and lag: how changes of the index go with returns some days later or earlier.

The correlation at lag k is that of a company's change of index on day t with its return on day t + k, both
with the company's own mean and scale taken out, over all companies and days. Above 0 the index went first.

Intervals come from a circular block bootstrap over days (Politis and Romano 1992, in *Exploring the Limits
of Bootstrap*): blocks of days are drawn for all companies and lags together, so that what ties neighbours in
time and companies of a day stays. Looking at 21 lags one will always stand out; the ``joint`` bounds hold for
all of them at once with the same confidence (the largest studentised deviation: Romano and Wolf 2005,
*Econometrica* 73, 1237-1282, first step), widened as Student's t is against the normal, because few blocks
tell an error badly (Abramowitz and Stegun 1964, 26.7.5).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
DRAWS = 2000
LEAST_DAYS = 30  # with both an index change and a return


def lead_lag(
    index: pd.DataFrame, returns: pd.DataFrame, lags: int = 10, seed: int = 0, draws: int = DRAWS
) -> pd.DataFrame:
    """Return the correlation of index changes with returns at each lag.

    Parameters
    ----------
    index, returns
        ``(days, companies)``, the same days and companies; NaN is no data.
    lags
        The farthest lag, in trading days.
    seed
        Of the bootstrap: the same seed gives the same interval.

    Returns
    -------
    DataFrame
        Columns lag, pairs, correlation, low, high (this lag alone), joint_low, joint_high (all lags at
        once) and beyond_chance (the joint bounds leave out 0). NaN where there are fewer than `LEAST_DAYS`
        days.
    """
    change = _standard(index.diff().to_numpy(dtype=np.float64))
    price = _standard(returns.to_numpy(dtype=np.float64))
    reach = range(-lags, lags + 1)
    sums = np.stack([_daily(change, _shifted(price, lag)) for lag in reach])  # (lags, days, 4)
    count = sums[:, :, 3].sum(axis=1)
    days = (sums[:, :, 3] > 0).sum(axis=1)
    here = _correlation(sums.sum(axis=1))
    drawn = np.stack(
        [_correlation(sums[:, rows].sum(axis=1)) for rows in _blocks(len(change), seed, draws)]
    )
    here[days < LEAST_DAYS] = np.nan
    drawn[:, days < LEAST_DAYS] = np.nan
    return _table(np.array(list(reach)), count, here, drawn, len(change) / _length(len(change)))


def _table(
    reach: NDArray[np.int64], count: Floats, here: Floats, drawn: Floats, blocks: float
) -> pd.DataFrame:
    known = ~np.isnan(here)
    low, high, joint = (np.full(len(here), np.nan) for _ in range(3))
    if known.any():
        tail = (1 - CONFIDENCE) / 2
        low[known], high[known] = np.nanquantile(drawn[:, known], [tail, 1 - tail], axis=0)
        error = np.nanstd(drawn[:, known], axis=0)
        far = np.nanmax(np.abs(drawn[:, known] - here[known]) / error, axis=1)
        reach_z = float(np.nanquantile(far, CONFIDENCE))
        joint[known] = (reach_z + (reach_z**3 + reach_z) / (4 * (blocks - 1))) * error
    table = pd.DataFrame({"lag": reach, "pairs": count.astype(np.int64), "correlation": here})
    table = table.assign(low=low, high=high, joint_low=here - joint, joint_high=here + joint)
    table["beyond_chance"] = (table["joint_low"] > 0) | (table["joint_high"] < 0)
    return table


def _blocks(days: int, seed: int, draws: int) -> NDArray[np.int64]:
    """Return ``(draws, days)`` rows of circular blocks."""
    length = _length(days)
    starts = np.random.default_rng(seed).integers(0, days, (draws, -(-days // length)))
    rows = (starts[:, :, None] + np.arange(length)) % days
    return np.asarray(rows.reshape(draws, -1)[:, :days], dtype=np.int64)


def _length(days: int) -> int:
    """Return the length of a block: the cube root of the days, a week at least."""
    return max(5, round(float(np.cbrt(days))))


def _standard(values: Floats) -> Floats:
    """Take each column's mean and scale out; a column that never moves says nothing."""
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=0), 1)
    middle = np.where(known, values, 0.0).sum(axis=0) / count
    away = values - middle
    scale = np.sqrt(np.where(known, away**2, 0.0).sum(axis=0) / count)
    scale[scale < 1e-12] = np.nan
    return np.asarray(away / scale, dtype=np.float64)


def _shifted(values: Floats, lag: int) -> Floats:
    """Return row t + lag at row t, NaN beyond the ends."""
    found = np.full_like(values, np.nan)
    if lag >= 0:
        found[: len(values) - lag] = values[lag:]
    else:
        found[-lag:] = values[:lag]
    return found


def _daily(one: Floats, other: Floats) -> Floats:
    """Return each day's sums of xy, xx, yy and pairs over the companies, ``(days, 4)``."""
    both = ~(np.isnan(one) | np.isnan(other))
    x, y = np.where(both, one, 0.0), np.where(both, other, 0.0)
    return np.stack([(x * y).sum(1), (x * x).sum(1), (y * y).sum(1), both.sum(1)], axis=1)


def _correlation(sums: Floats) -> Floats:
    scale = np.sqrt(sums[..., 1] * sums[..., 2])
    found = np.full(scale.shape, np.nan)
    np.divide(sums[..., 0], scale, out=found, where=scale > 0)
    return found
