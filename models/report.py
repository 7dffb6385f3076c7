"""A report as text: the same lines for the terminal and for the model card."""

from __future__ import annotations

from string import ascii_lowercase

from models.evaluate import Report
from models.metrics import ECE_BINS


def as_text(report: Report) -> str:
    """Headline figures, the per-class table and the confusion matrix, at most 100 columns wide.

    Classes are keyed by letters, so that twenty of them fit beside each other.
    """
    keys = ascii_lowercase
    m = report.metrics
    width = max(len(name) for name in report.labels)
    lines = [
        f"{report.task} on {report.file}" + (f", split {report.split}" if report.split else ""),
        f"model        {report.model}",
        f"n            {m.n}",
        f"accuracy     {m.accuracy:.4f}",
        f"macro_f1     {m.macro_f1:.4f}",
        f"weighted_f1  {m.weighted_f1:.4f}",
        f"ece          {m.ece:.4f}  ({ECE_BINS} bins of equal width; Guo et al. 2017)",
        "",
        f"   {'class':<{width}}  precision  recall      f1  support",
    ]
    for key, name, c in zip(keys, report.labels, m.classes, strict=False):
        lines.append(
            f"{key}  {name:<{width}}  {c.precision:>9.3f}  {c.recall:>6.3f}  {c.f1:>6.3f}"
            f"  {c.support:>7}"
        )
    lines += ["", "confusion: rows are the truth, columns the prediction", *_confusion(report)]
    return "\n".join(lines)


def _confusion(report: Report) -> list[str]:
    matrix = report.metrics.confusion.tolist()
    cells = [[str(n) if n else "." for n in row] for row in matrix]
    widths = [max(len(row[j]) for row in cells) + 1 for j in range(len(cells))]
    head = "".join(f"{k:>{w}}" for k, w in zip(ascii_lowercase, widths, strict=False))
    rows = [
        f"{key}  " + "".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True))
        for key, row in zip(ascii_lowercase, cells, strict=False)
    ]
    return [f"   {head}", *rows]
