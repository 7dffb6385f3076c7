"""``data``: labelled sets before training: split, check, clean, label."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from monitor.cli.options import told
from monitor.cli.progress import progress_of

if TYPE_CHECKING:
    from models.dataset.leaks import Leak
    from models.dataset.quality import Quality
    from models.dataset.rows import Table


class LeakKind(StrEnum):
    """`models.dataset.leaks.KINDS`, for the command line."""

    SAME = "same"
    FOLDED = "folded"
    NEAR = "near"


data_app = typer.Typer(
    name="data", help="Labelled sets: split, check, clean, label.", no_args_is_help=True
)

_FileArgument = Annotated[Path, typer.Argument(help="csv or jsonl with named columns, or .gz.")]
_OutOption = Annotated[Path, typer.Option(help="csv or jsonl to write, plain or .gz.")]
_TextOption = Annotated[str, typer.Option(help="Column of the texts.")]
_NearOption = Annotated[
    float,
    typer.Option(min=0.3, max=1.0, help="Jaccard similarity from which two texts are one."),
]
_JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
_SeedOption = Annotated[int, typer.Option(help="Of every draw: the same seed, the same outcome.")]


@data_app.command()
def split(
    file: _FileArgument,
    text: _TextOption,
    out: _OutOption,
    label: Annotated[
        str | None, typer.Option(help="Column whose values are dealt out in the shares.")
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="Column whose equal values stay together; empty is none.")
    ] = None,
    train: Annotated[float, typer.Option(min=0, max=1, help="Share of train.")] = 0.8,
    valid: Annotated[float, typer.Option(min=0, max=1, help="Share of valid.")] = 0.1,
    test: Annotated[float, typer.Option(min=0, max=1, help="Share of test.")] = 0.1,
    near: _NearOption = 0.8,
    seed: _SeedOption = 13,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the column split that is there.")
    ] = False,
) -> None:
    """Deal rows out to train, valid and test so that no text is in two of them.

    Texts are one when they are equal but for case, numbers and cashtags, when they are nearly
    so, or when they share a group. Writes the rows with a column split.
    """
    with told():
        from models.dataset.rows import check_out, read_table, write_table
        from models.dataset.splits import split_rows
        from models.errors import DataError

        check_out(out, file)
        table = read_table(file)
        if "split" in table.columns and not replace:
            raise DataError(f"{file}: has a column 'split' already; say --replace to deal it anew")
        labels = table.column(label) if label else None
        with progress_of("looking for near texts") as progress:
            found = split_rows(
                table.column(text),
                labels,
                table.column(group) if group else None,
                shares={"train": train, "valid": valid, "test": test},
                threshold=near,
                seed=seed,
                progress=progress,
            )
        columns = ("split", *(name for name in table.columns if name != "split"))
        rows = zip(table.rows, found.names, strict=True)
        write_table(out, columns, ({**row, "split": name} for row, name in rows))
        _show_splits(found.names, labels, found.clusters.tolist())


@data_app.command()
def leaks(
    files: Annotated[
        list[Path],
        typer.Argument(help="Files of one set: with a column split, or named train, valid, test."),
    ],
    text: Annotated[
        str | None, typer.Option(help="Column of the texts; default: text, title or headline.")
    ] = None,
    kind: Annotated[
        list[LeakKind] | None,
        typer.Option(
            help="What counts: same (as the model reads it), folded (but for numbers and "
            "cashtags), near; repeat for several. Default: all."
        ),
    ] = None,
    near: _NearOption = 0.8,
    show: Annotated[int, typer.Option(min=0, help="Most pairs to print of each kind.")] = 10,
    as_json: _JsonOption = False,
) -> None:
    """Refuse a set whose splits share texts: prints the pairs, exit status 1."""
    with told():
        from models.dataset.leaks import KINDS, read_placed
        from models.dataset.leaks import leaks as find

        rows = read_placed(files, text)
        with progress_of("looking for near texts") as progress:
            kinds = [k for k in KINDS if not kind or k in kind]
            found = find(rows, kinds=kinds, threshold=near, progress=progress)
        if as_json:
            typer.echo(json.dumps([_leak_json(leak) for leak in found], indent=2))
        elif found:
            _show_leaks(found, show)
        else:
            typer.echo(f"no leaks in {len(rows)} rows")
        if found:
            raise typer.Exit(1)


@data_app.command()
def quality(
    file: _FileArgument,
    task: Annotated[Literal["topic", "sentiment"], typer.Option(help="Whose labels these are.")],
    text: _TextOption,
    label: Annotated[str, typer.Option(help="Column of the labels.")],
    split: Annotated[str | None, typer.Option(help="Only rows of this split.")] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a bundle whose encoder reads the texts, one not trained on these rows; "
            "default: the base, which was trained on no labels."
        ),
    ] = None,
    folds: Annotated[int, typer.Option(min=2, help="Rows are judged by the other folds.")] = 5,
    seed: _SeedOption = 13,
    out: Annotated[
        Path | None, typer.Option(help="csv or jsonl the suspicious rows go to, for relabelling.")
    ] = None,
    as_json: _JsonOption = False,
) -> None:
    """Estimate label noise and rank the labels that look wrong. Needs foreshock[train].

    Confident learning (Northcutt et al. 2021) over out-of-sample probabilities of a logistic
    regression on embeddings. It points at rows to read again; it does not change them.
    """
    with told():
        from models.dataset.embed import embeddings
        from models.dataset.keys import clusters
        from models.dataset.quality import assess
        from models.dataset.rows import check_out, read_table
        from models.text import model_input

        if out is not None:
            check_out(out, file)
        table = read_table(file)
        if split is not None:
            table = table.only("split", split)
        labels = _known_labels(table, label, task)
        texts = table.column(text)
        if model is not None:
            _warn_if_trained_on(model, file)
        with progress_of("reading") as progress:
            vectors = embeddings([model_input(t) for t in texts], model, progress=progress)
        numbers = clusters(texts)
        with progress_of("judging, fold by fold") as progress:
            found = assess(vectors, labels, numbers, folds=folds, seed=seed, progress=progress)
        if out is not None:
            _write_issues(out, table, text, found)
        if as_json:
            figures = {"file": file.name, "task": task, "split": split} | found.as_json()
            typer.echo(json.dumps(figures, indent=2))
        else:
            _show_quality(found, out)


@data_app.command("pseudo-label")
def pseudo_label(
    file: _FileArgument,
    text: _TextOption,
    out: _OutOption,
    model: Annotated[
        Path | None,
        typer.Option(help="Folder of a bundle; default: the one that comes with foreshock."),
    ] = None,
    min_probability: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Least calibrated probability of a label.")
    ] = 0.9,
    head: Annotated[
        list[str] | None,
        typer.Option(
            help="Head to label by, default topic; repeat for several: each has its own file, "
            "OUT with the head before its ending."
        ),
    ] = None,
    balance: Annotated[
        bool,
        typer.Option("--balance", help="Keep of no class more than the median class has."),
    ] = False,
    gold: Annotated[
        list[Path] | None,
        typer.Option(help="Labelled file; texts it holds get no other label. Repeat for several."),
    ] = None,
    gold_text: Annotated[
        str | None, typer.Option(help="Its column of texts; default TEXT.")
    ] = None,
    language: Annotated[
        str, typer.Option(help="ISO 639-1 code of every text, or auto to tell it from the text.")
    ] = "auto",
) -> None:
    """Label an unlabelled stream with a model, where it is sure.

    Writes the rows in the labelled form, all of split train, with the probability and, in
    labelled_by, the model and its hash. Labels that people gave are never overwritten.
    """
    with told():
        from models.classifier import Classifier
        from models.dataset import pseudo
        from models.dataset.rows import check_out, read_table, write_table
        from models.text import model_input
        from monitor.collect.languages import language_of

        heads = tuple(dict.fromkeys(head or ["topic"]))
        outs = {h: _of_head(out, h) if len(heads) > 1 else out for h in heads}
        for path in outs.values():
            check_out(path, file, *(gold or ()))
            pseudo.refuse_gold(path)
        table = read_table(file)
        known: set[str] = set()
        for path in gold or ():
            known |= pseudo.gold_keys(path, gold_text or text)
        free = pseudo.unlabelled(table, text, heads, known)
        classifier = Classifier.load(model)
        texts = table.column(text)
        for i, value in enumerate(texts):
            read = model_input(value)
            code = language_of(None, read) if language == "auto" else language
            free[i] = free[i] and (code == "und" or code in classifier.bundle.languages)
        with progress_of("labelling") as progress:
            found = pseudo.probabilities_of(classifier, texts, free, heads, progress)
        bundle = classifier.bundle
        by = f"{bundle.name} {bundle.version} {bundle.hash}"
        for name, path in outs.items():
            labels = bundle.labels[name]
            chosen = pseudo.choose(found[name], labels, free, min_probability, balance)
            write_table(path, *pseudo.labelled_rows(table, name, chosen, by))
            typer.echo(
                f"{path}: {len(chosen)} of {len(texts)} rows labelled ({sum(free)} readable, new)"
            )
            for each, count in Counter(row.label for row in chosen).most_common():
                typer.echo(f"  {each:<28} {count:>7}")


@data_app.command()
def risk(
    file: _FileArgument,
    text: _TextOption,
    out: _OutOption,
    label: Annotated[str, typer.Option(help="Column the events are written to.")] = "risk",
) -> None:
    """Label texts with the risk events the rule pack reads in them: weak labels to train on.

    Events that are confirmed or rumoured, gravest first, joined by a bar; empty is none. What is
    denied, or old news told again, is no event. The column labelled_by names the pack.
    """
    with told():
        from models.dataset.pseudo import LABELLED_BY, refuse_gold
        from models.dataset.rows import check_out, read_table, write_table
        from models.errors import DataError
        from models.text import normalise
        from monitor.stories.risk import RiskPack

        check_out(out, file)
        refuse_gold(out)
        table = read_table(file)
        if label in table.columns:
            raise DataError(
                f"{file}: has a column {label!r} already; labels are not overwritten: "
                "name another with --label"
            )
        pack = RiskPack.load()
        texts = table.column(text)
        events = []
        with progress_of("reading") as progress:
            for done, value in enumerate(texts, start=1):
                matches = pack.match(normalise(value), "", None)
                happened = [m.event for m in matches if m.stage in ("confirmed", "rumour")]
                events.append(tuple(dict.fromkeys(happened)))
                if not done % 256 or done == len(texts):
                    progress(done, len(texts))
        by = f"risk pack {pack.version} {pack.hash}"
        columns = (label, LABELLED_BY, *(c for c in table.columns if c != LABELLED_BY))
        rows = zip(table.rows, events, strict=True)
        write_table(
            out, columns, ({**row, label: "|".join(found), LABELLED_BY: by} for row, found in rows)
        )
        typer.echo(f"{out}: {sum(map(bool, events))} of {len(texts)} rows with an event")
        for event, count in Counter(e for found in events for e in found).most_common():
            typer.echo(f"  {event:<28} {count:>7}")


def _known_labels(table: Table, label: str, task: str) -> list[str]:
    from models.errors import DataError
    from models.labels import SENTIMENTS, TOPICS

    names = {"topic": TOPICS, "sentiment": SENTIMENTS}[task]
    labels = table.column(label)
    for line, found in zip(table.lines, labels, strict=True):
        if found not in names:
            raise DataError(
                f"{table.path} line {line}: {label} {found!r} is no {task}; "
                f"they are {', '.join(map(repr, names))}"
            )
    return labels


def _warn_if_trained_on(model: Path, file: Path) -> None:
    from models.bundle import load_bundle
    from models.hashes import file_sha256

    sha256 = file_sha256(file)
    if any(source.get("sha256") == sha256 for source in load_bundle(model).data):
        typer.echo(
            f"warning: {model} was trained on {file.name}: it has seen these labels, wrong ones "
            "too, and will find fewer; leave --model out",
            err=True,
        )


def _write_issues(out: Path, table: Table, text: str, found: Quality) -> None:
    from models.dataset.rows import write_table

    columns = (
        "line", "text", "label", "suggested", "label_probability", "suggested_probability"
    )  # fmt: skip
    rows = (
        {
            "line": str(table.lines[issue.row]),
            "text": table.rows[issue.row][text],
            "label": issue.label,
            "suggested": issue.suggested,
            "label_probability": f"{issue.label_probability:.6f}",
            "suggested_probability": f"{issue.suggested_probability:.6f}",
        }
        for issue in found.issues
    )
    write_table(out, columns, rows)


def _show_quality(found: Quality, out: Path | None) -> None:
    typer.echo(f"rows                    {found.rows:>7}")
    typer.echo(f"health                  {found.health:>7.3f}  estimated share of right labels")
    typer.echo(f"out-of-sample accuracy  {found.accuracy:>7.3f}  how far to trust the rest")
    typer.echo(f"suspicious labels       {len(found.issues):>7}")
    typer.echo(f"\n{'label':<28} {'rows':>7} {'issues':>7} {'wrong':>7} {'missed':>7}")
    for c in found.classes:
        typer.echo(f"{c.label:<28} {c.rows:>7} {c.issues:>7} {c.wrong:>7.3f} {c.missed:>7.3f}")
    if out is not None:
        typer.echo(f"\nsuspicious rows, worst first, written to {out}")


def _show_splits(
    names: Sequence[str], labels: Sequence[str] | None, clusters: Sequence[int]
) -> None:
    splits = [s for s in ("train", "valid", "test") if s in names]
    sizes = Counter(clusters)
    held = Counter(zip(names, labels or ("",) * len(names), strict=True))
    typer.echo(f"{'':<28}" + "".join(f"{s:>9}" for s in splits) + f"{'all':>9}")

    def line(title: str, counts: Sequence[int], total: int) -> None:
        typer.echo(f"{title:<28}" + "".join(f"{n:>9}" for n in counts) + f"{total:>9}")

    rows = Counter(names)
    line("rows", [rows[s] for s in splits], len(names))
    of_split = Counter(s for s, _ in set(zip(names, clusters, strict=True)))
    line("clusters", [of_split[s] for s in splits], len(sizes))
    biggest = {
        s: max(sizes[c] for n, c in zip(names, clusters, strict=True) if n == s) for s in splits
    }
    line("largest cluster, rows", [biggest[s] for s in splits], max(sizes.values()))
    for name in sorted(set(labels or ())):
        line(name or "(empty)", [held[s, name] for s in splits], sum(held[s, name] for s in splits))


def _show_leaks(found: Sequence[Leak], show: int) -> None:
    kinds = Counter(leak.kind for leak in found)
    for kind, count in kinds.items():
        typer.echo(f"{kind}: {count} pairs")
        for leak in [leak for leak in found if leak.kind == kind][:show]:
            near = f", similarity {leak.similarity:.2f}" if kind == "near" else ""
            typer.echo(f"  {leak.first.place} and {leak.second.place}{near}")
            for row in (leak.first, leak.second):
                typer.echo(f"    {' '.join(row.text.split())[:110]}")
        if count > show:
            typer.echo(f"  and {count - show} more: --show {count}, or --json for all")
    touched = {(r.split, r.file, r.line) for leak in found for r in (leak.first, leak.second)}
    rows = Counter(split for split, _, _ in touched)
    sides = ", ".join(f"{count} of {split}" for split, count in sorted(rows.items()))
    typer.echo(f"{len(found)} leaks; rows in them: {sides}")


def _leak_json(leak: Leak) -> dict[str, object]:
    sides = {
        side: {"file": row.file, "line": row.line, "split": row.split, "text": row.text}
        for side, row in (("first", leak.first), ("second", leak.second))
    }
    return {"kind": leak.kind, "similarity": round(leak.similarity, 4), **sides}


def _of_head(out: Path, head: str) -> Path:
    stem, dot, ending = out.name.partition(".")
    return out.with_name(f"{stem}.{head}{dot}{ending}")
