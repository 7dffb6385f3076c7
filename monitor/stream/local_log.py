"""The file of the embedded log: its layout, how it is opened, and what its errors mean.

One SQLite file in WAL mode holds every stream. A partition is a *slot*, and a record's row id is
``slot * 2**40 + offset``: one B-tree, in which a partition's records lie together in offset order,
so a poll is one range scan and an append goes to the end of a range. An offset may reach 2**40 (a
thousand records a second for 34 years).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.errors import ConfigError, FatalError, ForeshockError, StreamUnavailable

OFFSET_BITS = 40

_APPLICATION_ID = 0x466F7265  # "Fore"
_VERSION = 1
_SCHEMA = """
CREATE TABLE partitions (
    slot INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    number INTEGER NOT NULL,
    first_offset INTEGER NOT NULL DEFAULT 0,
    end_offset INTEGER NOT NULL DEFAULT 0,
    UNIQUE (stream, number)
);
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    appended_at_ms INTEGER NOT NULL
);
CREATE TABLE groups (name TEXT PRIMARY KEY, changes INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE members (
    group_name TEXT NOT NULL,
    member TEXT NOT NULL,
    streams TEXT NOT NULL,
    renewed_at_ms INTEGER NOT NULL,
    lease_ms INTEGER NOT NULL,
    PRIMARY KEY (group_name, member)
) WITHOUT ROWID;
CREATE TABLE claims (
    group_name TEXT NOT NULL,
    slot INTEGER NOT NULL,
    member TEXT,
    epoch INTEGER NOT NULL,
    committed INTEGER NOT NULL,
    PRIMARY KEY (group_name, slot)
) WITHOUT ROWID;
CREATE TABLE flushes (id INTEGER PRIMARY KEY CHECK (id = 0), count INTEGER NOT NULL);
INSERT INTO flushes VALUES (0, 0);
"""

_ADVICE = {
    "SQLITE_BUSY": "another process holds it; look for a stuck process, or a backup of the file",
    "SQLITE_LOCKED": "another process holds it; look for a stuck process, or a backup of the file",
    "SQLITE_FULL": "the disk is full; free some space, work goes on by itself",
    "SQLITE_READONLY": "the file or its folder became read-only; make both writable again",
    "SQLITE_PERM": "the file or its folder became read-only; make both writable again",
    "SQLITE_CANTOPEN": "the file or its folder is gone or not readable; put it back",
    "SQLITE_IOERR": "the disk does not answer; check it and the kernel's log",
}
_BROKEN = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


def first_id(slot: int, offset: int) -> int:
    """The row id of a record.

    >>> first_id(1, 0), first_id(1, 5) - first_id(1, 0)
    (1099511627776, 5)
    """
    return (slot << OFFSET_BITS) + offset


@contextmanager
def outages(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, with the file's name and what to do about it."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explained(path, error) from error


def _explained(path: Path, error: sqlite3.Error) -> ForeshockError:
    name = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith(_BROKEN):
        return FatalError(
            f"the embedded log {path} is damaged ({error}): stop Foreshock, move the file away, and collect "
            "or replay again (the database keeps what was already stored)"
        )
    advice = next((text for code, text in _ADVICE.items() if name.startswith(code)), "try again")
    return StreamUnavailable(f"the embedded log {path} cannot be used ({error}): {advice}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock; commit on the way out, or roll back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def connect(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Open a connection to a log that exists; for one thread at a time."""
    connection = sqlite3.connect(
        path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
    )
    try:
        # NORMAL does not fsync on commit; the writer's flush does (see LocalWriter.flush).
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        connection.execute("PRAGMA journal_size_limit = 67108864")
    except BaseException:
        connection.close()
        raise
    return connection


def open_log(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Open the log, making the file, its folder and its tables where they are missing.

    Raises
    ------
    ConfigError
        The file cannot be made or written, or is something else.
    StreamUnavailable
        It is locked, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = connect(path, busy_timeout_s)
    except OSError as error:
        raise ConfigError(f"cannot make the folder of the embedded log {path}: {error}") from error
    except sqlite3.Error as error:
        raise _refused(path, error) from error
    try:
        _become_wal(connection, busy_timeout_s)
        with transaction(connection):
            _make_tables(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise _refused(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _refused(path: Path, error: sqlite3.Error) -> ForeshockError:
    name = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith("SQLITE_NOTADB"):
        return ConfigError(
            f"{path} is not an embedded log (nor any SQLite file): name another file"
        )
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")):
        return ConfigError(
            f"cannot write the embedded log {path} ({error}): the file and its folder must be writable; "
            "name another file or change their owner"
        )
    return _explained(path, error)


def _become_wal(connection: sqlite3.Connection, busy_timeout_s: float) -> None:
    # Two processes that open a new file together: SQLite does not wait for this lock by itself.
    deadline = time.monotonic() + busy_timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _make_tables(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application == _APPLICATION_ID:
        if version != _VERSION:
            raise ConfigError(
                f"the embedded log {path} has layout {version}, this Foreshock writes {_VERSION}: "
                "use the Foreshock that made it, or name another file"
            )
        return
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
        raise ConfigError(
            f"{path} is an SQLite file of something else: name another file for the log"
        )
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")
