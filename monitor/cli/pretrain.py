"""``pretrain``: a base trained further on unlabelled text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import Progress

from models.base import PACKAGED
from models.errors import MissingExtraError
from monitor.cli.options import told
from monitor.cli.progress import bar

if TYPE_CHECKING:
    from models.pretraining.loop import Epoch, Watch


def pretrain(
    files: Annotated[
        list[Path],
        typer.Argument(help="Unlabelled texts: .txt (one a line), .csv or .jsonl, plain or .gz."),
    ],
    out: Annotated[Path, typer.Option(help="Folder to make; a recipe names it as its base.")],
    text: Annotated[
        list[str] | None,
        typer.Option(help="Column of the texts; repeat for title and lead, read in that order."),
    ] = None,
    base: Annotated[
        str, typer.Option(help="Package, local folder or hub name of the base to start from.")
    ] = PACKAGED,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the texts.")] = 3,
    batch: Annotated[int, typer.Option(min=1, help="Texts per step.")] = 32,
    lr: Annotated[float, typer.Option(min=0, help="Peak learning rate.")] = 1e-4,
    masked: Annotated[
        float, typer.Option(min=0.01, max=0.9, help="Share of tokens hidden, whole words.")
    ] = 0.15,
    held_out: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Share of the texts only measured on.")
    ] = 0.05,
    max_tokens: Annotated[
        int, typer.Option(min=8, max=512, help="Longer texts are cut, special tokens included.")
    ] = 128,
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option(help="Of matrix products; auto is bfloat16 where the device has it."),
    ] = "auto",
    seed: Annotated[int, typer.Option(help="Of masks, order, dropout and what is held out.")] = 13,
    work: Annotated[
        Path | None, typer.Option(help="Folder of checkpoints; default: OUT.checkpoints.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint, if there is one.")
    ] = False,
) -> None:
    """Train a base further on your own texts before any label is seen, and write a new base.

    Masked-language training with whole words hidden, other ones every epoch (Gururangan et al. 2020).
    Prints loss and perplexity on texts held out, before and after every epoch, and keeps the best
    epoch. What it does for a head: `foreshock train --config RECIPE --set base=OUT` against the same
    without --set. Needs foreshock[train].
    """
    with told():
        try:
            from models.pretraining.loop import Fit
            from models.pretraining.run import Pretraining
            from models.pretraining.run import pretrain as run
        except ImportError as error:
            raise MissingExtraError("pretraining", "train", error.name or "torch") from error
        fit = Fit(epochs=epochs, batch=batch, lr=lr, masked=masked, precision=precision, seed=seed)
        asked = Pretraining(
            files=files,
            columns=text or [],
            out=out,
            work=work or out.with_name(out.name + ".checkpoints"),
            base=base,
            max_tokens=max_tokens,
            held_out=held_out,
            fit=fit,
            resume=resume,
        )
        console = Console(stderr=True)
        with bar(console) as shown:
            made, curve = run(asked, _watch(console, shown))
        best = min(curve[1:], key=lambda epoch: epoch.held_out_loss)
        console.print(
            f"base written to {made.folder}: held-out perplexity {curve[0].perplexity:.2f} before, "
            f"{best.perplexity:.2f} after epoch {best.number}"
        )


def _watch(console: Console, bar: Progress) -> Watch:
    from models.pretraining.loop import Watch

    row = bar.add_task("starting", total=None)

    def phase(what: str) -> None:
        bar.update(row, description=what, completed=0, total=None)

    def step(done: int, total: int, loss: float) -> None:
        bar.update(row, description=f"training, loss {loss:.3f}", completed=done, total=total)

    def epoch(figures: Epoch) -> None:
        when = f"epoch {figures.number}" if figures.number else "before"
        trained = "" if figures.train_loss is None else f"loss {figures.train_loss:.4f}; "
        console.print(
            f"{when}: {trained}held out: loss {figures.held_out_loss:.4f} "
            f"perplexity {figures.perplexity:.2f}"
        )

    return Watch(phase, step, epoch)


COMMANDS: tuple[Callable[..., None], ...] = (pretrain,)
