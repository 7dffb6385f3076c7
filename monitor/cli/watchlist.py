"""``watchlist``: whom Foreshock watches, and what a new file would change."""

from __future__ import annotations

import dataclasses
import json
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import ConfigOption, DbOption, JsonOption, settings_of, told

if TYPE_CHECKING:
    from monitor.domain import Company
    from monitor.settings import Settings

watchlist_app = typer.Typer(
    name="watchlist", help="Whom we watch: list, check, load.", no_args_is_help=True
)

_FileArgument = Annotated[
    Path, typer.Argument(help="CSV of companies: name, optional aliases, ticker, ric, ...")
]


@watchlist_app.command("list")
def list_(config: ConfigOption = None, db: DbOption = None, as_json: JsonOption = False) -> None:
    """List the companies in use, and how many stored articles have yet to be searched for them."""
    with told():
        from monitor.store import Store, amend, companies
        from monitor.store.clock import time_of

        settings = settings_of(config, db)
        days = settings.watchlist.read_again_days
        with closing(Store(settings.store.url)) as store, store.read() as connection:
            watched = companies.watched(connection)
            since = companies.since(connection)
            waiting = amend.count_of_earlier_watchlists(
                connection, watched.number, time_of(store) - timedelta(days=days)
            )
    if as_json:
        found = {
            "number": watched.number,
            "since": None if since is None else since.isoformat(),
            "articles_to_read_again": waiting,
            "companies": [dataclasses.asdict(company) for company in watched.companies],
        }
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    if since is None:
        typer.echo(
            "no watchlist yet: name one in watchlist.path, or `foreshock watchlist load FILE`"
        )
        return
    typer.echo(
        f"watchlist {watched.number} of {since:%Y-%m-%d %H:%M} UTC, {len(watched.companies)} companies"
    )
    if waiting:
        typer.echo(
            f"{waiting:,} articles of the last {days:g} days are yet to be searched for them"
        )
    for company in watched.companies:
        typer.echo(_line(company))


@watchlist_app.command()
def check(
    file: _FileArgument,
    config: ConfigOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a watchlist, rules and relations with it, and say what it would change; nothing is written."""
    with told():
        from monitor.store import Store, companies

        settings = settings_of(config, db)
        new, warnings = _read(file, settings)
        with closing(Store(settings.store.url)) as store:
            old = companies.load(store)
    before, after = ({company.id: company for company in each} for each in (old, new))
    added = [company for id_, company in after.items() if id_ not in before]
    removed = [company for id_, company in before.items() if id_ not in after]
    changed = [
        company for id_, company in after.items() if id_ in before and before[id_] != company
    ]
    if as_json:
        found = {
            "companies": len(new),
            "warnings": list(warnings),
            "added": [company.id for company in added],
            "removed": [company.id for company in removed],
            "changed": [company.id for company in changed],
        }
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    for warning in warnings:
        typer.echo(f"warning: {warning}")
    for mark, several in (("+", added), ("-", removed), ("~", changed)):
        for company in several:
            typer.echo(f"{mark} {_line(company)}")
    typer.echo(
        f"{file} is fine: {len(new)} companies, {len(added)} new, {len(removed)} gone, "
        f"{len(changed)} changed"
    )


@watchlist_app.command()
def load(file: _FileArgument, config: ConfigOption = None, db: DbOption = None) -> None:
    """Make a file the watchlist of every process that is not told of a file of its own.

    They take it within seconds, without a restart.
    """
    with told():
        from monitor.errors import ConfigError
        from monitor.store import Store, companies
        from monitor.store.clock import time_of

        settings = settings_of(config, db)
        if settings.watchlist.path is not None:
            raise ConfigError(
                f"watchlist.path names {settings.watchlist.path}, which is followed: change that file, "
                "or take the setting out"
            )
        new, warnings = _read(file, settings)
        with closing(Store(settings.store.url)) as store, store.write() as connection:
            watched = companies.replace(connection, new, time_of(store))
    for warning in warnings:
        typer.echo(f"warning: {warning}")
    typer.echo(f"watchlist {watched.number}: {len(watched.companies)} companies")


def _read(file: Path, settings: Settings) -> tuple[tuple[Company, ...], tuple[str, ...]]:
    """Return what a file says, once everything that speaks of its companies fits it."""
    from monitor.entities.watchlist import load_watchlist
    from monitor.service import rules_of

    watchlist = load_watchlist(file)
    rules_of(settings, watchlist.companies)
    return watchlist.companies, watchlist.warnings


def _line(company: Company) -> str:
    more = [*company.groups, *(each for each in (company.sector, company.country) if each)]
    return company.name + (f" ({', '.join(more)})" if more else "")
