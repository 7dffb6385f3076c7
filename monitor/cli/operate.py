"""``alerts``, ``check-config``, ``doctor`` and ``db``: look after a running Foreshock."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import (
    ConfigOption,
    DbOption,
    JsonOption,
    KafkaOption,
    WatchlistOption,
    company_id,
    settings_of,
)
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.domain import Grain
    from monitor.settings import Settings
    from monitor.store import Store

db = typer.Typer(help="Look after the database.", no_args_is_help=True)


def alerts(
    config: ConfigOption = None,
    db: DbOption = None,
    state: Annotated[
        str, typer.Option(help="open, firing, acknowledged, resolved or all.")
    ] = "open",
    company: Annotated[str | None, typer.Option(help="Only this company (name or id).")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List alerts with their evidence; `foreshock alert` does something about them."""
    from monitor.alert.show import as_json as to_json
    from monitor.alert.show import as_text
    from monitor.domain import OPEN_STATES, AlertState
    from monitor.store import Store, companies
    from monitor.store import alerts as stored

    groups = {
        "open": OPEN_STATES,
        "all": (*OPEN_STATES, AlertState.RESOLVED),
        **{s.value: (s,) for s in (*OPEN_STATES, AlertState.RESOLVED)},
    }
    if state not in groups:
        raise ConfigError(f"--state {state}: write one of {', '.join(groups)}")
    with closing(Store(settings_of(config, db).store.url)) as store:
        names = {known.id: known.name for known in companies.load(store)}
        key = None if company is None else company_id(names, company)
        listed = stored.latest(store, limit, groups[state], key)
        typer.echo(to_json(listed) if as_json else as_text(listed, names))


def check_config(
    config: ConfigOption = None,
    db: DbOption = None,
    kafka: KafkaOption = None,
    watchlist: WatchlistOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the settings without starting anything; secrets are not shown."""
    from monitor.check import check_settings

    settings = settings_of(config, db, kafka, watchlist)
    notes = check_settings(settings)
    if as_json:
        typer.echo(settings.model_dump_json(indent=2))
        return
    for note in notes:
        typer.echo(note)
    typer.echo("settings are fine")


def doctor(
    config: ConfigOption = None,
    db: DbOption = None,
    kafka: KafkaOption = None,
    watchlist: WatchlistOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask everything Foreshock needs whether it is there: settings, database, streams, model, disk, clock."""
    from monitor.check import examine

    findings = examine(settings_of(config, db, kafka, watchlist))
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(f"{'ok  ' if finding.ok else 'FAIL'} {finding.what}: {finding.detail}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@db.command()
def migrate(config: ConfigOption = None, db: DbOption = None) -> None:
    """Bring the schema up to date, as every process does when it starts; several at once do no harm.

    Processes of the version before that run go on; they can't start again. A database of a newer version is
    refused.
    """
    from monitor.store import Store

    with closing(Store(settings_of(config, db).store.url)) as store:
        was = "is up to date"
        if store.schema_was != store.schema:
            was = f"was brought up from {store.schema_was or 'nothing'}"
        typer.echo(f"{store.name}: schema {store.schema} {was}")


@db.command()
def digest(config: ConfigOption = None, db: DbOption = None, as_json: JsonOption = False) -> None:
    """Hash what is stored: article ids, labels, buckets and a recount of the buckets."""
    from monitor.aggregate.digest import digest as compute
    from monitor.store import Store

    with closing(Store(settings_of(config, db).store.url)) as store:
        found = dataclasses.asdict(compute(store))
        if as_json:
            typer.echo(json.dumps(found))
            return
        for name, value in found.items():
            typer.echo(f"{name:14} {value}")


@db.command()
def verify(config: ConfigOption = None, db: DbOption = None, as_json: JsonOption = False) -> None:
    """Count buckets and publishers again from the stored articles, and say what is not as it should be.

    It may run beside the pipeline. The exit status is 1 when something differs; `db rebuild` mends it.
    """
    from monitor.aggregate.recount import verify as compare
    from monitor.cli.progress import progress_of
    from monitor.store import Store

    settings = settings_of(config, db)
    with closing(Store(settings.store.url)) as store, progress_of("articles") as watch:
        found = compare(store, _kept_from(store, settings), watch)
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(each) for each in found], indent=1))
    else:
        for each in found:
            said = (
                "ok"
                if each.is_sound
                else (f"{each.missing:,} missing, {each.extra:,} too many, {each.wrong:,} wrong")
            )
            typer.echo(f"{each.part:16} {each.rows:>12,} rows  {said}")
    if not all(each.is_sound for each in found):
        raise typer.Exit(1)


@db.command()
def rebuild(config: ConfigOption = None, db: DbOption = None) -> None:
    """Make buckets and publishers anew from the stored articles, in one transaction.

    Articles, alerts, messages, verdicts and everything else that people did stay as they are; stages that
    write meanwhile wait. Articles keep the weights they were counted with.
    """
    from monitor.aggregate.recount import rebuild as anew
    from monitor.cli.progress import progress_of
    from monitor.store import Store

    settings = settings_of(config, db)
    with closing(Store(settings.store.url)) as store, progress_of("articles") as watch:
        rows = anew(store, _kept_from(store, settings), watch)
    typer.echo(f"{rows:,} rows written")


@db.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder for the copies.")],
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Copy the embedded database and log, which fit each other, while Foreshock runs.

    Nothing is appended while the copies are made: stages wait. A PostgreSQL server is backed up by its own
    pg_dump, and Kafka keeps its streams itself.
    """
    from monitor.backup import back_up
    from monitor.cli.progress import progress_of
    from monitor.clock import SystemClock

    store, log = _files(settings_of(config, db))
    with progress_of("pages") as watch:
        made = back_up(store, log, folder, SystemClock().now(), watch)
    typer.echo(
        f"{folder}: database {made.store_bytes / 1e6:,.1f} MB (schema {made.schema}), "
        f"log {made.log_bytes / 1e6:,.1f} MB"
    )


@db.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="Folder of a backup.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace what is there. Stop Foreshock first.")
    ] = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Put a backup in the place of the embedded database and log; what had not been processed goes on."""
    from monitor.backup import restore as put_back

    store, log = _files(settings_of(config, db))
    about = put_back(folder, store, log, force)
    typer.echo(f"{store} and {log} are as they were at {about.made_at}")


def _files(settings: Settings) -> tuple[Path, Path]:
    """Return the files of the embedded store and log."""
    from monitor.stream import LocalStreamSettings

    streams = settings.broker_settings()
    if not settings.store.url.startswith("sqlite:///") or not isinstance(
        streams, LocalStreamSettings
    ):
        raise ConfigError(
            "this copies the embedded database and log; back PostgreSQL up with pg_dump (restore with "
            "pg_restore), and leave streams to Kafka"
        )
    return Path(settings.store.url.removeprefix("sqlite:///")), streams.path


def _kept_from(store: Store, settings: Settings) -> dict[Grain, datetime]:
    """Return from when on retention has certainly not deleted buckets, in the pipeline's time."""
    from monitor.domain import Grain
    from monitor.store import articles, progress

    with store.read() as connection:
        collected = progress.load(connection, "collect").values()
    reached = max((state.through_at for state in collected), default=articles.newest(store))
    if reached is None:
        return {}
    kept = {Grain.MINUTE: settings.store.minute_days, Grain.HOUR: settings.store.hour_days}
    return {grain: reached - timedelta(days=days) for grain, days in kept.items()}


COMMANDS: tuple[Callable[..., None], ...] = (alerts, check_config, doctor)
