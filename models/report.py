"""A report as text: the same lines for the terminal and for the model card."""

from __future__ import annotations

from string import ascii_lowercase

from models.evaluate import Report
from models.metrics import ECE_BINS, Metrics


def as_text(report: Report) -> str:
    """Headline figures, the per-class table and the confusion matrix, at most 100 columns wide.

    Classes are keyed by letters, so that twenty of them fit beside each other.
    """
    m = report.metrics
    width = max(len(name) for name in report.labels)
    lines = [
        f"{report.task} on {report.file}" + (f", split {report.split}" if report.split else ""),
        f"model        {report.model}",
    ]
    for name, value in report.headline().items():
        lines.append(f"{name:<12} {value if name == 'n' else f'{value:.4f}'}")
    if isinstance(m, Metrics):
        lines[-1] += f"  ({ECE_BINS} bins of equal width; Guo et al. 2017)"
        at = "  ".join(f"{share:.0%} {value:.4f}" for share, value in m.accuracy_at.items())
        lines.append(f"accuracy on the most confident share of the rows: {at}")
    lines += ["", f"   {'class':<{width}}  precision  recall      f1  support"]
    for key, name, c in zip(_keys(len(report.labels)), report.labels, m.classes, strict=True):
        lines.append(
            f"{key}  {name:<{width}}  {c.precision:>9.3f}  {c.recall:>6.3f}  {c.f1:>6.3f}"
            f"  {c.support:>7}"
        )
    if isinstance(m, Metrics) and len(report.labels) <= len(ascii_lowercase):
        lines += ["", "confusion: rows are the truth, columns the prediction", *_confusion(m)]
    return "\n".join(lines)


def _keys(labels: int) -> list[str]:
    return list(ascii_lowercase[:labels]) if labels <= len(ascii_lowercase) else [" "] * labels


def _confusion(metrics: Metrics) -> list[str]:
    matrix = metrics.confusion.tolist()
    cells = [[str(n) if n else "." for n in row] for row in matrix]
    widths = [max(len(row[j]) for row in cells) + 1 for j in range(len(cells))]
    head = "".join(f"{k:>{w}}" for k, w in zip(ascii_lowercase, widths, strict=False))
    rows = [
        f"{key}  " + "".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True))
        for key, row in zip(ascii_lowercase, cells, strict=False)
    ]
    return [f"   {head}", *rows]
