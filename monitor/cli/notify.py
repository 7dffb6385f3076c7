"""``notify`` and ``silence``: try the channels, see what became of messages, hold them back for a while."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import (
    ConfigOption,
    DbOption,
    JsonOption,
    alert_named,
    name_of,
    settings_of,
)
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.domain import Alert

notify_app = typer.Typer(
    help="Try channels and routes; see what became of messages.", no_args_is_help=True
)
silence_app = typer.Typer(help="Hold messages back for a while.", no_args_is_help=True)


@notify_app.command("test")
def try_channels(
    channels: Annotated[
        list[str] | None, typer.Argument(help="Names of channels; all by default.")
    ] = None,
    config: ConfigOption = None,
    severity: Annotated[int, typer.Option(min=1, max=5, help="Of the message that is sent.")] = 3,
) -> None:
    """Send a message, marked as a test, and say how it went on each channel."""
    from monitor.clock import SystemClock
    from monitor.domain import Notification
    from monitor.notify.build import open_channels
    from monitor.notify.message import render
    from monitor.notify.port import ChannelRefused, ChannelRetriable

    known = open_channels(settings_of(config).notify)
    wanted = channels or list(known)
    if unknown := [name for name in wanted if name not in known]:
        raise ConfigError(f"no channel {unknown[0]!r}; channels are {', '.join(known)}")
    now = SystemClock().now()
    rendered = render(_sample(severity, now), "test: nothing happened", company="Test Company")
    failed = False
    for name in wanted:
        key = f"test:{now.timestamp():.0f}:{name}"
        try:
            known[name].send(Notification(0, key, name, "test", *rendered))
        except (ChannelRetriable, ChannelRefused) as error:
            kind = "will not take it" if isinstance(error, ChannelRefused) else "did not take it"
            typer.echo(f"{name}: {kind}: {error}")
            failed = True
        else:
            typer.echo(f"{name}: sent")
    if failed:
        raise typer.Exit(1)


@notify_app.command("log")
def log(
    config: ConfigOption = None,
    db: DbOption = None,
    alert: Annotated[
        str | None, typer.Option(help="Only of this alert: its id or the beginning.")
    ] = None,
    channel: Annotated[str | None, typer.Option(help="Only on this channel.")] = None,
    state: Annotated[
        str | None,
        typer.Option(help="waiting, pending, sent, refused, suppressed, grouped or recorded."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List notifications, newest first: what became of each, when, and why."""
    from dataclasses import asdict

    from monitor.store import Store, outbox

    with closing(Store(settings_of(config, db).store.url)) as store:
        found = outbox.receipts(store, limit, alert, channel, state)
        if as_json:
            rows = [
                {
                    name: value.isoformat() if isinstance(value, datetime) else value
                    for name, value in asdict(receipt).items()
                }
                for receipt in found
            ]
            typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
            return
        for each in found:
            took = ""
            if each.settled_at is not None:
                took = f" after {(each.settled_at - each.created_at).total_seconds():.1f} s"
            tries = f", {each.attempts} tries" if each.attempts > 1 else ""
            why = f" ({each.reason})" if each.reason else ""
            typer.echo(
                f"{each.created_at:%Y-%m-%d %H:%M:%S}  {each.state}{took}{tries}  {each.channel or '-'}  "
                f"{each.alert_id[:8]} {each.change}  {each.subject}{why}"
            )
        if not found:
            typer.echo("no notification")


@notify_app.command("routes")
def routes(
    config: ConfigOption = None,
    db: DbOption = None,
    alert: Annotated[
        str | None, typer.Option(help="Show the way of this stored alert: its id or the beginning.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Check this routes file instead of the configured one.")
    ] = None,
) -> None:
    """Check the routes file and show its tree, or the routes that an alert takes."""
    from monitor.notify.build import build_path, load_routing, open_channels
    from monitor.store import Store, companies
    from monitor.stories.risk import RiskPack

    settings = settings_of(config, db)
    notify = (
        settings.notify if file is None else settings.notify.model_copy(update={"routes": file})
    )
    routing = load_routing(notify, frozenset(open_channels(notify)))
    if alert is None:
        for route in routing.root.walk():
            matched = ", ".join(str(matcher) for matcher in route.matchers) or "everything"
            if route.min_severity is not None:
                matched += f" from severity {route.min_severity} on"
            typer.echo(f"{route.name}: {matched} -> {', '.join(route.channels) or 'nobody'}")
        return
    with closing(Store(settings.store.url)) as store:
        watched = companies.load(store)
        path = build_path(notify, watched, RiskPack.load(settings.story.pack).families, True)
        found = alert_named(store, alert)
        labels = path.labels(found)
        for label, values in labels.items():
            typer.echo(f"{label}: {', '.join(sorted(values))}")
        for route in routing.root.taken_by(labels):
            typer.echo(f"{route.name} -> {', '.join(route.channels) or 'nobody'}")


