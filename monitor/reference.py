"""The reference in ``deploy/docs/reference.md``, written from the code: ``python -m monitor.reference``.

Commands and options, settings, metrics, stages and extension points; a test fails when the file is not what
this module writes, or when something in it says nothing.
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

FILE = Path(__file__).parents[1] / "deploy" / "docs" / "reference.md"
HEAD = """# Reference

Written by `python -m monitor.reference` from the code: edit the help texts there, not here.
"""


def reference() -> str:
    """Return the whole document, Markdown."""
    parts = (
        *(HEAD, commands(), settings(), source_options(), rules()),
        *(recipes(), searches(), metrics(), stages(), extensions()),
    )
    return "\n".join(parts)


def commands() -> str:
    """Return every command of ``foreshock`` with its arguments and options."""
    import typer

    from monitor.cli import app

    lines = ["## Commands", ""]
    for name, command in _leaves(typer.main.get_command(app), "foreshock"):
        lines += [f"### `{name}`", "", inspect.cleandoc(command.help or ""), ""]
        shown = [param for param in command.params if not getattr(param, "hidden", False)]
        rows = [
            (_spelling(param), "required" if param.required else _value(param.default), param.help)
            for param in shown
        ]
        lines += _table(("option", "default", "what it does"), rows)
    return "\n".join(lines)


def settings() -> str:
    """Return every key of ``foreshock.toml``."""
    from monitor.settings import ENV_PREFIX, Settings

    lines = [
        "## Settings",
        "",
        f"In `foreshock.toml`, or from the environment: `{ENV_PREFIX}SECTION__KEY` wins over the file.",
        "",
    ]
    for heading, model in sections(Settings):
        lines += [f"### `{heading}`", "", *_keys(model)]
    return "\n".join(lines)


def rules() -> str:
    """Return every key of a file of alert rules."""
    from monitor.alert.ruleschema import KINDS

    lines = [
        "## Alert rules",
        "",
        "YAML for `[alert] rules`: a list under `rules`. What it means, with examples: [rules.md](rules.md).",
        "",
    ]
    inner: dict[str, type[BaseModel]] = {}
    for kind, rule in KINDS.items():
        lines += [f"### `kind: {kind}`", "", *_keys(rule, sections=True)]
        inner |= dict(sections(rule, f"{kind}."))
    for heading, model in inner.items():
        lines += [f"### `{heading.strip('[]')}`", "", *_keys(model)]
    return "\n".join(lines)


def recipes() -> str:
    """Return every key of a training recipe."""
    from models.training.config import TrainConfig

    lines = [
        "## Training recipes",
        "",
        "TOML for `foreshock train --config`; `--set KEY=VALUE` changes one key.",
        "",
        "### the recipe itself",
        "",
        *_keys(TrainConfig),
    ]
    for heading, model in sections(TrainConfig):
        lines += [f"### `{heading}`", "", *_keys(model)]
    return "\n".join(lines)


def searches() -> str:
    """Return every key of the file of a search, and an example."""
    from models.training.search import SearchConfig, Span

    example = """```toml
trials = 24
folds = 3
[space]
"fit.lr" = { low = 1e-5, high = 1e-3, scale = "log" }
"adapter.rank" = [16, 32, 64]
```"""
    lines = [
        "## Searches",
        "",
        "TOML for `foreshock train --search`, beside the recipe it varies. A search reads the training "
        "split, and the validation split or folds of the training split; it skips rows of the test split.",
        "",
        example,
        "",
        *_keys(SearchConfig),
        "### a range under `[space]`",
        "",
        *_keys(Span),
    ]
    return "\n".join(lines)


def _keys(model: type[BaseModel], sections: bool = False) -> list[str]:
    """Return the table of a model's keys; ``sections`` names those that have tables of their own too."""
    rows = []
    for key, info in model.model_fields.items():
        if _section(info.annotation) is not None:
            if sections:
                rows.append((f"`{key}`", "keys below", "-", info.description))
            continue
        default = "required"
        if not info.is_required():
            default = _value(info.get_default(call_default_factory=True))
        rows.append((f"`{key}`", _type(info.annotation), default, info.description))
    about = inspect.cleandoc(model.__doc__ or "")
    return [about, "", *_table(("key", "type", "default", "what it sets"), rows)]


def metrics() -> str:
    """Return every metric of ``/metrics``."""
    from monitor.metrics import Metrics
    from monitor.store_metrics import families

    described = [(next(iter(c.describe())), c._labelnames) for c in Metrics().collectors]
    described += [(family, family._labelnames) for family in families()]
    rows = []
    for metric, labelnames in described:
        name = metric.name + "_total" if metric.type == "counter" else metric.name
        labels = ", ".join(f"`{label}`" for label in labelnames)
        rows.append((f"`{name}`", metric.type, labels or "-", metric.documentation))
    return "\n".join(
        ["## Metrics", "", *_table(("metric", "type", "labels", "what it says"), rows)]
    )


