"""``train --search``: the trials under way, and the table they end in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

if TYPE_CHECKING:
    from models.training.config import TrainConfig
    from models.training.fitted import Places
    from models.training.trials import Tried


def run_search(
    recipe: TrainConfig, file: Path, places: Places, console: Console, bar: Progress, as_json: bool
) -> None:
    """Search, and print what was found: the table, or JSON with `as_json`."""
    from models.training.loop import Watch
    from models.training.parallel import rank
    from models.training.search import load_search
    from models.training.trials import BEST, RESULTS, search

    trials = bar.add_task("starting", total=None)
    steps = bar.add_task("", total=None, visible=False)

    def progress(done: int, total: int, what: str) -> None:
        bar.update(trials, description=what, completed=done, total=total)

    def step(done: int, total: int, loss: float) -> None:
        bar.update(steps, description=f"loss {loss:.3f}", completed=done, total=total, visible=True)

    watch = Watch(
        phase=lambda what: bar.update(trials, description=what),
        step=step,
        note=lambda what: console.print(
            f"note: {what}", markup=False, highlight=False, soft_wrap=True
        ),
    )
    ranked = search(recipe, load_search(file), places, watch, progress)
    if rank():
        return
    bar.stop()
    if as_json:
        typer.echo((places.out / RESULTS).read_text(encoding="utf-8"), nl=False)
    else:
        out = Console(width=max(80, Console().width))
        out.print(_table(ranked))
    best = places.out / BEST
    console.print(f"best settings written to {best}; train them with:", soft_wrap=True)
    console.print(f"foreshock train --config {best} --out BUNDLE", soft_wrap=True)


def _table(ranked: Sequence[Tried]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="")
    for column in ("trial", "macro-F1", "spread", "epochs"):
        table.add_column(column, justify="right")
    for key in ranked[0].trial.settings:
        table.add_column(key, justify="right", overflow="fold")
    for tried in ranked:
        table.add_row(
            str(tried.trial.number + 1),
            f"{tried.figure:.4f}",
            "-" if tried.spread is None else f"{tried.spread:.4f}",
            str(tried.epochs),
            *(json.dumps(value).strip('"') for value in tried.trial.settings.values()),
        )
    return table
