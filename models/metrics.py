"""Classification metrics in numpy, with their sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.abstain import COVERAGES, RiskCoverage, risk_coverage
from models.labels import HeadKind

ECE_BINS = 15

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Precision, recall and F1 of one label, each in [0, 1], and its rows in the truth.

    A ratio with nothing to divide by is 0.0, as in scikit-learn's ``zero_division=0``.
    """

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Metrics:
    """How a head did on a labelled set.

    Parameters
    ----------
    n
        Rows.
    accuracy, macro_f1, weighted_f1
        In [0, 1]. Macro is the plain mean over the labels that occur in truth or prediction,
        weighted the mean by support.
    ece
        Expected calibration error, in [0, 1]; see `expected_calibration_error`.
    risk_coverage
        Accuracy on the most confident rows; see `models.abstain`.
    classes
        Figures of each label, in the head's order.
    confusion
        ``(labels, labels) int64``: rows are the truth, columns the prediction.
    """

    n: int
    accuracy: float
    macro_f1: float
    weighted_f1: float
    ece: float
    risk_coverage: RiskCoverage
    classes: tuple[ClassFigures, ...]
    confusion: Ints

    @property
    def accuracy_at(self) -> Mapping[float, float]:
        """Accuracy on the most confident share of the rows, by share."""
        return {share: self.risk_coverage.accuracy_at(share) for share in COVERAGES}


def measure(truth: Ints, probabilities: Floats) -> Metrics:
    """Metrics of predicted distributions against the truth.

    Parameters
    ----------
    truth
        ``(rows,) int64``, label index of each row.
    probabilities
        ``(rows, labels) float64``.

    Raises
    ------
    ValueError
        When there are no rows, or the shapes do not fit.
    """
    if probabilities.ndim != 2 or len(truth) != len(probabilities) or not len(truth):
        raise ValueError(
            f"expected (rows,) labels and (rows, labels) probabilities with at least one row, "
            f"got {truth.shape} and {probabilities.shape}"
        )
    guess = probabilities.argmax(axis=1)
    confusion = confusion_matrix(truth, guess, probabilities.shape[1])
    hits = np.diag(confusion).astype(np.float64)
    support = confusion.sum(axis=1)
    guessed = confusion.sum(axis=0)
    precision = _ratio(hits, guessed)
    recall = _ratio(hits, support)
    f1 = _ratio(2 * hits, support + guessed)
    seen = (support + guessed) > 0
    return Metrics(
        n=len(truth),
        accuracy=float(hits.sum() / len(truth)),
        macro_f1=float(f1[seen].mean()),
        weighted_f1=float((f1 * support).sum() / len(truth)),
        ece=expected_calibration_error(truth, probabilities),
        risk_coverage=risk_coverage(truth, probabilities),
        classes=tuple(
            ClassFigures(float(p), float(r), float(f), int(s))
            for p, r, f, s in zip(precision, recall, f1, support, strict=True)
        ),
        confusion=confusion,
    )


@dataclass(frozen=True, slots=True)
class MultiMetrics:
    """How a head that may give several labels did on a labelled set.

    Parameters
    ----------
    n
        Rows.
    exact
        Share of rows without a mistake.
    macro_f1, micro_f1
        In [0, 1]. Macro is the plain mean over the labels that occur in truth or prediction, micro
        counts every label of every row alike.
    classes
        Figures of each label, in the head's order.
    """

    n: int
    exact: float
    macro_f1: float
    micro_f1: float
    classes: tuple[ClassFigures, ...]


def measure_multi(truth: Flags, guess: Flags) -> MultiMetrics:
    """Metrics of predicted label sets against the truth, ``(rows, labels) bool`` both.

    Raises
    ------
    ValueError
        When there are no rows, or the shapes differ.
    """
    if truth.ndim != 2 or truth.shape != guess.shape or not len(truth):
        raise ValueError(
            f"expected two (rows, labels) of one shape, got {truth.shape}, {guess.shape}"
        )
    hits = (truth & guess).sum(axis=0).astype(np.float64)
    support, guessed = truth.sum(axis=0), guess.sum(axis=0)
    f1 = _ratio(2 * hits, support + guessed)
    seen = (support + guessed) > 0
    both = int(support.sum() + guessed.sum())
    return MultiMetrics(
        n=len(truth),
        exact=float((truth == guess).all(axis=1).mean()),
        macro_f1=float(f1[seen].mean()) if seen.any() else 1.0,
        micro_f1=float(2 * hits.sum() / both) if both else 1.0,
        classes=tuple(
            ClassFigures(float(p), float(r), float(f), int(s))
            for p, r, f, s in zip(
                _ratio(hits, guessed), _ratio(hits, support), f1, support, strict=True
            )
        ),
    )


def confusion_matrix(truth: Ints, guess: Ints, labels: int) -> Ints:
    """Counts of (truth, guess), ``(labels, labels) int64``."""
    flat = np.bincount(truth * labels + guess, minlength=labels * labels)
    return flat.reshape(labels, labels).astype(np.int64)


def expected_calibration_error(truth: Ints, probabilities: Floats, bins: int = ECE_BINS) -> float:
    """Gap between confidence and accuracy, averaged over confidence bins by their rows.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", section 2, equation 3, with
    `bins` bins ((m-1)/bins, m/bins] of equal width over the top probability.
    """
    confidence = probabilities.max(axis=1)
    hit = probabilities.argmax(axis=1) == truth
    number = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    rows = np.bincount(number, minlength=bins)
    gap = np.abs(
        np.bincount(number, weights=hit, minlength=bins)
        - np.bincount(number, weights=confidence, minlength=bins)
    )
    return float(gap[rows > 0].sum() / len(truth))


def probabilities_of(
    kind: HeadKind, logits: NDArray[np.floating], temperature: float = 1.0, power: float = 1.0
) -> Floats:
    """Probabilities of a head's logits by its kind, ``(rows, labels) float64``.

    ``power`` is of `softmax`: a head with several labels has none.
    """
    if kind is HeadKind.MULTI:
        return sigmoid(logits, temperature)
    return softmax(logits, temperature, power)


def softmax(logits: NDArray[np.floating], temperature: float = 1.0, power: float = 1.0) -> Floats:
    """Rows of logits as probabilities, in float64; each row is computed on its own.

    With a power p other than 1, a logit z of mean 0 in its row counts as sign(z) |z / temperature|^p; see
    `models.calibrate`. The order of a row's labels stays.
    """
    scaled = logits.astype(np.float64)
    if power == 1.0:
        scaled /= temperature
    else:
        scaled -= scaled.mean(axis=1, keepdims=True)
        scaled = np.sign(scaled) * np.abs(scaled / temperature) ** power
    scaled -= scaled.max(axis=1, keepdims=True)
    raised = np.exp(scaled)
    normal: Floats = raised / raised.sum(axis=1, keepdims=True)
    return normal


def sigmoid(logits: NDArray[np.floating], temperature: float = 1.0) -> Floats:
    """Logits as probabilities, each on its own, in float64."""
    scaled = logits.astype(np.float64) / temperature
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * scaled)))


def _ratio(over: NDArray[np.floating], under: NDArray[np.number]) -> Floats:
    result = np.zeros(len(over), dtype=np.float64)
    np.divide(over, under, out=result, where=under > 0)
    return result
