"""``labels``: what people say of items, to teach the model."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.label_files import (
    FormatOption,
    HeadOption,
    LeastOption,
    SeedOption,
    article_of,
    events_of,
    export_,
    format_of,
    import_,
    opened,
    tasks_for,
    write_tasks,
)
from monitor.cli.options import (
    ByOption,
    ConfigOption,
    DbOption,
    JsonOption,
    name_of,
    settings_of,
    told,
)
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.domain import Label

labels_app = typer.Typer(
    name="labels",
    help="Label items to teach the model: what to ask, what was said, what counts.",
    no_args_is_help=True,
)


@labels_app.command()
def queue(
    by: ByOption = None,
    size: Annotated[int, typer.Option(min=1, help="Items at most.")] = 20,
    seed: SeedOption = 1,
    out: Annotated[
        Path | None, typer.Option(help="Write the items to a file, to be labelled elsewhere.")
    ] = None,
    form: FormatOption = None,
    config: ConfigOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what somebody would be asked next on the Relabel page, and why; or write it for another tool."""
    with told():
        from monitor.relabel.candidates import load
        from monitor.relabel.candidates import queue as queue_of

        settings, store, heads = opened(config, db)
        with closing(store):
            plan = settings.relabel.plan()
            asked = queue_of(load(store, plan.pool), plan, heads, name_of(by), seed, size)
            if out is not None:
                known = [name for name in plan.heads if name in heads]
                items = [each.item for each in asked]
                write_tasks(
                    out, format_of(out, form), tasks_for(store, items, (), known, heads), heads
                )
    if out is not None:
        typer.echo(f"{out}: {len(asked)} items")
        return
    if as_json:
        rows = [
            {
                "article_id": each.item.article.id,
                "revision": each.item.article.revision,
                "title": each.item.article.title,
                "sampler": each.choice.sampler,
                "why": each.choice.why,
                "heads": [question.head for question in each.questions],
            }
            for each in asked
        ]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for each in asked:
        typer.echo(f"{each.item.article.id[:8]}  {each.item.article.title}  ({each.choice.why})")
    if not asked:
        typer.echo("nothing to ask: no item that the model read waits for this person")


