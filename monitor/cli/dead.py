"""``dead``: what could not be processed, looked into, tried again, dropped."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.options import (
    ByOption,
    CommentOption,
    ConfigOption,
    DbOption,
    JsonOption,
    KafkaOption,
    name_of,
    settings_of,
    told,
)
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.store import Store
    from monitor.store.dead import DeadLetter

dead_app = typer.Typer(
    name="dead", help="What could not be processed: list, show, retry, drop.", no_args_is_help=True
)

_Ids = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ID...", help="Letters: their ids or the beginnings.", show_default=False
    ),
]
_StageOption = Annotated[
    str | None, typer.Option(help="Only of this stage: collect, classify, ...")
]
_ReasonOption = Annotated[str | None, typer.Option(help="Only for this reason, as listed.")]
_EveryOption = Annotated[
    bool, typer.Option("--all", help="All that wait; with --stage or --reason, all of those.")
]


@dead_app.command("list")
def list_(
    stage: _StageOption = None,
    reason: _ReasonOption = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d"], help="Only since then, UTC."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Those that were dealt with, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    config: ConfigOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what could not be processed and waits for somebody, the newest first."""
    with told():
        from monitor.store import Store, dead

        states = (dead.WAITING, dead.RETRIED, dead.DROPPED) if every else (dead.WAITING,)
        moment = None if since is None else since.replace(tzinfo=UTC)
        with closing(Store(settings_of(config, db).store.url)) as store, store.read() as connection:
            found = dead.letters(
                connection, states, stage=stage, reason=reason, since=moment, limit=limit
            )
    if as_json:
        typer.echo(json.dumps([_plain(letter) for letter in found], ensure_ascii=False, indent=1))
        return
    for letter in found:
        item = letter.item
        done = "" if letter.state == dead.WAITING else f" [{letter.state}]"
        typer.echo(
            f"{letter.id[:8]}  {item.failed_at:%Y-%m-%d %H:%M}  {item.stage}: {item.reason.value}: "
            f"{item.detail}  ({item.origin}){done}"
        )
    if not found:
        typer.echo("nothing waits" if not every else "nothing has died")


@dead_app.command()
def show(
    ids: _Ids, config: ConfigOption = None, db: DbOption = None, as_json: JsonOption = False
) -> None:
    """Show letters whole: what it was, where it came from, why it stopped, and what was done about it."""
    with told():
        from monitor.store import Store, audit

        with closing(Store(settings_of(config, db).store.url)) as store:
            found = _chosen(store, ids or [])
            trails = {letter.id: audit.trail(store, letter.id) for letter in found}
    if as_json:
        typer.echo(json.dumps([_plain(letter) for letter in found], ensure_ascii=False, indent=1))
        return
    for letter in found:
        item = letter.item
        typer.echo(f"{letter.id}  {letter.state}")
        typer.echo(f"  {item.failed_at:%Y-%m-%d %H:%M:%S} UTC, {item.stage}, from {item.origin}")
        typer.echo(f"  {item.reason.value}: {item.detail}")
        typer.echo(f"  {_remedy(letter)}")
        for entry in trails[letter.id]:
            typer.echo(f"  {entry.at:%Y-%m-%d %H:%M} UTC  {entry.who} {entry.act}  {entry.comment}")
        typer.echo(item.payload)


