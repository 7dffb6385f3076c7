"""How a bundle does on a labelled set: what `foreshock evaluate` prints and the card shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.classifier import Classifier
from models.ensemble import Ensemble
from models.errors import DataError
from models.labels import Head, HeadKind
from models.metrics import (
    ECE_BINS,
    Metrics,
    MultiMetrics,
    measure,
    measure_multi,
)
from models.tables import SEPARATOR, Labelled, read_labelled

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
    metrics: Metrics | MultiMetrics

    def as_json(self) -> dict[str, Any]:
        """Every figure, for programs."""
        found = {
            "task": self.task,
            "file": self.file,
            "split": self.split,
            "model": self.model,
            **self.headline(),
            "classes": {
                name: {
                    "precision": c.precision,
                    "recall": c.recall,
                    "f1": c.f1,
                    "support": c.support,
                }
                for name, c in zip(self.labels, self.metrics.classes, strict=True)
            },
        }
        if isinstance(self.metrics, Metrics):
            rows = self.metrics.confusion.tolist()
            found["ece_bins"] = ECE_BINS
            found["accuracy_at_coverage"] = self.metrics.accuracy_at
            found["confusion"] = {"labels": list(self.labels), "rows_are_truth": rows}
        return found

    def headline(self) -> dict[str, Any]:
        """The figures of the set as a whole."""
        m = self.metrics
        if isinstance(m, MultiMetrics):
            return {"n": m.n, "exact": m.exact, "macro_f1": m.macro_f1, "micro_f1": m.micro_f1}
        return {
            "n": m.n,
            "accuracy": m.accuracy,
            "macro_f1": m.macro_f1,
            "weighted_f1": m.weighted_f1,
            "ece": m.ece,
        }


def evaluate_file(
    classifier: Classifier | Ensemble,
    path: Path,
    task: str,
    text: str,
    label: str,
    split: str | None = None,
    target: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    separator: str = SEPARATOR,
    ignore_unknown: bool = False,
) -> Report:
    """Measure a classifier, or several as an ensemble, on a labelled file.

    Parameters
    ----------
    classifier
        Loaded.
    path, text, label, split, target, separator, ignore_unknown
        See `models.tables.read_labelled`; `target` is the column of the company, which a target head
        needs and others do not take.
    task
        Name of a head of the bundle, or of every bundle.
    progress
        Told (rows done, rows in all).

    Raises
    ------
    DataError
        When the head does not exist or is not the same in every bundle, or the file lacks what was
        asked for.
    """
    ensemble = _ensemble(classifier)
    head = ensemble.head(task)
    if (head.kind is HeadKind.TARGET) != (target is not None):
        needs = "needs" if head.kind is HeadKind.TARGET else "does not take"
        raise DataError(f"the head {task!r} {needs} --target, the column of the company")
    data = read_labelled(
        path,
        text=text,
        label=label,
        head=head,
        split=split,
        target=target,
        separator=separator,
        ignore_unknown=ignore_unknown,
    )
    return served_report(ensemble, head, path.name, split, data, progress)


def served_report(
    classifier: Classifier | Ensemble,
    head: Head,
    file: str,
    split: str | None,
    data: Labelled,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Measure on rows that were read; see `evaluate_file`."""
    ensemble = _ensemble(classifier)
    found = _in_chunks(ensemble, head, data, progress)
    return report(head, file, split, ensemble.name, data, found)


def report(
    head: Head,
    file: str,
    split: str | None,
    model: str,
    data: Labelled,
    probabilities: NDArray[np.float64],
) -> Report:
    """Measure predicted probabilities, whoever computed them."""
    metrics: Metrics | MultiMetrics
    if head.kind is HeadKind.MULTI:
        metrics = measure_multi(np.asarray(data.labels) > 0, probabilities >= 0.5)
    else:
        metrics = measure(np.asarray(data.labels), probabilities)
    return Report(head.name, file, split, model, head.labels, metrics)


def _ensemble(classifier: Classifier | Ensemble) -> Ensemble:
    return classifier if isinstance(classifier, Ensemble) else Ensemble([classifier])


def _in_chunks(
    ensemble: Ensemble,
    head: Head,
    data: Labelled,
    progress: Callable[[int, int], None],
) -> NDArray[np.float64]:
    parts = []
    for start in range(0, len(data), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        parts.append(ensemble.probabilities(head, data.texts[chunk], data.targets[chunk]))
        progress(min(start + _CHUNK, len(data)), len(data))
    return np.concatenate(parts)
