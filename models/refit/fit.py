"""One head fitted to new labels, held to what it said of old texts and near to what it was (numpy).

The loss of a head with weights W that were W0 is

    (1 - share) * CE(new labels) + share * CE(what it said of old texts) + strength / 2 * |(W - W0) r|^2

Old texts among the new are experience replay with soft targets (Buzzega et al. 2020, "Dark Experience for
General Continual Learning", section 3; Li and Hoiem 2016, section 3); the last term keeps near the starting
point (L2-SP: Xuhong et al. 2018, "Explicit Inductive Bias for Transfer Learning with Convolutional
Networks", section 3.2), with r the root mean square of each input, so that units do not matter. The encoder
does not move, so this is convex, and has one answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.labels import HeadKind
from models.metrics import sigmoid, softmax
from models.refit.minimise import minimum

Floats = NDArray[np.float64]

SMOOTHING = 0.05  # of new labels: a person errs, and a probability of one is not learnt (Szegedy et al. 2016)


@dataclass(frozen=True, slots=True)
class Examples:
    """Texts as a head reads them, with what it should say.

    Parameters
    ----------
    features
        ``(rows, width)``.
    targets
        ``(rows, labels)``: the probability that each label should have.
    weights
        ``(rows,)``, of each row in the loss.
    """

    features: NDArray[np.floating]
    targets: Floats
    weights: Floats


@dataclass(frozen=True, slots=True)
class HeadWeights:
    """Of one head: ``weight (labels, width)``, ``bias (labels,)``."""

    weight: Floats
    bias: Floats

    def logits(self, features: NDArray[np.floating]) -> Floats:
        """Return ``(rows, labels)``."""
        return features.astype(np.float64) @ self.weight.T + self.bias


def labelled(kind: HeadKind, truth: NDArray[np.generic], labels: int) -> Floats:
    """Return targets of labels that people gave.

    Parameters
    ----------
    truth
        ``(rows,) int64``, index of each row's label; ``(rows, labels)`` of 0 and 1 for a head with several.
    """
    if kind is HeadKind.MULTI:
        hard = truth.astype(np.float64)
        return hard * (1 - SMOOTHING) + SMOOTHING / 2
    found = np.full((len(truth), labels), SMOOTHING / labels)
    found[np.arange(len(truth)), truth.astype(np.int64)] += 1 - SMOOTHING
    return found


def said(kind: HeadKind, logits: NDArray[np.floating]) -> Floats:
    """Return targets of what a head said: its own probabilities, before calibration."""
    return sigmoid(logits) if kind is HeadKind.MULTI else softmax(logits)


def fit_head(
    kind: HeadKind,
    start: HeadWeights,
    new: Examples,
    old: Examples | None,
    *,
    share: float = 0.5,
    strength: float = 1e-4,
    steps: int = 300,
) -> HeadWeights:
    """Fit a head.

    Parameters
    ----------
    start
        What it was.
    new, old
        Rows with labels that people gave; rows with what it said of them, ``None`` for none.
    share
        Of the loss that old rows have.
    strength
        Of the pull towards the start.
    steps
        At most so many of the minimiser.
    """
    parts = [(new, 1.0 if old is None else 1 - share)]
    if old is not None:
        parts.append((old, share))
    features = np.concatenate([part.features for part, _ in parts]).astype(np.float64)
    targets = np.concatenate([part.targets for part, _ in parts])
    counts = np.concatenate([part.weights / part.weights.sum() * of for part, of in parts])
    scale = np.sqrt(np.maximum(np.square(features).mean(axis=0), 1e-12))
    inputs = np.concatenate([features / scale, np.ones((len(features), 1))], axis=1)
    base = start.logits(features)
    shape = (base.shape[1], inputs.shape[1])

    def loss(flat: Floats) -> tuple[float, Floats]:
        moved = flat.reshape(shape)
        logits = base + inputs @ moved.T
        if kind is HeadKind.MULTI:
            # log(1 + e^z) - t z, of each label
            each = np.logaddexp(0.0, logits) - targets * logits
            found = sigmoid(logits)
        else:
            top = logits.max(axis=1, keepdims=True)
            whole = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
            each = whole[:, np.newaxis] * targets - targets * logits
            found = softmax(logits)
        value = float(counts @ each.sum(axis=1)) + strength / 2 * float(np.square(moved).sum())
        slope = ((found - targets) * counts[:, np.newaxis]).T @ inputs + strength * moved
        return value, slope.ravel()

    moved = minimum(loss, np.zeros(shape[0] * shape[1]), steps).reshape(shape)
    return HeadWeights(start.weight + moved[:, :-1] / scale, start.bias + moved[:, -1])
