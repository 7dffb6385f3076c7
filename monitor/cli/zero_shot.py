"""``--zero-shot`` of ``evaluate`` and ``classify``: labels scored by what they mean, without training."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from models.errors import MissingExtraError, ModelError
from monitor.cli.progress import bar

if TYPE_CHECKING:
    from models.evaluate import Report
    from models.zero_shot.scorer import Scorer

Way = Literal["embedding", "cloze"]

ZeroShotOption = Annotated[
    str | None,
    typer.Option(
        "--zero-shot",
        help="Without training: YAML that says what labels mean, or news, the one of our topics "
        "and sentiments.",
    ),
]
WayOption = Annotated[
    Way,
    typer.Option(
        help="With --zero-shot: likeness of embeddings, or the word under a mask of a base that "
        "has a masked-language head."
    ),
]
BaseOption = Annotated[
    str | None,
    typer.Option(
        help="With --zero-shot: package, local folder or hub name of the base that scores; --model "
        "takes a bundle's encoder instead; default: the packaged base."
    ),
]


def refuse_without(zero_shot: str | None, way: Way, base: str | None) -> None:
    """Refuse options that mean something with --zero-shot only."""
    if zero_shot is None and (base is not None or way != "embedding"):
        raise ModelError("--way and --base go with --zero-shot")


def report_of(
    zero_shot: str,
    way: Way,
    base: str | None,
    model: Path | None,
    *,
    file: Path,
    task: str,
    text: str,
    label: str,
    split: str | None,
) -> Report:
    """Measure on a labelled file."""
    from models.zero_shot.labels import read_labels

    heads = read_labels(zero_shot)
    scorer = _scorer_of(way, base, model)
    from models.zero_shot.scorer import evaluate_zero_shot

    with bar(Console(stderr=True)) as shown:
        row = shown.add_task(f"reading {file.name}", total=None)

        def progress(done: int, total: int) -> None:
            shown.update(row, description=task, completed=done, total=total)

        return evaluate_zero_shot(scorer, heads, file, task, text, label, split, progress)


def line_writer(
    zero_shot: str, way: Way, base: str | None, model: Path | None
) -> Callable[[list[str]], None]:
    """Return what writes one JSON object a line.

    Fields: text; of each head its label and NAME_probability, null for an empty text; model.
    """
    from models.text import model_input
    from models.zero_shot.labels import read_labels

    heads = read_labels(zero_shot)
    scorer = _scorer_of(way, base, model)
    scores = {name: scorer.scores(head) for name, head in heads.items()}

    def write(lines: list[str]) -> None:
        texts = [model_input(line) for line in lines]
        read = [i for i, text in enumerate(texts) if text]
        records: list[dict[str, object]] = [{"text": line} for line in lines]
        for name, head in heads.items():
            for record in records:
                record |= {name: None, f"{name}_probability": None}
            if read:
                labels = list(head.labels)
                for i, row in zip(read, scores[name]([texts[i] for i in read]), strict=True):
                    best = int(row.argmax())
                    records[i] |= {
                        name: labels[best],
                        f"{name}_probability": round(float(row[best]), 6),
                    }
        for record in records:
            line = json.dumps({**record, "model": scorer.name}, ensure_ascii=False)
            sys.stdout.write(line + "\n")
        sys.stdout.flush()

    return write


def _scorer_of(way: Way, base: str | None, model: Path | None) -> Scorer:
    """Load what scores."""
    try:
        from models.zero_shot.scorer import make_scorer
    except ImportError as error:
        raise MissingExtraError("zero-shot scoring", "train", error.name or "torch") from error
    return make_scorer(way, base, model)
