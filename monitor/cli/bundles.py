"""``models``: bundles listed, shown, compared, checked, exported, compressed; bases imported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from models.errors import MissingExtraError
from monitor.cli.options import JsonOption, told

models_app = typer.Typer(
    no_args_is_help=True,
    help="Trained models: list, show, diff, verify, export, compress, promote; import a base from ONNX.",
)

Form = Literal["bundle", "onnx", "openvino-fp32", "torch"]
Technique = Literal["prune-heads", "drop-layers", "trim-vocabulary", "int8", "bf16", "fp32"]
DropStrategy = Literal["top", "alternate", "symmetric", "bottom"]

_Bundle = Annotated[
    str, typer.Argument(help="Folder of a bundle, or the name of one that comes with foreshock.")
]


@models_app.command("list")
def list_(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="Further bundles, or folders of bundles.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the bundles that come with foreshock, and those in the folders given."""
    with told():
        from models import registry

        found = [entry.as_json() for entry in registry.bundles(folders or ())]
        if as_json:
            _json(found)
            return
        for one in found:
            heads = ", ".join(f"{head} {labels}" for head, labels in one["heads"].items())
            typer.echo(
                f"{one['name']} {one['version'] or '?'}  {(one['hash'] or '?')[:12]}  "
                f"{','.join(one['languages'])}  {heads}  {one['size_mb']} MB  {one['folder']}"
            )
            for name, figures in one["metrics"].items():
                shown = ", ".join(f"{key} {value:.4f}" for key, value in figures.items())
                typer.echo(f"    {name}: {shown}")
            if one["problem"]:
                typer.echo(f"    unusable: {one['problem']}")


@models_app.command()
def show(bundle: _Bundle = "foreshock-en", as_json: JsonOption = False) -> None:
    """Show one bundle: heads with labels and temperatures, base, data with hashes, figures."""
    with told():
        from models import registry

        found = registry.entry(registry.resolve(bundle))
        if as_json:
            _json({**found.manifest, "folder": str(found.folder), "problem": found.problem})
            return
        about = found.manifest
        typer.echo(f"{about.get('name')} {about.get('version')}  {found.folder}")
        for key in ("hash", "languages", "base", "method", "max_tokens", "normalisation_version"):
            typer.echo(f"{key}: {_plain(about.get(key))}")
        typer.echo(f"precision: {_plain(about.get('precision'))}")
        typer.echo(f"size: {found.size_bytes / 1e6:.1f} MB")
        temperatures, powers = about.get("temperatures") or {}, about.get("powers") or {}
        for head, labels in registry.labels_of(about).items():
            power = f", power {powers[head]:.3g}" if head in powers else ""
            typer.echo(
                f"head {head}: {len(labels)} labels, temperature {temperatures.get(head)}{power}"
            )
            typer.echo(f"    {', '.join(labels)}")
        for one in about.get("data") or ():
            typer.echo(f"data {_plain(one)}")
        for name, figures in registry.headline(about).items():
            typer.echo(f"figures {name}: {_plain(figures)}")
        if found.problem:
            typer.echo(f"unusable: {found.problem}")


@models_app.command()
def diff(one: _Bundle, other: _Bundle, as_json: JsonOption = False) -> None:
    """Tell two bundles apart: settings, labels, data, figures, and how far the weights moved."""
    with told():
        from models import registry

        found = registry.diff(registry.resolve(one), registry.resolve(other))
        if as_json:
            _json(found)
            return
        if found["hash"][0] == found["hash"][1]:
            typer.echo("the same model: both have one hash")
        for part in ("settings", "labels"):
            for name, (was, now) in found[part].items():
                typer.echo(f"{part} {name}: {_plain(was)} -> {_plain(now)}")
        for mark, names in zip("-+", found["data"], strict=True):
            for name in names:
                typer.echo(f"data {mark} {name}")
        for name, (was, now, delta) in found["metrics"].items():
            change = "" if delta is None else f" ({delta:+.4f})"
            typer.echo(f"metrics {name}: {_plain(was)} -> {_plain(now)}{change}")
        for name, distance in found["weights"].items():
            shown = "other shape, or in one only" if distance is None else f"{distance:.4f}"
            typer.echo(f"weights {name}: {shown}")


@models_app.command()
def verify(bundle: _Bundle = "foreshock-en") -> None:
    """Check a bundle: hashes, kinds of files, no absolute paths. Exit code 1 when it has a problem."""
    with told():
        from models import registry

        folder = registry.resolve(bundle)
        problems = registry.verify(folder)
        for problem in problems:
            typer.echo(problem)
        if problems:
            raise typer.Exit(1)
        typer.echo(f"{folder}: ok")


@models_app.command()
def export(
    out: Annotated[Path, typer.Option(help="Folder to make, or a file ending in .tar.")],
    bundle: _Bundle = "foreshock-en",
    form: Annotated[
        Form,
        typer.Option("--format", help="As it is, or one float32 graph or Hugging Face folder."),
    ] = "bundle",
) -> None:
    """Write a bundle for another place or runtime; ONNX is checked with ONNX Runtime first."""
    with told():
        from models import registry

        names = registry.export(registry.resolve(bundle), out, form, _progress)
        typer.echo(f"{out}: {', '.join(names)}")


