"""Which labels look wrong: confident learning over probabilities no row had a say in.

Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels",
section 3, by the library cleanlab. A model that was trained on the rows agrees with their labels,
right or wrong; so the probabilities come from a logistic regression on embeddings, fitted k times,
each time on the other folds. Texts that belong together share a fold: a copy vouches for nobody.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.dataset.near import Ints, Progress
from models.dataset.splits import deal
from models.errors import DataError, MissingExtraError
from models.metrics import Floats

FOLDS = 5
_STRENGTH = 10.0
_ITERATIONS = 300


@dataclass(frozen=True, slots=True)
class Issue:
    """A row whose label looks wrong.

    Parameters
    ----------
    row
        Its position.
    label, suggested
        Given, and the most probable of the others.
    label_probability, suggested_probability
        Of the two, out of sample.
    """

    row: int
    label: str
    suggested: str
    label_probability: float
    suggested_probability: float


@dataclass(frozen=True, slots=True)
class ClassNoise:
    """Estimated noise of one class.

    Parameters
    ----------
    label
        The class.
    rows
        Rows labelled so.
    issues
        Of these, the suspicious.
    wrong
        P(truly another | labelled so), in [0, 1].
    missed
        P(labelled otherwise | truly this), in [0, 1].
    """

    label: str
    rows: int
    issues: int
    wrong: float
    missed: float


@dataclass(frozen=True, slots=True)
class Quality:
    """How trustworthy the labels of a set are.

    Parameters
    ----------
    rows
        Looked at.
    health
        Estimated share of right labels, in [0, 1].
    accuracy
        Of the out-of-sample predictions: how far to trust the rest.
    classes
        Noisiest first.
    issues
        Most suspicious first.
    """

    rows: int
    health: float
    accuracy: float
    classes: tuple[ClassNoise, ...]
    issues: tuple[Issue, ...]

    def as_json(self) -> dict[str, Any]:
        """Every figure but the rows themselves."""
        return {
            "rows": self.rows,
            "health": self.health,
            "out_of_sample_accuracy": self.accuracy,
            "issues": len(self.issues),
            "classes": {
                c.label: {"rows": c.rows, "issues": c.issues, "wrong": c.wrong, "missed": c.missed}
                for c in self.classes
            },
        }


def assess(
    embeddings: NDArray[np.float32],
    labels: Sequence[str],
    clusters: Ints,
    *,
    folds: int = FOLDS,
    seed: int = 13,
    progress: Progress = lambda done, total: None,
) -> Quality:
    """Estimate label noise.

    Parameters
    ----------
    embeddings
        ``(rows, width) float32``, of unit length.
    labels
        Of each row.
    clusters
        Of each row, ``(rows,) int64``: rows of a cluster share a fold.
    folds
        At least 2.
    seed
        Of the folds.
    progress
        Told (folds done, folds in all).

    Raises
    ------
    DataError
        When there is one class only, or a class has fewer rows than two folds can share.
    MissingExtraError
        When cleanlab or scikit-learn is not installed.
    """
    names = sorted(set(labels))
    counts = {name: 0 for name in names}
    for name in labels:
        counts[name] += 1
    scarce = [name for name in names if counts[name] < 2]
    if len(names) < 2 or scarce:
        why = f"{scarce[0]!r} labels a single row" if scarce else "there is one label only"
        raise DataError(f"label quality needs two labels or more, of two rows or more: {why}")
    given = np.array([names.index(name) for name in labels], dtype=np.int64)
    probabilities = _out_of_sample(
        embeddings, given, len(names), deal(clusters, labels, [1 / folds] * folds, seed), progress
    )
    try:
        from cleanlab.count import compute_confident_joint
        from cleanlab.filter import find_label_issues
    except ImportError as error:
        raise MissingExtraError("label quality", "train", error.name or "cleanlab") from error
    joint = np.asarray(compute_confident_joint(given, probabilities), dtype=np.float64)
    found = find_label_issues(
        given,
        probabilities,
        confident_joint=joint.astype(np.int64),
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    rows = [int(row) for row in found]
    issues = tuple(_issue(row, given, probabilities, names) for row in rows)
    suspicious = np.bincount(given[rows], minlength=len(names))
    right = np.diag(joint)
    labelled, true = joint.sum(axis=1), joint.sum(axis=0)
    classes = [
        ClassNoise(
            name,
            counts[name],
            int(suspicious[i]),
            float(1 - right[i] / labelled[i]) if labelled[i] else 0.0,
            float(1 - right[i] / true[i]) if true[i] else 0.0,
        )
        for i, name in enumerate(names)
    ]
    return Quality(
        rows=len(given),
        health=float(right.sum() / joint.sum()),
        accuracy=float((probabilities.argmax(axis=1) == given).mean()),
        classes=tuple(sorted(classes, key=lambda c: -c.wrong)),
        issues=issues,
    )


def _out_of_sample(
    embeddings: NDArray[np.float32], given: Ints, labels: int, folds: Ints, progress: Progress
) -> Floats:
    """Probability of each label for each row, from a model that did not see the row's fold."""
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtraError("label quality", "train", "scikit-learn") from error
    probabilities = np.zeros((len(given), labels))
    numbers = np.unique(folds)
    for done, fold in enumerate(numbers, start=1):
        out = folds == fold
        if len(np.unique(given[~out])) < 2:
            raise DataError(
                "label quality: the rows are too few, or too alike, to learn from some and judge "
                "the others; give more rows"
            )
        model = LogisticRegression(C=_STRENGTH, max_iter=_ITERATIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(embeddings[~out], given[~out])
        # A class that no other fold has gets no probability there.
        probabilities[np.ix_(out, model.classes_)] = model.predict_proba(embeddings[out])
        progress(done, len(numbers))
    return probabilities


def _issue(row: int, given: Ints, probabilities: Floats, names: Sequence[str]) -> Issue:
    others = probabilities[row].copy()
    others[given[row]] = -1.0
    other = int(others.argmax())
    return Issue(
        row,
        names[given[row]],
        names[other],
        float(probabilities[row, given[row]]),
        float(probabilities[row, other]),
    )
