"""Honest probabilities of a head's logits: a temperature, and a power where one is not enough (numpy)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.metrics import sigmoid, softmax

LEAST_ROWS = 500  # validation rows from which on a second number is fitted
_TEMPERATURES = (0.05, 20.0)
_POWERS = (0.5, 4.0)
_GOLDEN = (math.sqrt(5) - 1) / 2


def fit_calibration(
    logits: NDArray[np.floating], truth: NDArray[np.generic], steps: int = 40
) -> tuple[float, float]:
    """The temperature and power that make a head's probabilities honest on validation rows.

    One temperature stretches all confidences alike. A head trained with smoothed labels needs more: it is
    too sure in the middle and not sure enough at the top, where its logits saturate. So a logit z of mean 0
    counts as sign(z) |z / T|^p: with p = 1 it is temperature scaling (`fit_temperature`); the family keeps
    the order of a row's labels, as Rahimi et al. 2020, "Intra Order-preserving Functions for Calibration of
    Multi-Class Neural Networks", ask of one. Both numbers minimise the negative log-likelihood.

    Parameters
    ----------
    logits, truth, steps
        As of `fit_temperature`. With several labels a row, or fewer than `LEAST_ROWS` rows, the power is 1.

    Returns
    -------
    tuple of float
        Temperature in [0.05, 20], power in [0.5, 4].

    Examples
    --------
    >>> chance = np.random.default_rng(5)
    >>> z = chance.normal(0, 2, (4000, 3)); z -= z.mean(axis=1, keepdims=True)
    >>> honest = softmax(np.sign(z) * np.abs(z / 1.5) ** 2)
    >>> truth = (honest.cumsum(axis=1) > chance.random((4000, 1))).argmax(axis=1)
    >>> [round(number, 1) for number in fit_calibration(z, truth)]
    [1.5, 2.0]
    """
    if truth.ndim == 2 or len(truth) < LEAST_ROWS:
        return fit_temperature(logits, truth), 1.0

    def best(log_power: float) -> tuple[float, float]:
        power = math.exp(log_power)
        return _minimum(lambda at: _loss(logits, truth, math.exp(at), power), _TEMPERATURES, steps)

    _, log_power = _minimum(lambda at: best(at)[0], _POWERS, steps)
    return math.exp(best(log_power)[1]), math.exp(log_power)


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
    _, found = _minimum(lambda at: _loss(logits, truth, math.exp(at)), _TEMPERATURES, steps)
    return math.exp(found)


def _loss(
    logits: NDArray[np.floating],
    truth: NDArray[np.generic],
    temperature: float,
    power: float = 1.0,
) -> float:
    """Mean negative log-likelihood of the labels."""
    if truth.ndim == 2:
        p = sigmoid(logits, temperature)
        chances = np.where(truth.astype(np.float64) > 0, p, 1 - p)
    else:
        chances = softmax(logits, temperature, power)[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(chances, 1e-300)).mean())


def _minimum(
    loss: Callable[[float], float], bounds: tuple[float, float], steps: int
) -> tuple[float, float]:
    """Return (loss, logarithm) at the least loss between two positive bounds, by golden section."""
    low, high = map(math.log, bounds)
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
    return min(at_left, at_right), (low + high) / 2
