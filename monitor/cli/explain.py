"""``explain``: why the model said so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.cli.options import told
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from models.explain import Explanation, Word

MethodName = Literal["occlusion", "ig", "gradient_shap", "kernel_shap", "lime", "attention"]
EngineName = Literal["auto", "openvino", "torch"]

_BAR_CELLS = 12


def explain(
    text: Annotated[str, typer.Argument(help="The text, as its source publishes it.")],
    head: Annotated[str, typer.Option(help="Which head: topic, sentiment, ...")],
    label: Annotated[
        str | None, typer.Option(help="The label to explain; default: the most probable one.")
    ] = None,
    method: Annotated[
        MethodName,
        typer.Option(
            help="occlusion asks the serving engine; the others need foreshock[train]. ig, "
            "gradient_shap and attention look into the model in float32, kernel_shap and lime "
            "at what serves."
        ),
    ] = "occlusion",
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", help="Folder of a bundle; default: the one that comes with foreshock."
        ),
    ] = None,
    engine: Annotated[
        EngineName,
        typer.Option(help="What computes: auto takes CUDA where it works, else OpenVINO."),
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads; without it, every core.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the methods that sample.")] = 0,
    html: Annotated[
        Path | None, typer.Option("--html", help="Also write a page with the text coloured.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON for a program to read.")
    ] = False,
) -> None:
    """Show how much each word of a text speaks for a label.

    Attributions are log-odds of the label; of attention, shares. Methods whose attributions add up
    to a known difference say how far they miss it (completeness_gap), and warn above 5%.
    """
    with told():
        from models.classifier import Classifier
        from models.explain import explain as run

        classifier = Classifier.load(model, engine, threads)
        found = run(classifier, text, head, label, method, seed=seed)
    if html is not None:
        from models.explain.html import as_html

        try:
            html.write_text(as_html(found), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--html {html}: cannot write it: {error.strerror}") from error
    if found.warning is not None:
        typer.echo(f"warning: {found.warning}", err=True)
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False, indent=2))
    else:
        _print(found, Console())


def _print(found: Explanation, console: Console) -> None:
    from models.explain import evidence_span

    strongest = max(abs(word.attribution) for word in found.words) or 1.0
    coloured = Text(found.text)
    for word in found.words:
        coloured.stylize(_style(word, strongest), word.start, word.end)
    console.print(coloured)
    start, end = evidence_span(found)
    gap = found.completeness_gap
    table = Table(box=None, pad_edge=False)
    table.add_column("word", overflow="fold")
    table.add_column("attribution", justify="right")
    table.add_column("")
    for word in sorted(found.words, key=lambda word: -abs(word.attribution)):
        cells = round(_BAR_CELLS * abs(word.attribution) / strongest)
        style = "green" if word.attribution > 0 else "red"
        table.add_row(Text(word.text), f"{word.attribution:+.3f}", Text("█" * cells, style=style))
    console.print(table)
    facts = [
        f"{found.head}: {found.label}",
        f"evidence: {found.text[start:end] or '-'}",
        f"log-odds: {found.log_odds:+.3f}, with every word masked {found.baseline_log_odds:+.3f}",
        f"method: {found.method}"
        + ("" if gap is None else f", completeness gap {gap:.1%}")
        + f"; model: {found.model}",
    ]
    for line in facts:
        console.print(Text(line))


def _style(word: Word, strongest: float) -> str:
    share = word.attribution / strongest
    if abs(share) < 0.1:
        return ""
    colour = "green" if share > 0 else "red"
    return f"bold {colour}" if abs(share) >= 0.5 else colour


COMMANDS: tuple[Callable[..., None], ...] = (explain,)
