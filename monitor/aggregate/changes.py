"""Change points: since when a series has another level.

The exact least-squares segmentation with a price on every change, found by dynamic programming (Jackson et
al. 2005, *IEEE Signal Processing Letters* 12, 105-108). The price is three times the noise variance times the
logarithm of the length: a strengthened Schwarz criterion (Yao 1988, *Statistics & Probability Letters* 6,
181-189), because a day's index remembers the day before. A series of a few hundred days takes milliseconds:
nothing faster is needed.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MIN_SIZE = 5  # values on either side of a change
PENALTY = 3.0  # times noise variance times log(n)


def change_points(values: Floats, min_size: int = MIN_SIZE, penalty: float = PENALTY) -> list[int]:
    """Return where new levels begin: indices into ``values``, ascending.

    Parameters
    ----------
    values
        ``(n,) float64``; NaN (no data) is passed over, so that it neither makes nor hides a change.
    min_size
        Least number of values in a level.
    penalty
        Price of a change, in units of noise variance times ``log(n)``.

    Examples
    --------
    >>> change_points(np.array([0.1, 0, 0.1, 0, 0.1, 0, -0.6, -0.5, -0.6, -0.5, -0.6, -0.5]))
    [6]
    >>> change_points(np.array([0.1, 0.0, 0.1]))
    []
    """
    known = np.flatnonzero(~np.isnan(values))
    series = values[known]
    n = len(series)
    if n < 2 * min_size:
        return []
    price = penalty * noise(series) ** 2 * np.log(n)
    ones, squares = np.cumsum([0, *series]), np.cumsum([0, *series**2])
    best = np.full(n + 1, np.inf)
    best[0] = -price
    last = np.zeros(n + 1, dtype=np.int64)
    for end in range(min_size, n + 1):
        begin = np.arange(0, end - min_size + 1)
        total = ones[end] - ones[begin]
        cost = squares[end] - squares[begin] - total**2 / (end - begin)
        candidates = best[begin] + np.maximum(cost, 0.0) + price
        last[end] = int(np.argmin(candidates))
        best[end] = candidates[last[end]]
    found = []
    at = int(last[n])
    while at > 0:
        found.append(int(known[at]))
        at = int(last[at])
    return found[::-1]


def noise(series: Floats) -> float:
    """Return the noise's standard deviation, which a change of level does not raise.

    Scaled median absolute difference of neighbours; where most neighbours are equal, the root mean square
    of the differences; never 0.
    """
    steps = np.abs(np.diff(series)) / np.sqrt(2.0)
    if not len(steps):
        return float(np.finfo(float).tiny)
    robust = float(np.median(steps)) / NormalDist().inv_cdf(0.75)
    return max(robust or float(np.sqrt(np.mean(steps**2))), 1e-9)
