"""The frozen base as a baseline: what fine-tuning gave is the distance to it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from models.encoder import MultiHead
from models.errors import MissingExtraError
from models.metrics import Floats, measure
from models.training.batches import Rows, padded

_STRENGTHS = (1.0, 10.0, 100.0)


def means(model: MultiHead, rows: Rows, batch_size: int = 64) -> NDArray[np.float32]:
    """Means of the last layer, ``(rows, width) float32``, in the rows' order, without dropout."""
    order = sorted(range(len(rows)), key=lambda i: len(rows.ids[i]))
    parts = np.empty((len(rows), model.width), dtype=np.float32)
    device = next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            batch = padded(rows, chosen)
            ids, mask = (torch.from_numpy(a).to(device) for a in (batch.ids, batch.mask))
            parts[chosen] = model.pooled(ids, mask).cpu().numpy()
    return parts


def embed(model: MultiHead, rows: Rows) -> NDArray[np.float32]:
    """Mean-pooled embeddings of unit length, ``(rows, width) float32``, in the rows' order."""
    found = means(model, rows)
    length: NDArray[np.float32] = np.linalg.norm(found, axis=1, keepdims=True)
    return found / np.maximum(length, 1e-12)


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
    known, checked = embed(base, train), embed(base, valid)
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
    return {name: predict(best, embed(base, rows)) for name, rows in tests.items()}
