"""``alert``: what people do about alerts, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import (
    ByOption,
    CommentOption,
    ConfigOption,
    DbOption,
    JsonOption,
    name_of,
    settings_of,
)
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.store import Connection, Store

alert_app = typer.Typer(
    help="Look into alerts, and say what is done about them.", no_args_is_help=True
)

Ids = Annotated[
    list[str], typer.Argument(metavar="ID...", help="Alerts: their ids or the beginnings.")
]


@alert_app.command()
def show(
    ids: Ids, config: ConfigOption = None, db: DbOption = None, as_json: JsonOption = False
) -> None:
    """Show alerts whole: why they fired, evidence, history, verdicts, and what was sent."""
    from monitor.alert.show import as_json as to_json
    from monitor.alert.show import as_text, deeds
    from monitor.store import alerts, audit, companies, outbox

    store = _store(config, db)
    names = {known.id: known.name for known in companies.load(store)}
    found = []
    for id_ in _whole_ids(store, ids):
        with store.read() as connection:
            if (alert := alerts.get(connection, id_)) is not None:
                found.append(alert)
    if as_json:
        typer.echo(to_json(found, {each.id: alerts.history(store, each.id) for each in found}))
        return
    for alert in found:
        typer.echo(as_text([alert], names).rpartition("\n\n")[0])
        sent = outbox.of_alert(store, alert.id)
        typer.echo(
            deeds(
                alerts.history(store, alert.id),
                {entry.at: entry.comment for entry in audit.trail(store, alert.id)},
                sent,
            )
        )


@alert_app.command()
def acknowledge(
    ids: Ids,
    by: ByOption = None,
    comment: CommentOption = "",
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Say that you look after alerts: reminders and escalations end."""
    from monitor.store import acts

    _do(
        config,
        db,
        ids,
        by,
        "acknowledged",
        lambda c, i, w, n: acts.acknowledge(c, i, w, n, comment),
    )


@alert_app.command()
def assign(
    ids: Ids,
    to: Annotated[str | None, typer.Option(help="To whom; without it, to nobody.")] = None,
    over: Annotated[bool, typer.Option("--over", help="Also what somebody else has.")] = False,
    by: ByOption = None,
    comment: CommentOption = "",
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Give alerts to somebody, or back to nobody."""
    from monitor.store import acts

    what = f"assigned to {to}" if to else "assigned to nobody"
    _do(config, db, ids, by, what, lambda c, i, w, n: acts.assign(c, i, w, n, to, comment, over))


@alert_app.command()
def snooze(
    ids: Ids,
    duration: Annotated[str, typer.Option("--for", help="How long: 30m, 4h, 2d; 0 ends a snooze.")],
    by: ByOption = None,
    comment: CommentOption = "",
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Hear nothing of alerts for a while, unless they get worse or something new is reported."""
    from monitor.notify.hours import read_duration
    from monitor.store import acts

    try:
        span = read_duration(duration)
    except ValueError as error:
        raise ConfigError(f"--for {error}") from None
    what = f"snoozed for {duration}" if span else "awake"

    def act(connection: Connection, id_: str, who: str, now: datetime) -> None:
        acts.snooze(connection, id_, who, now, now + span if span else None, comment)

    _do(config, db, ids, by, what, act)


@alert_app.command()
def resolve(
    ids: Ids,
    by: ByOption = None,
    comment: CommentOption = "",
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Say that alerts are over; only real news of the event takes one up again."""
    from monitor.store import acts

    _do(config, db, ids, by, "resolved", lambda c, i, w, n: acts.resolve(c, i, w, n, comment))


@alert_app.command()
def reopen(
    ids: Ids,
    by: ByOption = None,
    comment: CommentOption = "",
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Take up resolved alerts again."""
    from monitor.store import acts

    _do(config, db, ids, by, "reopened", lambda c, i, w, n: acts.reopen(c, i, w, n, comment))


@alert_app.command("comment")
def comment_on(
    ids: Ids,
    text: Annotated[str, typer.Option(help="What to say.")],
    by: ByOption = None,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Write something about alerts, for others."""
    from monitor.store import acts

    _do(config, db, ids, by, "commented", lambda c, i, w, n: acts.comment(c, i, w, n, text))


@alert_app.command()
def verdict(
    ids: Ids,
    verdict: Annotated[str, typer.Option("--is", help="true, false, wrong_company or duplicate.")],
    note: Annotated[str, typer.Option(help="Why.")] = "",
    by: ByOption = None,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Say whether alerts were worth it; `alert precision` counts it."""
    from monitor.store import acts

    _do(config, db, ids, by, verdict, lambda c, i, w, n: acts.judge(c, i, w, n, verdict, note))


@alert_app.command()
def precision(
    config: ConfigOption = None,
    db: DbOption = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Only alerts that began since then, UTC."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the share of judged alerts that were true, with its 95% interval."""
    from dataclasses import asdict
    from datetime import UTC

    from monitor.backtest.verdicts import precision_of
    from monitor.store import acts

    begun = None if since is None else since.replace(tzinfo=UTC)
    found = precision_of([each.verdict for each in acts.verdicts_since(_store(config, db), begun)])
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=1))
        return
    if found.precision is None:
        typer.echo("no verdict yet; give some with `foreshock alert verdict ID --is true`")
        return
    typer.echo(
        f"{found.judged} verdicts: precision {found.precision:.3f} [{found.low:.3f}, {found.high:.3f}]"
    )
    for name, count in found.by_verdict.items():
        typer.echo(f"  {name:14} {count}")


def _do(
    config: Path | None,
    db: str | None,
    ids: list[str],
    by: str | None,
    what: str,
    act: Callable[[Connection, str, str, datetime], None],
) -> None:
    """Do something to each alert; those that refuse it are named, and the others are done."""
    from monitor.store.acts import ActRefused
    from monitor.store.clock import time_of

    store = _store(config, db)
    who, failed = name_of(by), False
    for id_ in _whole_ids(store, ids):
        try:
            with store.write() as connection:
                act(connection, id_, who, time_of(store))
        except ActRefused as error:
            typer.echo(str(error), err=True)
            failed = True
        else:
            typer.echo(f"{id_[:8]}: {what}")
    if failed:
        raise typer.Exit(1)


def _store(config: Path | None, db: str | None) -> Store:
    from monitor.store import Store

    return Store(settings_of(config, db).store.url)


def _whole_ids(store: Store, beginnings: list[str]) -> list[str]:
    from monitor.store import alerts

    found = []
    with store.read() as connection:
        for beginning in beginnings:
            matches = alerts.beginning_with(connection, beginning)
            if len(matches) != 1:
                count = "no alert begins" if not matches else "several alerts begin"
                raise ConfigError(f"{beginning}: {count} with that")
            found += matches
    return found