@labels_app.command()
def add(
    article: Annotated[str, typer.Argument(help="Article: its id or the beginning.")],
    head: Annotated[str, typer.Option(help="sentiment, topic, target or risk.")],
    value: Annotated[
        str, typer.Option("--is", help="The label; several of risk joined by |, empty for none.")
    ],
    company: Annotated[
        str | None, typer.Option(help="For target: about whom (id of the watchlist).")
    ] = None,
    adjudicate: Annotated[
        bool,
        typer.Option("--adjudicate", help="Decide, as a third person, where annotators differ."),
    ] = False,
    known: Annotated[
        bool, typer.Option("--known", help="A reference answer, to check annotators against.")
    ] = False,
    by: ByOption = None,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Label an item. What the model had said of it is written down with it."""
    with told():
        from monitor.domain import LabelRole
        from monitor.relabel.answers import answer
        from monitor.relabel.heads import Question
        from monitor.store.clock import time_of

        if adjudicate and known:
            raise ConfigError("--adjudicate or --known; not both")
        role = LabelRole.ANNOTATION
        if adjudicate or known:
            role = LabelRole.ADJUDICATION if adjudicate else LabelRole.KNOWN
        _, store, heads = opened(config, db)
        with closing(store), store.write() as connection:
            item = article_of(connection, article)
            question, now = Question(head, company), time_of(store)
            said = answer(
                *(connection, heads, item, question, value, name_of(by), now),
                sampler="command",
                role=role,
            )
    typer.echo(f"label {said.id}: {said.article_id[:8]} {said.head} is {said.value or 'none'}")


@labels_app.command()
def withdraw(
    label: Annotated[int, typer.Argument(help="Number of the label, as listed.")],
    by: ByOption = None,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Take back a label of your own; it stays in the record, and no longer counts."""
    from monitor.store import Store
    from monitor.store import labels as stored
    from monitor.store.clock import time_of

    with closing(Store(settings_of(config, db).store.url)) as store, store.write() as connection:
        stored.withdraw(connection, label, name_of(by), time_of(store))
    typer.echo(f"label {label}: withdrawn")


@labels_app.command("list")
def list_(
    head: HeadOption = None,
    who: Annotated[str | None, typer.Option(help="Only what this person said.")] = None,
    article: Annotated[str | None, typer.Option(help="Only of this article.")] = None,
    disputed: Annotated[
        bool,
        typer.Option("--disputed", help="Only where annotators differ and nobody adjudicated."),
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    config: ConfigOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """List labels and withdrawals, the newest first."""
    with told():
        from monitor.relabel import standing
        from monitor.store import Store

        with closing(Store(settings_of(config, db).store.url)) as store:
            found = events_of(store, head, article)
        waiting = standing.disputed(found)
        if disputed:
            found = [each for each in found if each.question in waiting]
        if who is not None:
            found = [each for each in found if each.who == who]
    found = found[::-1][:limit]
    if as_json:
        typer.echo(json.dumps([_plain(each) for each in found], ensure_ascii=False, indent=1))
        return
    for each in found:
        about = f" {each.company_id}" if each.company_id else ""
        what = f"withdraws {each.withdraws}" if each.value is None else f"is {each.value or 'none'}"
        typer.echo(
            f"{each.id:>6}  {each.at:%Y-%m-%d %H:%M}  {each.article_id[:8]} {each.head}{about} {what}  "
            f"({each.who}, {each.role.value}; the model said {each.predicted or 'nothing'})"
        )
    if not found:
        typer.echo("no labels")


@labels_app.command()
def agreement(
    config: ConfigOption = None, db: DbOption = None, as_json: JsonOption = False
) -> None:
    """Print how far annotators agree (Cohen's kappa, Krippendorff's alpha), and how often they are right."""
    from monitor.relabel.agreement import accuracies, agreements
    from monitor.relabel.plain import agreement_table
    from monitor.store import Store

    with closing(Store(settings_of(config, db).store.url)) as store:
        events = events_of(store, None, None)
    found, people = agreements(events), accuracies(events)
    if as_json:
        table = agreement_table(found, people)
        typer.echo(json.dumps(table, ensure_ascii=False, indent=1))
        return
    for each in found:
        typer.echo(
            f"{each.head}: {each.labelled} labelled, {each.double} by two or more, {each.alike} of them "
            f"alike; alpha {_figure(each.alpha)}; {each.disputed} wait for an adjudicator"
        )
        for pair, kappa in each.kappa.items():
            typer.echo(f"  {' and '.join(pair)}: kappa {_figure(kappa)}")
    for person in people:
        typer.echo(
            f"{person.who}: {person.right} of {person.checked} known answers right "
            f"[{person.low:.2f}, {person.high:.2f}]"
        )
    if not found:
        typer.echo("no labels yet")


@labels_app.command()
def gold(
    head: HeadOption = None,
    least: LeastOption = 1,
    config: ConfigOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the label that counts of each item: an adjudicator's, a known answer, or the annotators'."""
    from monitor.relabel import standing
    from monitor.relabel.plain import gold_rows
    from monitor.store import Store

    with closing(Store(settings_of(config, db).store.url)) as store:
        found = standing.gold(events_of(store, head, None), least).values()
    if as_json:
        typer.echo(json.dumps(gold_rows(found), ensure_ascii=False, indent=1))
        return
    for each in found:
        article_id, _, name, company = each.question
        about = f" {company}" if company else ""
        typer.echo(
            f"{article_id[:8]} {name}{about} is {each.value or 'none'}  "
            f"({each.basis.value}: {', '.join(each.who)})"
        )
    if not found:
        typer.echo("no label counts yet")


labels_app.command("export")(export_)
labels_app.command("import")(import_)


def _figure(value: float | None) -> str:
    return "no data" if value is None else f"{value:.3f}"


def _plain(label: Label) -> dict[str, Any]:
    found = {name: getattr(label, name) for name in label.__dataclass_fields__}
    return {**found, "at": label.at.isoformat(), "role": label.role.value}