@dead_app.command()
def retry(
    ids: _Ids = None,
    every: _EveryOption = False,
    stage: _StageOption = None,
    reason: _ReasonOption = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also what was retried or dropped before.")
    ] = False,
    by: ByOption = None,
    comment: CommentOption = "",
    config: ConfigOption = None,
    db: DbOption = None,
    kafka: KafkaOption = None,
) -> None:
    """Give records back to the stream they came from, for instance after an update that can read them.

    One that fails again is a new letter. What was stored already is not stored twice.
    """
    with told():
        from monitor.stream import open_broker
        from monitor.stream.port import Message

        settings = settings_of(config, db, kafka)
        store, now = _opened(settings.store.url)
        broker = open_broker(settings.broker_settings())
        try:
            found = _wanted(store, ids, every, stage, reason, again)
            lost = [letter for letter in found if letter.record is None or letter.stream is None]
            given = [letter for letter in found if letter not in lost]
            writer = broker.writer()
            for letter in given:
                assert letter.stream is not None and letter.record is not None
                writer.append(letter.stream, [Message(letter.key or letter.id, letter.record)])
            writer.flush()
            writer.close()
            # Marked only now: who is killed in between gives them back twice, which does no harm.
            _settle(store, given, "retried", by, now, comment)
        finally:
            broker.close()
            store.close()
    for letter in lost:
        typer.echo(f"{letter.id[:8]}: {_remedy(letter)}", err=True)
    typer.echo(f"{len(given)} tried again" + (f", {len(lost)} cannot be" if lost else ""))
    if lost and not given:
        raise typer.Exit(1)


@dead_app.command()
def drop(
    ids: _Ids = None,
    every: _EveryOption = False,
    stage: _StageOption = None,
    reason: _ReasonOption = None,
    by: ByOption = None,
    comment: CommentOption = "",
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Say that letters need nothing; they are listed no more, and deleted some days later."""
    with told():
        store, now = _opened(settings_of(config, db).store.url)
        try:
            found = _wanted(store, ids, every, stage, reason)
            _settle(store, found, "dropped", by, now, comment)
        finally:
            store.close()
    typer.echo(f"{len(found)} dropped")


def _opened(url: str) -> tuple[Store, datetime]:
    from monitor.store import Store
    from monitor.store.clock import time_of

    store = Store(url)
    return store, time_of(store)


def _settle(
    store: Store,
    letters: list[DeadLetter],
    state: str,
    by: str | None,
    now: datetime,
    comment: str,
) -> None:
    from monitor.store import dead

    with store.write() as connection:
        for letter in letters:
            dead.settle(connection, letter, state, name_of(by), now, comment)


def _wanted(
    store: Store,
    ids: list[str] | None,
    every: bool,
    stage: str | None,
    reason: str | None,
    again: bool = False,
) -> list[DeadLetter]:
    """Return the letters that a person named, or all that wait and are of a kind.

    Raises
    ------
    ConfigError
        A named one has been dealt with, and it is not to be done ``again``.
    """
    from monitor.store import dead

    if ids:
        if every or stage or reason:
            raise ConfigError("name letters, or say --all, --stage or --reason; not both")
        found = _chosen(store, ids)
        for letter in found:
            if letter.state != dead.WAITING and not again:
                raise ConfigError(
                    f"{letter.id[:8]} was {letter.state} already; `foreshock dead retry --again` does it anew"
                )
        return found
    if not (every or stage or reason):
        raise ConfigError("name letters by their ids, or say --all, --stage or --reason")
    with store.read() as connection:
        return dead.letters(connection, stage=stage, reason=reason)


def _chosen(store: Store, ids: list[str]) -> list[DeadLetter]:
    from monitor.store import dead

    if not ids:
        raise ConfigError("name letters by their ids: `foreshock dead list` shows them")
    found = []
    with store.read() as connection:
        for beginning in ids:
            those = dead.beginning_with(connection, beginning)
            if len(those) != 1:
                raise ConfigError(f"{beginning}: {len(those) or 'no'} letters begin with that")
            found.append(those[0])
    return list({letter.id: letter for letter in found}.values())


def _remedy(letter: DeadLetter) -> str:
    """Return what can be done about a letter."""
    if letter.record is not None:
        return f"`foreshock dead retry {letter.id[:8]}` gives it back to {letter.stream}"
    if letter.stream is not None:
        return "too large to be kept: it can only be sent anew by whoever sent it"
    return f"put {letter.item.origin} right and collect it again"


def _plain(letter: DeadLetter) -> dict[str, Any]:
    item = letter.item
    return {
        "id": letter.id,
        "state": letter.state,
        "stage": item.stage,
        "reason": item.reason.value,
        "detail": item.detail,
        "origin": item.origin,
        "failed_at": item.failed_at.isoformat(),
        "retriable": letter.record is not None,
        "payload": item.payload,
    }
