"""``retrain``: the model learns what the desk says, and the gate says whether it may classify."""

from __future__ import annotations

import dataclasses
import json
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.options import (
    ByOption,
    CommentOption,
    ConfigOption,
    DbOption,
    JsonOption,
    KafkaOption,
    WatchlistOption,
    name_of,
    settings_of,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.settings import Settings
    from monitor.store import Store
    from monitor.store.retrains import Retrain

retrain_app = typer.Typer(
    name="retrain",
    help="Train the model on the desk's labels; gate, try, promote.",
    no_args_is_help=True,
)

Number = Annotated[int, typer.Argument(help="Number of the training, as listed.")]


@retrain_app.command()
def run(
    why: Annotated[str, typer.Option(help="Why now, for the record.")] = "by command",
    by: ByOption = None,
    config: ConfigOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a candidate on the labels that count, and ask the gate; exit status 1 where it does not pass.

    What is learnt, what the gate asks, and who promotes: `[retrain]` of the settings.
    """
    with told():
        from monitor.cli.progress import progress_of

        settings = settings_of(config, db)
        with closing(_opened(settings)) as store, progress_of("training") as bar:
            training = _training(settings, store, lambda what, done, total: bar(done, total))
            found = training.run(name_of(by), why)
    _show(found, as_json)
    if found.state.value != "passed":
        raise typer.Exit(1)


@retrain_app.command()
def gate(
    number: Number,
    by: ByOption = None,
    config: ConfigOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the gate about a candidate once more, by the gold labels of now; exit status 1 where it refuses."""
    with told():
        from monitor.cli.progress import progress_of
        from monitor.store import retrains

        settings = settings_of(config, db)
        with closing(_opened(settings)) as store:
            with progress_of("texts") as bar:
                training = _training(settings, store, lambda what, done, total: bar(done, total))
                decision = training.gate_again(number, name_of(by))
            with store.read() as connection:
                found = retrains.get(connection, number)
    _show(found, as_json)
    if not decision.passed:
        raise typer.Exit(1)


@retrain_app.command()
def status(
    number: Annotated[
        int | None, typer.Argument(help="Only this training, with what the gate measured.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 10,
    config: ConfigOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """List trainings: how far they are, what the gate said, how their candidates are tried."""
    with told():
        from monitor.store import retrains

        with (
            closing(_opened(settings_of(config, db))) as store,
            store.read() as connection,
        ):
            if number is None:
                found = retrains.latest(connection, limit)
            else:
                found = [retrains.get(connection, number)]
    if number is not None:
        _show(found[0], as_json)
    elif as_json:
        typer.echo(json.dumps([_plain(each) for each in found], default=str, indent=1))
    else:
        for each in found:
            typer.echo(_line(each))
        if not found:
            typer.echo("no training yet: `foreshock retrain run` makes one")


@retrain_app.command()
def promote(
    number: Number,
    by: ByOption = None,
    comment: CommentOption = "",
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for the processes that classify.")
    ] = 60,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Let a candidate that passed the gate classify; `foreshock models rollback` takes it back."""
    with told():
        from monitor.cli.serving import tell
        from monitor.retrain.promote import promote as let
        from monitor.store.clock import time_of

        settings = settings_of(config, db)
        with closing(_opened(settings)) as store:
            now = time_of(store)
            chosen = let(store, settings.model, number, name_of(by), now, comment)
            tell(store, chosen, wait)


@retrain_app.command()
def trial(
    number: Number,
    how: Annotated[
        str,
        typer.Option("--as", help="shadow: read beside the champion; canary: count; none: end it."),
    ] = "shadow",
    share: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Of the news; default: the setting's."),
    ] = None,
    by: ByOption = None,
    comment: CommentOption = "",
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Try a candidate on live news. A canary needs the gate, and retreats by itself when it does not do."""
    with told():
        from monitor.errors import ConfigError
        from monitor.store import retrains
        from monitor.store.clock import time_of
        from monitor.store.retrains import Trial

        kinds = {"shadow": Trial.SHADOW, "canary": Trial.CANARY, "none": Trial.ENDED}
        if how not in kinds:
            raise ConfigError(f"--as {how}: write shadow, canary or none")
        settings = settings_of(config, db)
        shares = {"shadow": settings.retrain.shadow, "canary": settings.retrain.canary, "none": 0.0}
        chosen = shares[how] if share is None else share
        with closing(_opened(settings)) as store, store.write() as connection:
            now = time_of(store)
            retrains.put_on_trial(connection, number, kinds[how], chosen, name_of(by), now, comment)
            found = retrains.get(connection, number)
    typer.echo(_line(found))


@retrain_app.command()
def differences(
    number: Number,
    limit: Annotated[int, typer.Option(min=0, help="Items shown, the newest.")] = 20,
    config: ConfigOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show on which live items a candidate differs from the champion, and who is right where people know."""
    with told():
        from monitor.retrain.trial import disagreement

        with closing(_opened(settings_of(config, db))) as store, store.read() as connection:
            found = disagreement(connection, number, limit)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(found), default=str, indent=1))
        return
    counted = found.counted
    typer.echo(
        f"{counted.items} items read by both, {counted.differ} differently; the candidate's answer "
        f"counted on {counted.served}"
    )
    for head, before, after, items in found.moves:
        typer.echo(f"  {head}: {before} -> {after}, {items}")
    for head, counts in found.gold.items():
        typer.echo(
            f"  {head}, by {counts.n} gold labels: {counts.first} right before, {counts.second} now "
            f"(p better {counts.p_better:.3g}, worse {counts.p_worse:.3g})"
        )
    for each in found.examples:
        one, other = each.champion, each.candidate
        typer.echo(
            f"  {each.article_id[:8]}  {one.topic}, {one.sentiment} -> {other.topic}, {other.sentiment}"
        )


@retrain_app.command()
def drift(config: ConfigOption = None, db: DbOption = None, as_json: JsonOption = False) -> None:
    """Ask the drift monitors: answers, embedding, confidence against gold; exit status 1 where one speaks."""
    with told():
        from monitor.retrain.occasions import drifted
        from monitor.store.clock import time_of

        settings = settings_of(config, db)
        with closing(_opened(settings)) as store:
            found = drifted(settings, store, time_of(store))
    if as_json:
        typer.echo(json.dumps([each.as_json() for each in found], indent=1))
    else:
        for each in found:
            value = "no data" if each.value is None else f"{each.value:.3f}"
            mark = "SPEAKS" if each.speaks else "quiet"
            typer.echo(f"{mark:6} {each.name}: {value} (bound {each.bound:g}); {each.detail}")
    if any(each.speaks for each in found):
        raise typer.Exit(1)


@retrain_app.command()
def watch(
    config: ConfigOption = None,
    db: DbOption = None,
    kafka: KafkaOption = None,
    watchlist: WatchlistOption = None,
) -> None:
    """Wait for the occasions of `[retrain]` (cron, after_labels, on_drift), and train when one comes.

    `foreshock run` starts this beside the pipeline where one of them is set. Several may wait: one trains.
    """
    import threading

    from monitor.logs import set_up
    from monitor.retrain.occasions import watch as wait
    from monitor.signals import stopping
    from monitor.store.clock import wall_clock

    settings = settings_of(config, db, kafka, watchlist)
    set_up(settings.log.level, settings.log.format)
    stop = threading.Event()
    with told(), stopping(stop.set), closing(_opened(settings)) as store:
        wait(
            settings,
            store,
            wall_clock(store),
            lambda: _training(settings, store, lambda what, done, total: None),
            stop,
        )


def _opened(settings: Settings) -> Store:
    from monitor.store import Store

    return Store(settings.store.url)


def _training(settings: Settings, store: Store, watch: Any) -> Any:
    from monitor.retrain.job import Training
    from monitor.store import leases
    from monitor.store.clock import wall_clock

    return Training(settings, store, leases.this_process(), wall_clock(store), watch)


def _show(found: Retrain, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_plain(found), default=str, indent=1))
        return
    typer.echo(_line(found))
    for head, rows in found.rows.items():
        typer.echo(f"  {head}: learnt {rows['new']} labels beside {rows['old']} old texts")
    if found.report is None:
        return
    for each in [*found.report["sets"], *found.report["slices"]]:
        typer.echo(f"  {_compared(each)}")
    for each in found.report["bias"]:
        typer.echo(
            f"  names, {each['kind']}: mean shift {each['mean_absolute_shift']:.3f}, "
            f"{100 * each['flip_share']:.1f}% other answers"
        )


def _compared(each: Mapping[str, Any]) -> str:
    where = each["on"] if not each["value"] else f"{each['on']} {each['value']}"
    return (
        f"{each['head']}, {where}: {each['champion']:.4f} -> {each['candidate']:.4f} of {each['rows']} "
        f"({each['gained']} gained, {each['lost']} lost; p better {each['p_better']:.3g}, "
        f"worse {each['p_worse']:.3g})"
    )


def _line(each: Retrain) -> str:
    far = f", {each.phase} {each.done}/{each.total}" if each.state.value == "running" else ""
    trial = f", {each.trial.value} {100 * each.share:g}%" if each.trial.value else ""
    made = f" {each.model_version} ({each.hash[:12]})" if each.hash else ""
    return (
        f"{each.number:4} {each.started_at:%Y-%m-%d %H:%M} UTC  {each.who}, {each.why}: "
        f"{each.state.value}{far}{trial}{made}{f': {each.detail}' if each.detail else ''}"
    )


def _plain(each: Retrain) -> dict[str, Any]:
    return dataclasses.asdict(each)