def stages() -> str:
    """Return the table of stages."""
    from monitor.pipeline import STAGES

    rows = [
        (
            f"`{spec.name}`",
            f"`{spec.reads}`" if spec.reads else "-",
            ", ".join(map(_code, spec.writes)),
        )
        for spec in STAGES.values()
    ]
    return "\n".join(["## Stages", "", *_table(("stage", "reads", "writes"), rows)])


def extensions() -> str:
    """Return every registry: what can be added by one class, one line and one sample."""
    from monitor.alert.ruleschema import KINDS
    from monitor.collect.sources import SOURCES
    from monitor.notify.channels import CHANNELS
    from monitor.relabel.exchange import FORMATS
    from monitor.relabel.samplers import SAMPLERS

    registries: Mapping[str, Mapping[str, Any]] = {
        "Sources (`kind` of `[[sources]]`; see `monitor.collect`)": SOURCES,
        "Channels (`kind` of `[[notify.channels]]`; see `monitor.notify`)": CHANNELS,
        "Alert rules (`kind` of a rule; see `monitor.alert`)": KINDS,
        "Samplers (`shares` of `[relabel]`; see `monitor.relabel`)": SAMPLERS,
        "Label formats (`--format` of `foreshock labels`; see `monitor.relabel.exchange`)": FORMATS,
    }
    lines = ["## Extension points", ""]
    for title, registry in registries.items():
        rows = [(f"`{kind}`", _first_line(entry)) for kind, entry in registry.items()]
        lines += [f"### {title}", "", *_table(("kind", "what it is"), rows)]
    return "\n".join(lines)


def source_options() -> str:
    """Return what each kind of source can be told beyond the keys of ``[[sources]]``."""
    from monitor.collect.options import Options
    from monitor.collect.sources import SOURCES

    kinds: dict[type[BaseModel], list[str]] = {}
    for kind, entry in SOURCES.items():
        kinds.setdefault(getattr(entry, "Options", Options), []).append(f"`{kind}`")
    lines = ["## Options of sources", "", "In `[sources.options]` below a source.", ""]
    for model, names in kinds.items():
        if model is not Options:
            lines += [f"### Of {', '.join(names)}", "", *_keys(model)]
            for name, inner in sections(model, "sources.options."):
                lines += [f"### `{name}` of {', '.join(names)}", "", *_keys(inner)]
    return "\n".join(lines)


def sections(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the heading and the model of every section below a settings model."""
    for key, info in model.model_fields.items():
        inner = _section(info.annotation)
        if inner is None:
            continue
        name = f"{prefix}{key}"
        many = typing.get_origin(info.annotation) is tuple
        if typing.get_origin(info.annotation) is dict:
            name += ".NAME"
        yield (f"[[{name}]]" if many else f"[{name}]"), inner
        yield from sections(inner, f"{name}.")


def undocumented() -> list[str]:
    """Return every option, key, metric and kind whose description is empty: rows that end in a hole."""
    return [line for line in reference().splitlines() if line.endswith("|  |")]


def _leaves(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    for child_name, child in getattr(command, "commands", {}).items():
        if child.hidden:
            continue
        if hasattr(child, "commands"):
            yield from _leaves(child, f"{name} {child_name}")
        else:
            yield f"{name} {child_name}", child


def _spelling(param: Any) -> str:
    if param.param_type_name == "argument":
        return _code(param.name.upper())
    return " ".join(f"`{option}`" for option in param.opts)


def _section(annotation: Any) -> type[BaseModel] | None:
    """Return the model of a nested section, of a list of them, or of those of a name each."""
    if typing.get_origin(annotation) is tuple:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) is dict:
        annotation = typing.get_args(annotation)[1]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        annotation = next(part for part in typing.get_args(annotation) if part is not type(None))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def _type(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return " or ".join(f'`"{value}"`' for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(part) for part in arguments if part is not type(None))
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"{_type(arguments[1])} by name"
    if annotation is Any:
        return "anything"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f'`"{member.value}"`' for member in annotation)
    plain = {
        "Span": "range",
        "str": "text",
        "SecretStr": "secret",
        "Path": "path",
        "bool": "true or false",
        "time": "time",
        "ZoneInfo": "time zone",
    }
    return plain.get(
        annotation.__name__, {"int": "whole number"}.get(annotation.__name__, "number")
    )


def _value(value: Any) -> str:
    if value is None or value in ((), {}, ""):
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ", ".join(_value(part) for part in value)
    return _code(value.value if isinstance(value, Enum) else value)


def _code(value: Any) -> str:
    return f"`{value}`"


def _first_line(entry: Any) -> str:
    return inspect.cleandoc(entry.__doc__ or "").split("\n\n")[0].replace("\n", " ")


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> list[str]:
    if not rows:
        return []
    lines = [head, ("---",) * len(head), *rows]
    cells = ([_cell(value) for value in line] for line in lines)
    return [*("| " + " | ".join(line) + " |" for line in cells), ""]


def _cell(value: Any) -> str:
    return " ".join(str(value or "").split()).replace("|", "\\|")


def main() -> int:
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(reference(), "utf-8")
    print(f"wrote {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
