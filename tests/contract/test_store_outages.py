"""What the store says when its database is away, busy, full or not to be written."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest

import monitor.store.database
from monitor.errors import ConfigError, StoreUnavailable
from monitor.store import Store, articles
from tests.support.make import classified
from tests.support.postgres import PostgresServer

PASSWORD = "hunter2"


def put(store: Store, name: str = "a") -> None:
    with store.write() as connection:
        articles.add(connection, [classified(name)])


# SQLite --------------------------------------------------------------------------------------------


def test_a_writer_waits_for_another(sqlite_store: Store) -> None:
    entered, release = threading.Event(), threading.Event()

    def hold() -> None:
        with sqlite_store.write() as connection:
            articles.add(connection, [classified("a")])
            entered.set()
            release.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait()
    threading.Timer(0.3, release.set).start()
    put(sqlite_store, "b")
    thread.join()
    assert articles.count(sqlite_store) == 2


def test_a_reader_does_not_wait_for_a_writer(sqlite_store: Store) -> None:
    put(sqlite_store)
    with sqlite_store.write() as connection:
        articles.add(connection, [classified("b")])
        assert articles.count(sqlite_store) == 1


def test_a_database_locked_for_too_long_is_an_outage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor.store.database, "BUSY_TIMEOUT_MS", 100)
    store = Store(f"sqlite:///{tmp_path}/store.db")
    blocker = sqlite3.connect(tmp_path / "store.db")
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match=r"store\.db does not answer: database is locked"):
        put(store)
    blocker.rollback()
    blocker.close()
    put(store)
    store.close()


def test_a_full_disk_is_an_outage_and_loses_nothing(sqlite_store: Store) -> None:
    put(sqlite_store)
    with sqlite_store.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 4}")
    with (
        pytest.raises(StoreUnavailable, match="database or disk is full"),
        sqlite_store.write() as connection,
    ):
        articles.add(connection, [classified(str(i), "x" * 1000) for i in range(100)])
    assert articles.count(sqlite_store) == 1


def test_a_path_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"store\.url: .*cannot be (written|made)") as caught:
        Store(f"sqlite:///{tmp_path}/file/store.db")
    assert "choose another path" in str(caught.value)


def test_a_folder_is_not_a_database(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        Store(f"sqlite:///{tmp_path}")


def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Dear diary, " * 1000)
    with pytest.raises(
        ConfigError, match=r"notes\.txt names a file that is not an SQLite database"
    ):
        Store(f"sqlite:///{path}")
    assert path.read_text() == "Dear diary, " * 1000


UNPRIVILEGED = """
import sys
from monitor.errors import ConfigError
from monitor.store import Store
try:
    Store(sys.argv[1])
except ConfigError as error:
    print(error)
    sys.exit(7)
"""


def test_a_file_without_the_right_to_write(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    Store(f"sqlite:///{path}").close()
    path.chmod(0o444)
    command = [sys.executable, "-c", UNPRIVILEGED, f"sqlite:///{path}"]
    if os.geteuid() == 0:
        # Root may write anything, unless it gives the right up.
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 7, done.stderr
    assert "store.db cannot be written (Permission denied)" in done.stdout


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "is not a database URL; write sqlite:///FILE or postgresql://USER@HOST/NAME"),
        ("mysql://localhost/x", "no support for 'mysql'"),
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
    ],
)
def test_a_url_we_do_not_serve(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Store(url)


# PostgreSQL ----------------------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_an_outage() -> None:
    with pytest.raises(StoreUnavailable, match="does not answer") as caught:
        Store(f"postgresql://someone:{PASSWORD}@127.0.0.1:1/x")
    assert PASSWORD not in str(caught.value)


def test_a_database_that_does_not_exist_is_a_setting_to_change(
    postgres_server: PostgresServer,
) -> None:
    with pytest.raises(ConfigError, match=r'database "nowhere" does not exist.*store\.url'):
        Store(postgres_server.url("nowhere"))


def test_a_password_from_a_file_is_read_at_every_connection(
    postgres_server: PostgresServer, postgres: str, tmp_path: Path
) -> None:
    """A server that asks one user for a password, which is then changed, on both sides."""
    rules = postgres_server.folder / "data" / "pg_hba.conf"
    rules.write_text(f"host all asked 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute("CREATE ROLE asked SUPERUSER LOGIN PASSWORD 'hunter2'")
        admin.execute("SELECT pg_reload_conf()")
        try:
            url = postgres.replace("postgres@", "asked@")
            store = Store(f"{url}?password_file={secret}")
            put(store, "a")
            assert PASSWORD not in store.name

            admin.execute("ALTER ROLE asked PASSWORD 'another'")
            store.engine.dispose()  # as when its connections end
            with pytest.raises(ConfigError, match="authentication failed"):
                put(store, "b")
            secret.write_text("another")
            put(store, "b")
            assert articles.count(store) == 2
            store.close()
        finally:
            admin.execute("REASSIGN OWNED BY asked TO postgres")
            admin.execute("DROP ROLE asked")


def test_a_password_file_that_is_not_there_is_a_setting_to_change(
    postgres: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"secret file .*gone: No such file"):
        Store(f"{postgres}?password_file={tmp_path / 'gone'}")


def test_a_restarted_server_is_an_outage_and_then_none(
    postgres_server: PostgresServer, postgres: str
) -> None:
    store = Store(postgres)
    put(store, "a")

    with pytest.raises(StoreUnavailable), store.write() as connection:
        articles.add(connection, [classified("b")])
        postgres_server.stop()
        articles.add(connection, [classified("c")])
    with pytest.raises(StoreUnavailable):
        articles.count(store)
    postgres_server.start()

    assert articles.count(store) == 1
    put(store, "b")
    assert articles.count(store) == 2
    store.close()
