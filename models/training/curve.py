"""The validation curve of a training run, as a small picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.errors import MissingExtraError
from models.training.loop import Epoch


def save_curve(curve: Sequence[Epoch], path: Path) -> None:
    """Plot macro-F1 and loss of each head per epoch, the chosen epoch marked, as PNG."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("the validation curve", "train", "matplotlib") from error
    epochs = [epoch.number + 1 for epoch in curve]
    best = max(curve, key=lambda epoch: epoch.selection)
    figure = Figure(figsize=(8, 3), layout="constrained")
    FigureCanvasAgg(figure)
    figures, losses = figure.subplots(1, 2)
    for head in best.macro_f1:
        figures.plot(epochs, [epoch.macro_f1[head] for epoch in curve], marker="o", label=head)
        losses.plot(epochs, [epoch.valid_loss[head] for epoch in curve], marker="o", label=head)
    figures.set_ylabel("validation macro-F1")
    losses.set_ylabel("validation loss, nats")
    for axes in (figures, losses):
        axes.set_xlabel("epoch")
        axes.set_xticks(epochs)
        axes.axvline(best.number + 1, color="0.6", linestyle=":", label="chosen")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=90, metadata={"Software": None})
