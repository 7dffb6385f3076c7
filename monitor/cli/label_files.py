"""Labels in files: ``labels export`` and ``labels import``, and what all commands on labels share."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import ConfigOption, DbOption, settings_of, told
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from models.labels import Head
    from monitor.domain import ClassifiedArticle, Label
    from monitor.relabel.exchange.tasks import Format, Task
    from monitor.settings import Settings
    from monitor.store import Connection, Store

HeadOption = Annotated[
    str | None, typer.Option(help="Only of this head: sentiment, topic, target, risk.")
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="jsonl, csv, label-studio or argilla; by default what the file's name ends with.",
    ),
]
SeedOption = Annotated[int, typer.Option(help="Of every draw: the same seed, the same queue.")]
LeastOption = Annotated[
    int, typer.Option(min=1, help="Annotators who must agree where nobody adjudicated.")
]


def export_(
    out: Annotated[Path, typer.Argument(help="File to write.")],
    form: FormatOption = None,
    head: HeadOption = None,
    training: Annotated[
        bool,
        typer.Option(
            "--training",
            help="Instead: the labels that count of --head, with a leak-free split, as csv or jsonl for "
            "`foreshock train --data`.",
        ),
    ] = False,
    least: LeastOption = 1,
    seed: SeedOption = 1,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Write the labels that stand, for another tool or another database; or those that count, to train on."""
    with told():
        settings, store, heads = opened(config, db)
        with closing(store):
            if training:
                count = write_training(store, out, head, least, seed, heads)
            else:
                from monitor.relabel.standing import standing

                said = standing(events_of(store, head, None))
                asked = [head] if head else [h for h in settings.relabel.heads if h in heads]
                items = items_of(store, said)
                tasks = [
                    task for task in tasks_for(store, items, said, asked, heads) if task.labels
                ]
                write_tasks(out, format_of(out, form), tasks, heads)
                count = sum(len(task.labels) for task in tasks)
    typer.echo(f"{out}: {count} labels")


def import_(
    file: Annotated[Path, typer.Argument(help="File to read.")],
    form: FormatOption = None,
    known: Annotated[
        bool,
        typer.Option("--known", help="Take them for reference answers to check people against."),
    ] = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Take labels from a file. What is there already is not taken twice; a wrong row takes nothing.

    Items are known by article_id and revision, which every exported file carries.
    """
    with told():
        from monitor.domain import LabelRole
        from monitor.relabel.exchange.take import take
        from monitor.store.clock import time_of

        _, store, heads = opened(config, db)
        role = LabelRole.KNOWN if known else None
        with closing(store):
            try:
                said = list(format_of(file, form).read(text_of(file), heads))
                with store.write() as connection:
                    taken = take(connection, said, heads, time_of(store), role)
            except ConfigError as error:
                raise ConfigError(f"{file}: {error}") from None
    unknown = f", {taken.unknown} of articles that are not here" if taken.unknown else ""
    typer.echo(f"{taken.added} labels taken, {taken.repeats} were here already{unknown}")


def opened(config: Path | None, db: str | None) -> tuple[Settings, Store, dict[str, Head]]:
    """Return settings, store, and the heads of the bundles in use."""
    from monitor.relabel.heads import heads_of
    from monitor.store import Store

    settings = settings_of(config, db)
    return settings, Store(settings.store.url), heads_of(settings.model.folders)


def article_of(connection: Connection, beginning: str) -> ClassifiedArticle:
    """Return the current article whose id begins so; raises `ConfigError` for none or several."""
    from monitor.store import articles

    found = articles.beginning_with(connection, beginning)
    if len(found) != 1:
        raise ConfigError(f"{beginning}: {len(found) or 'no'} articles begin with that")
    return articles.current(connection, found)[0]


def events_of(store: Store, head: str | None, article: str | None) -> list[Label]:
    """Return labels and withdrawals: all, or of a head, or of one article."""
    from monitor.store import labels as stored

    with store.read() as connection:
        ids = None if article is None else [article_of(connection, article).article.id]
        return stored.events(connection, head=head, articles=ids)


def items_of(store: Store, said: Sequence[Label]) -> list[ClassifiedArticle]:
    """Return the articles that labels are on."""
    from monitor.store import articles

    keys = dict.fromkeys((label.article_id, label.revision) for label in said)
    with store.read() as connection:
        return articles.get(connection, list(keys))


def tasks_for(
    store: Store,
    items: Sequence[ClassifiedArticle],
    said: Sequence[Label],
    asked: Sequence[str],
    heads: dict[str, Head],
) -> list[Task]:
    """Return what a file is to hold of some items; raises `ConfigError` for a head that is not there."""
    from monitor.relabel.exchange.tasks import tasks_of
    from monitor.store import companies

    for name in asked:
        if name not in heads:
            raise ConfigError(f"--head {name}: no such head; heads are {', '.join(heads)}")
    names = {company.id: company.name for company in companies.load(store)}
    return tasks_of(items, said, asked, heads, names)


def write_training(
    store: Store, out: Path, head: str | None, least: int, seed: int, heads: dict[str, Head]
) -> int:
    """Write the labels of a head that count; return how many."""
    from models.dataset.rows import check_out, write_table
    from monitor.relabel.exchange.rows import harmless
    from monitor.relabel.exchange.training import training_rows
    from monitor.relabel.standing import gold as gold_of

    if head not in heads:
        raise ConfigError(f"--training needs --head: one of {', '.join(heads)}")
    check_out(out)
    events = events_of(store, head, None)
    items = {(i.article.id, i.article.revision): i for i in items_of(store, events)}
    rows = training_rows(gold_of(events, least).values(), items, heads[head], seed)
    if not rows:
        raise ConfigError(f"no label of {head} counts yet; `foreshock labels gold` lists them")
    if out.name.removesuffix(".gz").endswith(".csv"):
        rows = [{name: harmless(cell) for name, cell in row.items()} for row in rows]
    write_table(out, list(rows[0]), rows)
    return len(rows)


def format_of(path: Path, name: str | None) -> Format:
    """Return a format by its name, else by what the file's name ends with."""
    from monitor.relabel.exchange import FORMATS

    name = name or path.suffix.removeprefix(".")
    if name not in FORMATS:
        raise ConfigError(f"{path}: say --format; formats are {', '.join(FORMATS)}")
    return FORMATS[name]


def write_tasks(path: Path, form: Format, tasks: Sequence[Task], heads: dict[str, Head]) -> None:
    """Write tasks to a file."""
    try:
        path.write_text(form.write(tasks, heads), "utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror})") from None


def text_of(path: Path) -> str:
    """Return what a file holds."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from None
