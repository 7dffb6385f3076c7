"""How far counts are from what was expected, in standard deviations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def z_score(observed: Floats, expected: Floats, dispersion: Floats | float) -> Floats:
    """Return how far counts are from what was expected, in standard deviations (Anscombe 1948).

    Examples
    --------
    >>> z_score(np.array([10.0]), np.array([10.0]), 1.0)
    array([0.])
    """
    root = np.sqrt(observed + 0.375) - np.sqrt(expected + 0.375)
    return np.asarray(2.0 * root / np.sqrt(dispersion), dtype=np.float64)


def surprise(observed: Floats, expected: Floats, dispersion: Floats | float) -> Floats:
    """Return the signed root of the Poisson deviance, in standard deviations.

    Close to the exact tail also where next to nothing is expected, where `z_score` understates it by half
    (McCullagh and Nelder 1989, *Generalized Linear Models*, section 2.4.3).

    Examples
    --------
    >>> surprise(np.array([5.0, 0.5, 0.0]), np.array([0.06, 0.5, 0.5]), 1.0).round(1)
    array([ 5.9,  0. , -1. ])
    """
    expected = np.maximum(expected, np.finfo(float).tiny)
    log = np.log(np.where(observed > 0, observed, expected) / expected)
    deviance = np.maximum(0.0, 2.0 * (observed * log - (observed - expected)))
    root = np.sign(observed - expected) * np.sqrt(deviance)
    return np.asarray(root / np.sqrt(dispersion), dtype=np.float64)
