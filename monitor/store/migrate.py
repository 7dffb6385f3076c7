"""Bring a database to the newest schema, with Alembic."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from monitor.errors import ConfigError


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
    config = config or alembic_config()
    scripts = ScriptDirectory.from_config(config)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # two processes may start at once
            connection.execute(text("SELECT pg_advisory_xact_lock(7305)"))
        current = MigrationContext.configure(connection).get_current_revision()
        if current == scripts.get_current_head() and revision == "head":
            return current, current
        if current is not None and current not in {s.revision for s in scripts.walk_revisions()}:
            raise ConfigError(
                f"the database has schema {current}, which this version does not know; "
                "install the Foreshock that wrote it, or a newer one"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        return current, MigrationContext.configure(connection).get_current_revision()


def is_known(revision: str) -> bool:
    """Say whether a schema is one of this version's, the newest or one that it can upgrade from."""
    scripts = ScriptDirectory.from_config(alembic_config())
    return revision in {script.revision for script in scripts.walk_revisions()}


def alembic_config() -> Config:
    """Return Alembic's configuration for the migrations shipped in this package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    return config
