"""How a bundle does on a labelled set: what `foreshock evaluate` prints and the card shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.classifier import Classifier
from models.errors import DataError
from models.metrics import ECE_BINS, Ints, Metrics, measure
from models.tables import read_labelled

_CHUNK = 512


@dataclass(frozen=True, slots=True)
class Report:
    """Metrics with what they were measured on.

    Parameters
    ----------
    task
        Head.
    file, split
        Name of the labelled file, and the split read (None: every row).
    model
        Which model and arithmetic, for people.
    labels
        Of the head, in order.
    metrics
        The figures.
    """

    task: str
    file: str
    split: str | None
    model: str
    labels: tuple[str, ...]
    metrics: Metrics

    def as_json(self) -> dict[str, Any]:
        """Every figure, for programs."""
        m = self.metrics
        return {
            "task": self.task,
            "file": self.file,
            "split": self.split,
            "model": self.model,
            **self.headline(),
            "ece_bins": ECE_BINS,
            "classes": {
                name: {
                    "precision": c.precision,
                    "recall": c.recall,
                    "f1": c.f1,
                    "support": c.support,
                }
                for name, c in zip(self.labels, m.classes, strict=True)
            },
            "confusion": {"labels": list(self.labels), "rows_are_truth": m.confusion.tolist()},
        }

    def headline(self) -> dict[str, Any]:
        """The five figures of the set as a whole."""
        m = self.metrics
        return {
            "n": m.n,
            "accuracy": m.accuracy,
            "macro_f1": m.macro_f1,
            "weighted_f1": m.weighted_f1,
            "ece": m.ece,
        }


def evaluate_file(
    classifier: Classifier,
    path: Path,
    task: str,
    text: str,
    label: str,
    split: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Measure a classifier on a labelled file.

    Parameters
    ----------
    classifier
        Loaded.
    path, text, label, split
        See `models.tables.read_labelled`.
    task
        ``topic`` or ``sentiment``.
    progress
        Told (rows done, rows in all).

    Raises
    ------
    DataError
        When the head does not exist, or the file lacks what was asked for.
    """
    names = classifier.bundle.labels.get(task)
    if names is None:
        raise DataError(
            f"no head {task!r} in {classifier.bundle.name}; "
            f"it has {', '.join(map(repr, classifier.bundle.labels))}"
        )
    data = read_labelled(path, text=text, label=label, names=names, split=split)
    probabilities = _in_chunks(classifier, task, data.texts, progress)
    return report(
        task,
        path.name,
        split,
        f"{classifier.bundle.name} {classifier.bundle.version} ({classifier.engine_detail})",
        names,
        np.array(data.labels, dtype=np.int64),
        probabilities,
    )


def report(
    task: str,
    file: str,
    split: str | None,
    model: str,
    labels: Sequence[str],
    truth: Ints,
    probabilities: NDArray[np.float64],
) -> Report:
    """Measure predicted probabilities, whoever computed them."""
    return Report(task, file, split, model, tuple(labels), measure(truth, probabilities))


def _in_chunks(
    classifier: Classifier,
    task: str,
    texts: Sequence[str],
    progress: Callable[[int, int], None],
) -> NDArray[np.float64]:
    parts = []
    for start in range(0, len(texts), _CHUNK):
        parts.append(classifier.probabilities(texts[start : start + _CHUNK])[task])
        progress(min(start + _CHUNK, len(texts)), len(texts))
    return np.concatenate(parts)
