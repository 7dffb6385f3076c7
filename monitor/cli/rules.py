"""``rules``: check a rules file, list the rules in use, try rules on the stored history."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.options import (
    ConfigOption,
    DbOption,
    JsonOption,
    WatchlistOption,
    settings_of,
    told,
)

if TYPE_CHECKING:
    from monitor.alert.ruleset import RuleSet
    from monitor.backtest.rehearse import Rehearsal
    from monitor.domain import Alert, Company
    from monitor.settings import Settings

rules_app = typer.Typer(
    name="rules", help="Alert rules: check, list, try on the past.", no_args_is_help=True
)

_FileArgument = Annotated[Path, typer.Argument(help="A YAML file, or a folder of them.")]


@rules_app.command()
def check(
    file: _FileArgument,
    config: ConfigOption = None,
    watchlist: WatchlistOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a rules file as the alert stage would, and name every mistake with its line.

    Companies, groups and relations are looked up in the watchlist of the settings. Exit status 2 when
    anything is wrong.
    """
    with told():
        settings = settings_of(config, watchlist=watchlist)
        rules = _load(settings, _watched(settings), file)
    _print_rules(rules, as_json)
    if not as_json:
        typer.echo(f"{file}: in order")


@rules_app.command("list")
def list_rules(
    config: ConfigOption = None, watchlist: WatchlistOption = None, as_json: JsonOption = False
) -> None:
    """List the rules that the settings name, with their kind and what they are about."""
    with told():
        settings = settings_of(config, watchlist=watchlist)
        rules = _load(settings, _watched(settings), settings.alert.rules)
    _print_rules(rules, as_json)


@rules_app.command("test")
def try_rules(
    file: _FileArgument,
    start: Annotated[
        str | None,
        typer.Option("--from", help="Date or time (UTC); by default a week before --to."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Date or time (UTC); by default the newest news.")
    ] = None,
    config: ConfigOption = None,
    db: DbOption = None,
    watchlist: WatchlistOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run rules over the stored articles, and show what would have fired beside what did fire.

    The real stages do it, over a store that is thrown away; the store that is read stays as it is. What the
    model said when an article came is taken as it was.
    """
    with told():
        from monitor.backtest.rehearse import rehearse, span_of
        from monitor.cli.progress import progress_of
        from monitor.logs import set_up
        from monitor.store import Store, companies

        set_up("warning", "text")
        settings = settings_of(config, db, watchlist=watchlist)
        store = Store(settings.store.url)
        try:
            known = _watched(settings) if settings.watchlist.path else companies.load(store)
            rules = _load(settings, known, file)
            span = span_of(store, _moment(start, "--from"), _moment(end, "--to"))
            with progress_of("articles") as watch:
                found = rehearse(store, known, rules, settings, *span, watch)
        finally:
            store.close()
    names = {company.id: company.name for company in known}
    typer.echo(_as_json(found) if as_json else _as_text(found, names))


def _watched(settings: Settings) -> tuple[Company, ...]:
    from monitor.entities.watchlist import load_watchlist

    path = settings.watchlist.path
    return () if path is None else load_watchlist(path).companies


def _load(settings: Settings, companies: tuple[Company, ...], path: Path | None) -> RuleSet:
    from monitor.alert.rulebind import load_rules
    from monitor.service import world_of

    return load_rules(path, world_of(settings, companies))


def _print_rules(rules: RuleSet, as_json: bool) -> None:
    rows: dict[str, dict[str, Any]] = {}
    for rule in rules:
        kind = type(rule).__name__.removesuffix("Rule").lower()
        rows.setdefault(
            rule.name, {"name": rule.name, "kind": kind, "description": rule.description}
        )
    if as_json:
        typer.echo(json.dumps({"hash": rules.hash, "rules": list(rows.values())}, indent=1))
        return
    width = max((len(name) for name in rows), default=0)
    for row in rows.values():
        typer.echo(f"{row['name']:{width}}  {row['kind']:8}  {row['description']}")


def _moment(text: str | None, option: str) -> datetime | None:
    from datetime import UTC

    from monitor.errors import ConfigError

    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{option} {text}: write a date or time, as in 2026-01-05 or 2026-01-05T09:30"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _as_text(found: Rehearsal, names: dict[str, str]) -> str:
    from monitor.alert.show import as_text

    def block(title: str, alerts: tuple[Alert, ...]) -> str:
        return f"{title}\n\n{as_text(alerts, names)}" if alerts else ""

    parts = [
        f"{found.start:%Y-%m-%d %H:%M} to {found.end:%Y-%m-%d %H:%M} UTC, "
        f"{found.articles:,} articles read (with the history before)",
        block("Only by these rules:", found.only_rules),
        block("Fired, and not by these rules:", found.only_fired),
        f"by these rules {len(found.would_fire)}, fired {len(found.fired)}, "
        f"of both {len(found.same)}",
    ]
    return "\n\n".join(part for part in parts if part)


def _as_json(found: Rehearsal) -> str:
    from monitor.alert.show import as_json

    return json.dumps(
        {
            "from": found.start.isoformat(),
            "to": found.end.isoformat(),
            "articles": found.articles,
            "would_fire": json.loads(as_json(found.would_fire)),
            "fired": json.loads(as_json(found.fired)),
            "same": [[would.id, did.id] for would, did in found.same],
        },
        ensure_ascii=False,
        indent=1,
    )
