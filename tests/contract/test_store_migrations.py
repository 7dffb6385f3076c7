"""The migrations make the schema of ``schema.py``, on both databases, and can be undone."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text

from monitor.domain import from_micros
from monitor.errors import ConfigError
from monitor.store import Store, words
from monitor.store.database import parse_url
from monitor.store.migrate import alembic_config, upgrade
from monitor.store.revise import revise
from monitor.store.schema import metadata
from monitor.store.weights import of_text


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


def test_keys_by_time_keep_every_row_and_turn_reports_around(engine: Engine) -> None:
    hash_, day_us = "0123456789abcdef", 86_400_000_000
    upgrade(engine, "0022")
    filling = (
        "INSERT INTO articles VALUES (:id, :revision, :current, 's', 'p', NULL, 'Profit falls', '', "
        "'en', :at, :at, :at, 'ok', 'Earnings', 0.9, 'negative', 0.8, -0.5, '[]', 'm', 'b', "
        "'topic', 3, 'Ann')",
        "INSERT INTO mentions VALUES ('acme', :at, :id, :revision, 'Acme', 'title', 0, 4, "
        "'negative', -0.5, 'title')",
    )
    weighing = (
        'INSERT INTO weights VALUES (:id, :report, :at, 1000, \'{"acme": [null, ["book"]]}\')'
    )
    rows: list[dict[str, Any]] = [
        {
            "id": f"{id_:032x}",
            "revision": f"{n:016x}",
            "current": bool(n),
            "at": id_ % 3 * day_us + n,
        }
        for id_ in range(7)
        for n in range(2)
    ]
    with engine.begin() as connection:
        for statement in filling:
            connection.execute(text(statement), rows)
        reports = [row | {"report": f"{hash_}1970010{row['at'] // day_us + 1}"} for row in rows]
        connection.execute(text(weighing), [row for row in reports if row["current"]])
    tables_ = ("articles", "mentions", "weights")

    def stored() -> dict[str, list[dict[str, Any]]]:
        with engine.connect() as connection:
            found = {
                name: [
                    dict(r) for r in connection.execute(text(f"SELECT * FROM {name}")).mappings()
                ]
                for name in tables_
            }
        return {
            name: sorted(found[name], key=lambda row: str(sorted(row.items()))) for name in found
        }

    before = stored()
    upgrade(engine)
    after = stored()
    assert [len(after[name]) for name in tables_] == [14, 14, 7]
    assert [after[name] for name in tables_[:2]] == [before[name] for name in tables_[:2]]
    assert {row["article_id"]: row["report"] for row in after["weights"]} == {
        row["id"]: f"1970010{row['at'] // day_us + 1}{hash_}" for row in rows if row["current"]
    }
    with engine.connect() as connection:
        earlier = of_text(connection, hash_, from_micros(2 * day_us))
    assert earlier == [f"{id_:032x}" for id_ in (0, 3, 6, 1, 4)]

    config = alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0022")
    assert stored() == before


def test_buckets_by_time_are_the_same_rows(engine: Engine) -> None:
    upgrade(engine, "0023")
    hour_us = 3_600_000_000
    rows = [
        {"key": key, "at": at * hour_us, "n": at + 1} for key in ("b", "a") for at in (7, 2, 5, 3)
    ]
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO buckets VALUES ('hour', 'topic', :key, :at, :n, 1, 0, 0, 9, 8, 7, 6, 5)"
            ),
            rows,
        )
        for publisher in ("p", "q"):
            insert = f"INSERT INTO publishers VALUES ('topic', :key, :at, '{publisher}', :n)"
            connection.execute(text(insert), rows)

    def stored() -> list[list[dict[str, Any]]]:
        with engine.connect() as connection:
            found = [
                [dict(row) for row in connection.execute(text(f"SELECT * FROM {name}")).mappings()]
                for name in ("buckets", "publishers")
            ]
        return [sorted(each, key=lambda row: str(sorted(row.items()))) for each in found]

    before = stored()
    upgrade(engine)
    assert [len(each) for each in stored()] == [8, 16]
    assert stored() == before
    config = alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0023")
    assert stored() == before


def test_publishers_are_copied_in_parts_that_hold_every_hour_once() -> None:
    found = ScriptDirectory.from_config(alembic_config()).get_revision("0024")
    assert found is not None
    parts = list(found.module.parts_of([(1, 4), (2, 3), (5, 9), (6, 1), (7, 1)], 8))
    assert len(parts) == 3
    with sqlite3.connect(":memory:") as file:
        file.execute("CREATE TABLE publishers_before (hour_us, dimension, key, publisher)")
        file.executemany(
            "INSERT INTO publishers_before (hour_us) VALUES (?)", [(7,), (2,), (1,), (6,), (5,)]
        )
        hours = [[row[0] for row in file.execute(f"SELECT * FROM {part}")] for part in parts]
    assert hours == [[1, 2], [5], [6, 7]]


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
        without = re.sub(r".*ix_alert_events_alert_id.*\n", "        pass\n", script.read_text())
        script.write_text(without)
    config = alembic_config()
    config.set_main_option("script_location", str(folder))
    path = revise("an index", config)
    assert path is not None
    assert path.name.endswith("_an_index.py")
    assert "ix_alert_events_alert_id" in path.read_text()
