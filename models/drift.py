"""Whether what comes now is like what came before: of answers, of embeddings, of confidence (numpy)."""

from __future__ import annotations

from collections.abc import Mapping
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def population_stability(before: Mapping[str, int], now: Mapping[str, int]) -> float:
    """Return how far a distribution moved: the sum of (q - p) ln(q / p) over its classes.

    The population stability index (Siddiqi 2006, "Credit Risk Scorecards", chapter 9), which is Jeffreys's
    divergence; customary bounds are 0.1 for some and 0.25 for much. Every class has half a count more.

    Examples
    --------
    >>> population_stability({"a": 500, "b": 500}, {"a": 500, "b": 500})
    0.0
    >>> round(population_stability({"a": 500, "b": 500}, {"a": 800, "b": 200}), 3)
    0.415
    """
    classes = before.keys() | now.keys()
    sums = [sum(part.values()) + 0.5 * len(classes) for part in (before, now)]
    found = 0.0
    for each in sorted(classes):
        p, q = (
            (part.get(each, 0) + 0.5) / of for part, of in zip((before, now), sums, strict=True)
        )
        found += (q - p) * log(q / p)
    return found


def mean_discrepancy(one: NDArray[np.floating], other: NDArray[np.floating], width: float) -> float:
    """Return the squared maximum mean discrepancy of two samples, unbiased: near 0 where they are alike.

    Gretton et al. 2012, "A Kernel Two-Sample Test", equation 3, with a Gaussian kernel.

    Parameters
    ----------
    one, other
        ``(rows, width)``, two rows or more each.
    width
        Of the kernel; see `kernel_width`.
    """
    inner = []
    for part in (one, other):
        kernel = _kernel(part, part, width)
        rows = len(part)
        inner.append((kernel.sum() - rows) / (rows * (rows - 1)))  # a row is 1 to itself
    return float(inner[0] + inner[1] - 2 * _kernel(one, other, width).mean())


def kernel_width(rows: NDArray[np.floating]) -> float:
    """Return the median distance of different rows, a kernel's customary width (Gretton et al. 2012, 8)."""
    apart = np.sqrt(_squares(rows, rows))
    return float(np.median(apart[np.triu_indices(len(rows), 1)])) or 1.0


def overconfidence(probabilities: Floats, right: NDArray[np.bool_]) -> float:
    """Return by how many standard deviations there are fewer right answers than their probabilities say.

    Spiegelhalter 1986, "Probabilistic prediction in patient management and clinical trials", section 3: of
    independent answers with these chances the number of right ones has mean sum p and variance
    sum p (1 - p). Positive where it is too sure.

    Examples
    --------
    >>> round(overconfidence(np.full(100, 0.9), np.arange(100) < 78), 1)
    4.0
    """
    spread = float((probabilities * (1 - probabilities)).sum())
    missing = float(probabilities.sum()) - float(right.sum())
    return missing / sqrt(spread) if spread > 0 else 0.0


def _squares(one: NDArray[np.floating], other: NDArray[np.floating]) -> Floats:
    a, b = one.astype(np.float64), other.astype(np.float64)
    found = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2 * a @ b.T
    return np.asarray(np.maximum(found, 0.0))


def _kernel(one: NDArray[np.floating], other: NDArray[np.floating], width: float) -> Floats:
    return np.asarray(np.exp(-_squares(one, other) / (2 * width**2)))
