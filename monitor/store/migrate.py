"""Bring a database to the newest schema, with Alembic, which is loaded where there is something to bring."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from monitor.errors import ConfigError

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(
    engine: Engine, revision: str = "head", config: Config | None = None
) -> tuple[str | None, str | None]:
    """Upgrade to ``revision``; nothing happens when the database is there already.

    Parameters
    ----------
    config
        Where the migrations are: those of this package unless given.

    Returns
    -------
    tuple
        The schema before and after; ``None``: an empty database.

    Raises
    ------
    ConfigError
        The database was written by a newer Foreshock.
    """
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # two processes may start at once
            connection.execute(text("SELECT pg_advisory_xact_lock(7305)"))
        current = _revision(connection)
        if config is None and revision == "head" and current == _newest():
            return current, current
        return current, _upgrade(connection, current, revision, config or alembic_config())


def is_known(revision: str) -> bool:
    """Say whether a schema is one of this version's, the newest or one that it can upgrade from."""
    return _knows(alembic_config(), revision)


def alembic_config() -> Config:
    """Return Alembic's configuration for the migrations shipped in this package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def _upgrade(
    connection: Connection, current: str | None, revision: str, config: Config
) -> str | None:
    from alembic import command

    if current is not None and not _knows(config, current):
        raise ConfigError(
            f"the database has schema {current}, which this version does not know; "
            "install the Foreshock that wrote it, or a newer one"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    return _revision(connection)


def _knows(config: Config, revision: str) -> bool:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(config)
    return revision in {script.revision for script in scripts.walk_revisions()}


def _revision(connection: Connection) -> str | None:
    """Return the schema of a database, as Alembic notes it down; ``None``: it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _newest() -> str:
    """Return this version's schema: the files of migrations begin with their numbers."""
    return max(file.name for file in (_MIGRATIONS / "versions").glob("[0-9]*_*.py")).partition("_")[
        0
    ]
