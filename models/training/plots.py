"""Pictures of a training run for the model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.abstain import COVERAGES
from models.errors import MissingExtraError
from models.evaluate import Report
from models.metrics import Metrics
from models.training.loop import Epoch


def save_curve(curve: Sequence[Epoch], path: Path) -> None:
    """Plot macro-F1 and loss of each head per epoch, the chosen epoch marked, as PNG."""
    epochs = [epoch.number + 1 for epoch in curve]
    best = max(curve, key=lambda epoch: epoch.selection)
    figure, (figures, losses) = _axes(2)
    for head in best.macro_f1:
        figures.plot(epochs, [epoch.macro_f1[head] for epoch in curve], marker="o", label=head)
        losses.plot(epochs, [epoch.valid_loss[head] for epoch in curve], marker="o", label=head)
    figures.set_ylabel("validation macro-F1")
    losses.set_ylabel("validation loss, nats")
    for axes in (figures, losses):
        axes.set_xlabel("epoch")
        axes.set_xticks(epochs)
        axes.axvline(best.number + 1, color="0.6", linestyle=":", label="chosen")
        axes.legend()
    _save(figure, path)


def save_risk_coverage(
    reports: Sequence[Report], thresholds: Mapping[str, float], path: Path
) -> None:
    """Plot the share of wrong answers over the share of rows answered, as PNG.

    A dot marks where a head's threshold lies. Sets of heads with several labels have no curve.

    Parameters
    ----------
    reports
        One line each.
    thresholds
        Of each head; see `models.abstain`.
    path
        Of the picture.
    """
    figure, (axes,) = _axes(1)
    for report in reports:
        if not isinstance(report.metrics, Metrics):
            continue
        curve = report.metrics.risk_coverage
        coverage = np.arange(1, len(curve.accuracy) + 1) / len(curve.accuracy)
        # The first rows are too few to say anything: one mistake is a cliff.
        shown = coverage >= min(COVERAGES) / 2
        name = f"{report.task}: {report.file.split('.', 1)[0]}"
        (line,) = axes.plot(coverage[shown], 1 - curve.accuracy[shown], label=name)
        answered = int((curve.confidence >= thresholds.get(report.task, 0.0)).sum())
        if answered:
            axes.plot(
                coverage[answered - 1],
                1 - curve.accuracy[answered - 1],
                marker="o",
                color=line.get_color(),
            )
    axes.set_xlabel("share of rows answered, the most confident first")
    axes.set_ylabel("share of answers that are wrong")
    axes.set_ylim(bottom=0)
    axes.legend()
    _save(figure, path)


def _axes(columns: int) -> tuple[Any, Any]:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("a picture in the card", "train", "matplotlib") from error
    figure = Figure(figsize=(8, 3), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns, squeeze=False)[0]


def _save(figure: Any, path: Path) -> None:
    for axes in figure.axes:
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=90, metadata={"Software": None})
