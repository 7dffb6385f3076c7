"""What a compressed bundle costs and gives: quality on a labelled file, speed, size."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.bundle import FILES
from models.classifier import Classifier
from models.evaluate import evaluate_file

_ROUNDS = 5
_TIMED_TEXTS = 512


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """Where to measure.

    Parameters
    ----------
    path, text, label
        See `models.tables.read_labelled`.
    task
        Head.
    split
        Measured; None for every row.
    sample_split
        Scales and importances are taken from it, never from the rows measured; None for every row.
    target
        Column of the company, for a target head.
    """

    path: Path
    task: str
    text: str
    label: str
    split: str | None = None
    sample_split: str | None = "train"
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """One side of a comparison; None where there was nothing to measure on.

    Parameters
    ----------
    accuracy, macro_f1
        On the labelled file, in [0, 1]. Of a head that may give several labels, the accuracy is the
        share of rows without a mistake.
    docs_per_s
        Texts a second on the CPU engine, median of five rounds, in turns.
    size_mb
        Megabytes (1e6 bytes) that serving loads: tokenizer, graph and weights; of a base, all its files.
    """

    accuracy: float | None
    macro_f1: float | None
    docs_per_s: float | None
    size_mb: float

    def as_json(self) -> dict[str, float | None]:
        """Every figure, for programs."""
        return {
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "docs_per_s": self.docs_per_s,
            "size_mb": self.size_mb,
        }


def measure_bundles(
    folders: Sequence[Path],
    labelled: LabelledFile | None,
    texts: Sequence[str],
    threads: int | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Figures]:
    """Measure bundles side by side on the CPU engine.

    Parameters
    ----------
    folders
        Of the bundles.
    labelled
        None skips quality.
    texts
        Timed, up to 512 of them; none skips speed.
    threads
        CPU threads; None for every core.
    clock
        Seconds.
    """
    classifiers = [Classifier.load(f, engine="openvino", threads=threads) for f in folders]
    timed = list(texts[:_TIMED_TEXTS])
    speeds = _docs_per_s(classifiers, timed, clock) if timed else [None] * len(folders)
    return [
        Figures(*_quality(classifier, labelled), speed, size_mb(classifier.bundle.folder, FILES))
        for classifier, speed in zip(classifiers, speeds, strict=True)
    ]


def _quality(
    classifier: Classifier, labelled: LabelledFile | None
) -> tuple[float | None, float | None]:
    accuracy = macro_f1 = None
    if labelled is not None:
        found = evaluate_file(
            classifier,
            labelled.path,
            labelled.task,
            labelled.text,
            labelled.label,
            labelled.split,
            target=labelled.target,
        ).headline()
        accuracy = found.get("accuracy", found.get("exact"))
        macro_f1 = found["macro_f1"]
    return accuracy, macro_f1


def size_mb(folder: Path, names: Sequence[str] | None = None) -> float:
    """Megabytes of some files of a folder, or of all."""
    files = [folder / name for name in names] if names else list(folder.iterdir())
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def table(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Two sets of figures side by side."""
    lines = [f"{'':<12}{'before':>12}{'after':>12}{'change':>12}"]
    for name, was in before.items():
        now = after[name]
        digits = 4 if name in ("accuracy", "macro_f1") else 1
        change = "-"
        if was is not None and now is not None:
            relative = digits == 1 and was
            change = f"{now / was - 1:+.0%}" if relative else f"{now - was:+.{digits}f}"
        lines.append(f"{name:<12}{_cell(was, digits):>12}{_cell(now, digits):>12}{change:>12}")
    return "\n".join(lines)


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _docs_per_s(
    classifiers: Sequence[Classifier], texts: Sequence[str], clock: Callable[[], float]
) -> list[float | None]:
    """Speeds in turns, so that what else the machine does slows all alike."""
    taken: list[list[float]] = [[] for _ in classifiers]
    for number in range(_ROUNDS + 1):
        for classifier, times in zip(classifiers, taken, strict=True):
            start = clock()
            classifier.logits(texts)
            if number:  # kernels are prepared on the first pass
                times.append(clock() - start)
    return [len(texts) / statistics.median(times) for times in taken]