@models_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A .onnx file, or a .jar or .zip that holds one.")],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    tokenizer: Annotated[
        Path | None, typer.Option(help="Its tokenizer.json; default: beside it, or in the archive.")
    ] = None,
    heads: Annotated[
        int | None, typer.Option(min=1, help="Attention heads; default: read off the graph.")
    ] = None,
) -> None:
    """Read a BERT encoder out of an ONNX export into a folder that `train --base` starts from."""
    with told():
        from models.onnx_base import import_onnx

        found = import_onnx(file, out, tokenizer=tokenizer, heads=heads, progress=_progress)
        typer.echo(
            f"{found.folder}: {found.layers} layers, {found.heads} heads, width {found.width}, "
            f"{found.vocabulary} tokens; differs from the graph by {found.difference:.1e} at most"
        )


@models_app.command()
def estimate(
    recipe: Annotated[
        Path | None, typer.Argument(help="TOML; default: the one of the shipped bundle.")
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="KEY=VALUE over the recipe, as for `train`; repeat for several."
        ),
    ] = None,
    gpu_memory: Annotated[float, typer.Option(min=0.1, help="Memory of the GPU, GiB.")] = 16.0,
    as_json: JsonOption = False,
) -> None:
    """Say what memory a training takes of a GPU, and which batch fits, without weights or data.

    The base is a local folder with a config.json, or one whose sizes are known. Counted are weights,
    gradients, the optimiser's states, the running average and activations (Korthikanti et al. 2022,
    section 4).
    """
    with told():
        try:
            from models.training.config import SHIPPED, load_config
            from models.training.memory import estimate as run
        except ImportError as error:
            raise MissingExtraError("estimating", "train", error.name or "torch") from error
        found = run(load_config(recipe or SHIPPED, change or ()))
        memory_bytes = int(gpu_memory * 2**30)
        if as_json:
            _json({**found.as_json(), "fitting_rows": found.fitting_rows(memory_bytes)})
            return
        typer.echo(f"{found.parameters:,} parameters, {found.moving:,} of them trained")
        for name in ("weights", "gradients", "optimiser", "average", "copies", "between"):
            typer.echo(f"{name:10} {getattr(found, name) / 2**30:7.2f} GiB")
        typer.echo(found.summary(memory_bytes))


@models_app.command()
def compress(
    method: Annotated[Technique, typer.Option(help="What to do.")],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    model: Annotated[
        Path | None,
        typer.Option(help="Folder of a bundle; default: the one that comes with foreshock."),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(help="A base instead of a bundle, for drop-layers and trim-vocabulary."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Labelled csv or jsonl to measure on; see --task.")
    ] = None,
    task: Annotated[str, typer.Option(help="Head that --data labels.")] = "topic",
    text: Annotated[str, typer.Option(help="Column of the texts.")] = "text",
    label: Annotated[
        str | None, typer.Option(help="Column of the labels; default: the task's name.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Column of the company, for a target head.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Rows of --data measured; default: every row.")
    ] = None,
    sample_split: Annotated[
        str | None,
        typer.Option(
            help="Rows of --data that scales, importances and tokens come from; default: train."
        ),
    ] = None,
    texts: Annotated[
        list[Path] | None,
        typer.Option(help="Plain text, one a line, for scales and tokens; repeat for several."),
    ] = None,
    fraction: Annotated[
        float, typer.Option(min=0.0, max=0.99, help="prune-heads: share of heads to leave out.")
    ] = 0.25,
    layers: Annotated[
        int | None, typer.Option(min=1, help="drop-layers: layers to keep; default: half.")
    ] = None,
    strategy: Annotated[DropStrategy, typer.Option(help="drop-layers: which go.")] = "top",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads to measure with.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a model smaller or faster, and measure accuracy, macro-F1, docs/s and size of both.

    prune-heads leaves out attention heads (Michel et al. 2019), drop-layers whole layers (Sajjad et
    al. 2020), trim-vocabulary tokens that the texts do not hold; int8, bf16 and fp32 change the
    arithmetic of the CPU graph.
    """
    with told():
        try:
            from models.compress.measure import LabelledFile
            from models.compress.run import Compression
            from models.compress.run import compress as run
        except ImportError as error:
            raise MissingExtraError("compressing", "train", error.name or "torch") from error
        labelled = None
        if sample_split is None and split not in (None, "train"):
            sample_split = "train"
        if data is not None:
            labelled = LabelledFile(data, task, text, label or task, split, sample_split, target)
        config = Compression(
            method=method,
            out=out,
            model=model,
            base=base,
            labelled=labelled,
            texts=tuple(_lines(texts or [])),
            fraction=fraction,
            keep=layers,
            strategy=strategy,
            threads=threads,
        )
        found = run(config, _progress)
        if as_json:
            _json(found.as_json())
        else:
            typer.echo(f"{found.as_text()}\nwritten to {found.folder}")


def _lines(files: list[Path]) -> Iterator[str]:
    from models.errors import DataError
    from models.text import model_input

    for file in files:
        try:
            content = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{file}: cannot be read as utf-8 text: {error}") from error
        yield from (model_input(line) for line in content.splitlines() if line.strip())


def _progress(what: str) -> None:
    typer.echo(f"{what} ...", err=True)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(inner)}" for key, inner in value.items())
    if isinstance(value, float):
        return f"{value:.4f}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
