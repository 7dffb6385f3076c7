"""Temperature scaling of a head's logits (numpy)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models.metrics import sigmoid, softmax

_LOWEST, _HIGHEST = 0.05, 20.0
_GOLDEN = (math.sqrt(5) - 1) / 2


def fit_temperature(
    logits: NDArray[np.floating], truth: NDArray[np.generic], steps: int = 60
) -> float:
    """The one number that makes a head's probabilities honest on validation rows.

    Temperature scaling, Guo et al. 2017, section 4.2: the T > 0 that minimises the negative
    log-likelihood of softmax(logits / T), or of a sigmoid of each logit where a row may have several
    labels. It changes no label. The likelihood has a single
    minimum in 1 / T, so a golden-section search over log T finds it.

    Parameters
    ----------
    logits
        ``(rows, labels)``.
    truth
        ``(rows,) int64`` label indices, or ``(rows, labels)`` of 0 and 1.
    steps
        Narrowings of the search; 60 leave about 1e-12 of its width.

    Returns
    -------
    float
        Temperature in [0.05, 20].

    Raises
    ------
    ValueError
        When there are no rows.
    """
    if not len(truth):
        raise ValueError("no validation rows to fit a temperature on")

    several = truth.ndim == 2
    rows = np.arange(len(truth))

    def loss(log_temperature: float) -> float:
        temperature = math.exp(log_temperature)
        if several:
            p = sigmoid(logits, temperature)
            chances = np.where(truth.astype(np.float64) > 0, p, 1 - p)
        else:
            chances = softmax(logits, temperature)[rows, truth]
        return float(-np.log(np.maximum(chances, 1e-300)).mean())

    low, high = math.log(_LOWEST), math.log(_HIGHEST)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(steps):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = loss(right)
    return math.exp((low + high) / 2)
