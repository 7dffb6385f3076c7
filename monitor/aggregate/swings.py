"""How far a key's counts swing from window to window, beyond chance."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from monitor.aggregate.deviations import surprise
from monitor.domain import Grain

Floats = NDArray[np.float64]

HOUR_US = Grain.HOUR.seconds * 1_000_000
# The swing of a window is what one day in ten reaches: two days of crisis in four weeks hide nothing.
PEAK_QUANTILE = 0.9
# Few days tell it badly: it is taken for higher by this many parts of the number of days.
UNSURE_DAYS = 2.0
KEYS_AT_ONCE = 1000  # bounds the memory of the swings: this many keys by the hours of the history


def swings(
    row: NDArray[np.int64],
    hour: NDArray[np.int64],
    counts: NDArray[np.int64],
    rates: Floats,
    profile: Floats,
    width_us: int,
) -> Floats:
    """Return each key's dispersion (>= 1) of counts in trailing windows of one width.

    Of every day the highest z of its windows is taken (at each full hour; a window of part of an hour is
    taken for an hour). What one day in ten reaches, against what it would be if the counts were Poisson, is
    the factor by which the key's windows swing.

    Parameters
    ----------
    row, hour, counts
        Hour buckets: index of the key, hour of the history, items.
    rates
        Items per standard hour of each key, ``(keys,)``.
    profile
        Weight of each hour of the history, ``(hours,)``.
    """
    hours, wide = len(profile), -(-width_us // HOUR_US)
    if hours < wide + 24:
        return np.ones(len(rates))
    weight = _windows(profile[None, :], wide)
    last_hour = np.arange(wide - 1, hours)
    days = np.flatnonzero(np.diff(last_hour // 24, prepend=-1))
    found = []
    for first in range(0, len(rates), KEYS_AT_ONCE):
        rate = rates[first : first + KEYS_AT_ONCE, None]
        mine = (row >= first) & (row < first + len(rate))
        flat = np.bincount(
            (row[mine] - first) * hours + hour[mine], counts[mine], len(rate) * hours
        )
        windows = _windows(flat.reshape(len(rate), hours).astype(np.float64), wide)
        peaks = np.maximum.reduceat(surprise(windows, rate * weight, 1.0), days, axis=1)
        found.append(np.quantile(peaks, PEAK_QUANTILE, axis=1, method="lower"))
    unsure = 1 + UNSURE_DAYS / len(days)
    return np.maximum(1.0, np.concatenate(found) * unsure / _poisson_peak(wide)) ** 2


def _windows(values: Floats, wide: int) -> Floats:
    """Return the sums of every ``wide`` neighbours along the last axis."""
    total = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    return np.asarray(total[:, wide:] - total[:, :-wide], dtype=np.float64)


def _poisson_peak(wide: int) -> float:
    """Return the z that the highest window of a day reaches on one day in ten by chance alone.

    A day has about as many windows that do not share items as fit into it, and one that began before.
    """
    return NormalDist().inv_cdf(PEAK_QUANTILE ** (1 / (24 / wide + 1)))
