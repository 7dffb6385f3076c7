"""The migrations make the schema of ``schema.py``, on both databases, and can be undone."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text

from monitor.errors import ConfigError
from monitor.store import Store, words
from monitor.store.database import parse_url
from monitor.store.migrate import alembic_config, upgrade
from monitor.store.revise import revise
from monitor.store.schema import metadata


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    engine = create_engine(parse_url(store_url))
    yield engine
    engine.dispose()


def tables(engine: Engine) -> set[str]:
    found = set(inspect(engine).get_table_names()) - {"alembic_version"}
    return {name for name in found if words.is_schema(name, "table")}


def test_a_migrated_database_is_the_schema(engine: Engine) -> None:
    newest = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert upgrade(engine) == (None, newest)
    assert upgrade(engine) == (newest, newest)
    with engine.connect() as connection:
        options = {
            "compare_type": True,
            "compare_server_default": True,
            "include_name": words.is_schema,
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_a_migrated_sqlite_file_is_the_schema_to_the_word(tmp_path: Path) -> None:
    """Also what Alembic does not compare: tables without row ids, constraint names."""

    def statements(engine: Engine) -> dict[str, list[str]]:
        query = text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        with engine.connect() as connection:
            rows = connection.execute(query).all()
        engine.dispose()
        return {
            name: sorted(re.findall(r"[^\s,()]+", sql))
            for name, sql in rows
            if "alembic" not in name and words.is_schema(name, "table")
        }

    migrated = create_engine(f"sqlite:///{tmp_path}/migrated.db")
    upgrade(migrated)
    created = create_engine(f"sqlite:///{tmp_path}/created.db")
    metadata.create_all(created)
    assert statements(migrated) == statements(created)


def test_every_migration_can_be_undone(engine: Engine) -> None:
    upgrade(engine)
    assert tables(engine) == set(metadata.tables)
    config = alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert tables(engine) == set() and words.TABLE not in inspect(engine).get_table_names()
    upgrade(engine)
    assert tables(engine) == set(metadata.tables)


def test_upgrading_twice_changes_nothing(store_url: str) -> None:
    Store(store_url).close()
    Store(store_url).close()


def test_processes_that_start_at_once_upgrade_once(store_url: str) -> None:
    code = f"from monitor.store import Store; Store({store_url!r}).close()"
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]


def test_a_database_of_a_newer_version_is_refused(engine: Engine, store_url: str) -> None:
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="schema 9999, which this version does not know"):
        Store(store_url)


def test_revise_writes_a_migration_only_for_a_change(tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(Path(str(alembic_config().get_main_option("script_location"))), folder)
    config = alembic_config()
    config.set_main_option("script_location", str(folder))
    assert revise("nothing", config) is None

    for script in (folder / "versions").glob("0*.py"):
        without = re.sub(r".*ix_mentions_article_id.*\n", "        pass\n", script.read_text())
        script.write_text(without)
    config = alembic_config()
    config.set_main_option("script_location", str(folder))
    path = revise("an index", config)
    assert path is not None
    assert path.name.endswith("_an_index.py")
    assert "ix_mentions_article_id" in path.read_text()
