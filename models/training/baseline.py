"""The frozen base as a baseline: what fine-tuning gave is the distance to it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.dataset.embed import pooled
from models.encoder import MultiHead
from models.errors import MissingExtraError
from models.metrics import Floats, measure
from models.training.batches import Rows

_STRENGTHS = (1.0, 10.0, 100.0)


def baseline_probabilities(
    base: MultiHead, head: str, train: Rows, valid: Rows, tests: Mapping[str, Rows], seed: int
) -> dict[str, NDArray[np.float64]]:
    """Logistic regression on the frozen base's embeddings, its strength chosen on validation.

    Parameters
    ----------
    base
        A model that was not trained.
    head
        Whose labels these are.
    train, valid
        Rows of the task.
    tests
        Rows to predict, by name.
    seed
        Of the solver.

    Returns
    -------
    dict
        Probabilities of each of `tests`, ``(rows, labels) float64``.
    """
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtraError("the baseline", "train", "scikit-learn") from error
    labels = int(base.heads[head].out_features)  # type: ignore[arg-type]
    known, checked = pooled(base, train.ids), pooled(base, valid.ids)
    truth = np.array(valid.labels, dtype=np.int64)

    def predict(model: LogisticRegression, embeddings: NDArray[np.float32]) -> Floats:
        # A class that no training row has gets no probability; the columns stay the head's.
        probabilities = np.zeros((len(embeddings), labels))
        probabilities[:, model.classes_] = model.predict_proba(embeddings)
        return probabilities

    fitted = []
    for strength in _STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=300, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted.append(model.fit(known, train.labels))
    best = max(fitted, key=lambda model: measure(truth, predict(model, checked)).macro_f1)
    return {name: predict(best, pooled(base, rows.ids)) for name, rows in tests.items()}