@silence_app.command("add")
def silence_add(
    match: Annotated[
        list[str],
        typer.Argument(help="LABEL=VALUE, LABEL!=VALUE or severity>=4; VALUE|VALUE for several."),
    ],
    duration: Annotated[str, typer.Option("--for", help="How long: 30m, 4h, 2d.")],
    comment: Annotated[str, typer.Option(help="Why, for others.")],
    by: Annotated[
        str | None, typer.Option(help="Who asks for it; the login name by default.")
    ] = None,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Send nothing of the alerts that match, for a while. They are shown as ever.

    What fires still when it ends, and was not told because of it, is told then.
    """
    from monitor.notify.hours import read_duration
    from monitor.notify.match import read_matcher
    from monitor.store import Store, silences
    from monitor.store.clock import time_of

    matchers: dict[str, object] = {}
    try:
        span = read_duration(duration)
        for text in match:
            label, wanted = _split(text)
            read_matcher(label, wanted)
            matchers[label] = wanted
    except ValueError as error:
        raise ConfigError(str(error)) from None
    with closing(Store(settings_of(config, db).store.url)) as store:
        now = time_of(store)
        with store.write() as connection:
            id_ = silences.add(connection, matchers, now, now + span, name_of(by), comment, now)
        typer.echo(f"silence {id_} until {now + span:%Y-%m-%d %H:%M} UTC")


@silence_app.command("list")
def silence_list(
    config: ConfigOption = None,
    db: DbOption = None,
    every: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
) -> None:
    """List the silences that hold."""
    from monitor.store import Store, silences
    from monitor.store.clock import time_of

    with closing(Store(settings_of(config, db).store.url)) as store:
        now = time_of(store)
        found = silences.latest(store, 200)
        shown = [each for each in found if every or each.ends_at > now]
        for each in shown:
            what = ", ".join(f"{label}={wanted}" for label, wanted in each.matchers.items())
            over = "over" if each.ends_at <= now else "until"
            typer.echo(
                f"{each.id}  {over} {each.ends_at:%Y-%m-%d %H:%M}  {each.who}  {what}  {each.comment}"
            )
        if not shown:
            typer.echo("no silence holds")


@silence_app.command("expire")
def silence_expire(
    id_: Annotated[int, typer.Argument(metavar="ID", help="As `silence list` shows it.")],
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """End a silence now; what it held and fires still is told."""
    from monitor.store import Store, silences
    from monitor.store.clock import time_of

    with closing(Store(settings_of(config, db).store.url)) as store:
        with store.write() as connection:
            if not silences.expire(connection, id_, time_of(store)):
                raise ConfigError(f"no silence {id_} holds; see `foreshock silence list`")
        typer.echo(f"silence {id_} is over")


def _split(text: str) -> tuple[str, object]:
    """Return the label and what is wanted of it, as a routes file writes it."""
    if text.startswith("severity>="):
        return "severity", text.removeprefix("severity")
    label, found, wanted = text.partition("=")
    if not found:
        raise ValueError(f"{text!r}: write LABEL=VALUE")
    negated = "!" if label.endswith("!") else ""
    values = [f"{negated}{value}" for value in wanted.split("|")]
    return label.rstrip("!"), values


def _sample(severity: int, now: datetime) -> Alert:
    from monitor.domain import Alert, AlertKind, AlertState, Dimension, Evidence

    title = "Test message of Foreshock"
    proof = Evidence("test", "test", now, "Foreshock", title, None, title, -0.5, "")
    return Alert(
        id="test",
        fingerprint="test|company|test",
        kind=AlertKind.STORY,
        state=AlertState.FIRING,
        dimension=Dimension.COMPANY,
        key="test",
        event="test",
        severity=severity,
        title=title,
        started_at=now,
        updated_at=now,
        decided_at=now,
        items=1,
        publishers=1,
        details={"rule": "test"},
        evidence=(proof,),
    )
