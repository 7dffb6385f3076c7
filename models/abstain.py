"""When to say nothing: confidence thresholds and what they cost (numpy).

A head that abstains below a threshold answers fewer texts and errs less on those it answers (Chow 1970;
El-Yaniv and Wiener 2010, section 2: the risk-coverage curve).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

#: Coverages the reports show.
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.5)


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Accuracy on the most confident rows, for every number of rows.

    Parameters
    ----------
    confidence
        ``(rows,) float64``, falling: the top probability of each row.
    accuracy
        ``(rows,) float64``: entry i is over the i + 1 most confident rows.
    """

    confidence: _Floats
    accuracy: _Floats

    def accuracy_at(self, coverage: float) -> float:
        """Accuracy on the most confident share of the rows, in [0, 1].

        Examples
        --------
        >>> curve = risk_coverage(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]))
        >>> curve.accuracy_at(0.5), curve.accuracy_at(1.0)
        (1.0, 0.5)
        """
        rows = max(1, round(coverage * len(self.accuracy)))
        return float(self.accuracy[rows - 1])

    def threshold(self, precision: float) -> float:
        """Least confidence above which at least `precision` of the answers are right.

        Found as the largest coverage that keeps it; 1.0 where no row does, which abstains always.
        """
        good = np.flatnonzero(self.accuracy >= precision)
        return float(self.confidence[good[-1]]) if len(good) else 1.0


def risk_coverage(truth: _Ints, probabilities: _Floats) -> RiskCoverage:
    """Risk-coverage curve of predicted distributions, ``(rows, labels) float64``.

    Rows of equal confidence are answered together: each of them gets the accuracy of the last.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    hits = (probabilities.argmax(axis=1) == truth)[order]
    accuracy = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    falling = confidence[order]
    last = np.searchsorted(-falling, -falling, side="right") - 1
    return RiskCoverage(falling, accuracy[last])


def several_threshold(truth: NDArray[np.bool_], probabilities: _Floats, precision: float) -> float:
    """Least probability at which a head with several labels gives one, for a precision over all labels.

    The lowest that keeps it and is no less than even odds; the rarest labels have too few rows for a
    threshold of their own.

    Parameters
    ----------
    truth, probabilities
        ``(rows, labels)``.
    precision
        Share of right ones among the labels given.

    Examples
    --------
    >>> several_threshold(np.array([[True, False, True]]), np.array([[0.9, 0.7, 0.8]]), 0.9)
    0.8
    """
    flat, right = probabilities.ravel(), truth.ravel()
    order = np.argsort(-flat, kind="stable")
    falling, hits = flat[order], np.cumsum(right[order])
    # Labels of equal probability are given together.
    last = np.searchsorted(-falling, -falling, side="right") - 1
    good = np.flatnonzero((hits[last] / (last + 1) >= precision) & (falling >= 0.5))
    return float(falling[good[-1]]) if len(good) else 1.0
