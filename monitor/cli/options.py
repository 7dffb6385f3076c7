"""Options that several commands share, and how they become settings."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from monitor.domain import Alert
    from monitor.settings import Settings
    from monitor.store import Store

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; default foreshock.toml, where there is one."),
]
DbOption = Annotated[
    str | None,
    typer.Option("--db", help="Database: sqlite:///FILE or postgresql://USER@HOST/NAME."),
]
KafkaOption = Annotated[
    str | None,
    typer.Option("--kafka", help="Stream through this Kafka (HOST:PORT), not the embedded log."),
]
WatchlistOption = Annotated[
    Path | None,
    typer.Option("--watchlist", help="CSV of companies: name, optional aliases, ticker, ric, ..."),
]
ByOption = Annotated[str | None, typer.Option(help="Who does it; the login name by default.")]
CommentOption = Annotated[str, typer.Option(help="Why, for others.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
StagesOption = Annotated[
    str | None,
    typer.Option("--stages", help="Only these, separated by commas: collect, classify, ..."),
]


def company_id(names: Mapping[str, str], company: str) -> str:
    """Return the id of a company that a person named by its name or id; ``names`` is by id.

    Raises
    ------
    ConfigError
        It is not on the watchlist.
    """
    from monitor.errors import ConfigError

    wanted = company.casefold()
    found = next((id_ for id_, name in names.items() if wanted in (id_, name.casefold())), None)
    if found is None:
        raise ConfigError(f"--company {company}: not on the watchlist of this database")
    return found


def alert_named(store: Store, beginning: str) -> Alert:
    """Return the alert that ``--alert`` names by its id or the beginning.

    Raises
    ------
    ConfigError
        None or several begin with that.
    """
    from monitor.errors import ConfigError
    from monitor.store import alerts

    with store.read() as connection:
        matches = alerts.beginning_with(connection, beginning)
        found = alerts.get(connection, matches[0]) if len(matches) == 1 else None
    if found is None:
        raise ConfigError(f"--alert {beginning}: {len(matches)} alerts begin with that")
    return found


def name_of(by: str | None) -> str:
    """Return who does something: who ``--by`` says, else the login name."""
    return by or getpass.getuser()


@contextmanager
def told() -> Iterator[None]:
    """What a person can mend as one line on standard error, exit status 2."""
    from models.errors import ModelError
    from monitor.errors import ConfigError

    try:
        yield
    except (ConfigError, ModelError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error


def settings_of(
    config: Path | None = None,
    db: str | None = None,
    kafka: str | None = None,
    watchlist: Path | None = None,
    **more: dict[str, Any],
) -> Settings:
    """Return the settings of file and environment, with what the command line says on top."""
    from monitor.settings import load_settings

    overrides: dict[str, dict[str, Any]] = dict(more)
    if db is not None:
        overrides["store"] = {"url": db}
    if kafka is not None:
        stream = overrides.get("stream", {})
        overrides["stream"] = {
            **stream,
            "kind": "kafka",
            "kafka": {
                **stream.get("kafka", {}),
                "bootstrap_servers": kafka.removeprefix("kafka://"),
            },
        }
    if watchlist is not None:
        overrides["watchlist"] = {"path": watchlist}
    return load_settings(config, overrides)


def stages_of(text: str | None, default: tuple[str, ...]) -> tuple[str, ...]:
    """Return the stages a person asked for."""
    if text is None:
        return default
    return tuple(name.strip() for name in text.split(",") if name.strip())
