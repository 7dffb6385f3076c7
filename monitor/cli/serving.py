"""``models promote | rollback | status``: which bundle classifies, while the service runs."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from contextlib import closing
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
    told,
)

if TYPE_CHECKING:
    from monitor.classify.promoting import Chosen
    from monitor.store import Store

_WaitOption = Annotated[
    float,
    typer.Option("--wait", min=0, help="Seconds to wait for the processes that classify; 0: none."),
]


def promote(
    bundle: Annotated[
        str, typer.Argument(help="Folder of a bundle, or the name of a shipped one.")
    ],
    config: ConfigOption = None,
    db: DbOption = None,
    by: ByOption = None,
    comment: CommentOption = "",
    wait: _WaitOption = 60,
) -> None:
    """Let another bundle classify from now on, in every process, without a restart.

    Each process loads and examines it beside the one in use: hashes, labels, sense, speed. Where it does not
    pass, the one in use goes on; the exit status is then 1.
    """
    with told():
        from models import registry
        from monitor.classify import promoting
        from monitor.store import Store
        from monitor.store.clock import time_of

        settings = settings_of(config, db)
        folder = registry.resolve(bundle)
        with closing(Store(settings.store.url)) as store:
            now = time_of(store)
            chosen = promoting.promote(store, settings.model, folder, name_of(by), now, comment)
            tell(store, chosen, wait)


def rollback(
    config: ConfigOption = None,
    db: DbOption = None,
    by: ByOption = None,
    comment: CommentOption = "",
    wait: _WaitOption = 60,
) -> None:
    """Let the bundle before the last promotion classify again."""
    with told():
        from monitor.classify import promoting
        from monitor.store import Store
        from monitor.store.clock import time_of

        settings = settings_of(config, db)
        with closing(Store(settings.store.url)) as store:
            now = time_of(store)
            chosen = promoting.roll_back(store, settings.model, name_of(by), now, comment)
            tell(store, chosen, wait)


def status(config: ConfigOption = None, db: DbOption = None, as_json: JsonOption = False) -> None:
    """Show the bundle that was promoted last, and what every process that classifies runs."""
    with told():
        from monitor.store import Store, promotions
        from monitor.store.clock import time_of

        with closing(Store(settings_of(config, db).store.url)) as store, store.read() as connection:
            past = promotions.latest(connection, 10)
            running = promotions.reports(connection, time_of(store))
    if as_json:
        found = {
            "promotions": [dataclasses.asdict(each) for each in past],
            "processes": [dataclasses.asdict(each) for each in running],
        }
        typer.echo(json.dumps(found, default=str, indent=1))
        return
    for each in past:
        act = "rolled back to" if each.rollback else "promoted"
        typer.echo(
            f"{each.number:4} {each.at:%Y-%m-%d %H:%M} UTC  {each.who} {act} {each.model_version} "
            f"({each.hash[:12]}) {each.comment}".rstrip()
        )
    if not past:
        typer.echo("no promotion: every process runs the bundle of its settings")
    for state in running:
        said = f": promotion {state.number} refused, {state.outcome}: {state.detail}"
        typer.echo(
            f"{state.holder} runs {state.model_version} ({state.hash[:12]})"
            f"{'' if state.outcome == 'serving' else said}"
        )
    if not running:
        typer.echo("no process classifies now")


def tell(store: Store, chosen: Chosen, wait_s: float) -> None:
    """Tell what the running processes make of a promotion; the exit status is 1 when one refuses it."""
    from monitor.store import promotions
    from monitor.store.clock import time_of

    number = chosen.number
    typer.echo(f"promotion {number}: {chosen.bundle.model_version} ({chosen.bundle.hash[:12]})")
    until = time.monotonic() + wait_s
    while True:
        with store.read() as connection:
            running = promotions.reports(connection, time_of(store))
        if all(state.number >= number for state in running) or time.monotonic() >= until:
            break
        time.sleep(0.5)
    for state in running:
        if state.number < number:
            typer.echo(f"{state.holder}: no answer yet, runs {state.model_version}")
        elif state.outcome == "serving":
            typer.echo(f"{state.holder}: runs {state.model_version}")
        else:
            typer.echo(f"{state.holder}: refused ({state.outcome}): {state.detail}")
    if not running:
        typer.echo("no process classifies now; the next that starts takes it")
    if any(state.outcome != "serving" for state in running):
        raise typer.Exit(1)


COMMANDS: tuple[Callable[..., None], ...] = (promote, rollback, status)
