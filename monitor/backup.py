"""Copies of the embedded store and log, made while Foreshock runs, and put back.

What makes the two files fit is the order of things in `monitor.pipeline`: effects are committed to the store
before outputs are appended to the log, and offsets last. While a copy is made nobody can append or commit
offsets (writers wait, as in an outage), so the store's copy may be ahead of the log's, never behind: what is
processed again after a restore has no second effect, and nothing is missing.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from monitor.errors import ConfigError, StoreUnavailable
from monitor.store.migrate import is_known

STORE, LOG, ABOUT = "store.db", "streams.db", "backup.json"
PAGES = 4_096  # copied at a time
WAIT_S = 30.0

Watch = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup says of itself; sizes in bytes."""

    made_at: str  # ISO 8601
    schema: str  # revision of the store
    store_bytes: int
    log_bytes: int


def back_up(
    store: Path, log: Path, folder: Path, now: datetime, watch: Watch = lambda done, total: None
) -> Backup:
    """Copy store and log into a new folder.

    Parameters
    ----------
    watch
        Told how many pages of a file are done, and how many there are.

    Raises
    ------
    ConfigError
        There is nothing to copy, or the folder is not empty.
    StoreUnavailable
        A file stays locked.
    """
    for path, setting in ((store, "store.url"), (log, "stream.path")):
        if not path.is_file():
            raise ConfigError(f"{path}: nothing there to back up; see {setting}")
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder}: not empty; name a new folder for each backup")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with closing(sqlite3.connect(log, timeout=WAIT_S, isolation_level=None)) as held:
            # Locked for writing, not for reading: the copies are made by connections of their own.
            held.execute("BEGIN IMMEDIATE")
            try:
                _copy(log, folder / LOG, watch)
                _copy(store, folder / STORE, watch)
            finally:
                held.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(f"backup: {error}") from error
    about = Backup(
        now.isoformat(),
        _sound(folder / STORE),
        (folder / STORE).stat().st_size,
        (folder / LOG).stat().st_size,
    )
    (folder / ABOUT).write_text(json.dumps(asdict(about), indent=1) + "\n", "utf-8")
    return about


def restore(folder: Path, store: Path, log: Path, force: bool = False) -> Backup:
    """Put a backup's files in their places.

    Raises
    ------
    ConfigError
        It is no whole backup, or there are files already and ``force`` is not given.
    """
    try:
        about = Backup(**json.loads((folder / ABOUT).read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{folder}: no whole backup ({ABOUT}: {error})") from error
    schema = _sound(folder / STORE)
    if not is_known(schema):
        raise ConfigError(
            f"{folder}: schema {schema}, which this version does not know; restore it with the Foreshock "
            "that made it, or a newer one"
        )
    _sound(folder / LOG)
    there = [str(path) for path in (store, log) if path.exists()]
    if there and not force:
        raise ConfigError(
            f"{', '.join(there)}: there already; stop Foreshock and move it away, or say --force"
        )
    for source, target in ((folder / LOG, log), (folder / STORE, store)):
        target.parent.mkdir(parents=True, exist_ok=True)
        for suffix in ("-wal", "-shm"):  # of the file that is replaced
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        beside = target.with_name(target.name + ".restoring")
        shutil.copyfile(source, beside)
        beside.replace(target)
    return about


def _copy(source: Path, target: Path, watch: Watch) -> None:
    def tell(status: int, remaining: int, total: int) -> None:
        watch(total - remaining, total)

    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=WAIT_S)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        # In one read transaction: a copy in steps begins again whenever somebody writes.
        old.execute("BEGIN")
        old.execute("SELECT count(*) FROM sqlite_master").fetchone()
        old.backup(new, pages=PAGES, progress=tell)
        new.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it


def _sound(path: Path) -> str:
    """Check a file from end to end; return its schema revision, where it has one."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            found = connection.execute("PRAGMA integrity_check").fetchone()[0]
            if found != "ok":
                raise ConfigError(f"{path}: damaged: {found}")
            named = connection.execute(
                "SELECT name FROM sqlite_master WHERE name = 'alembic_version'"
            ).fetchone()
            if named is None:
                return ""
            return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
    except sqlite3.DatabaseError as error:
        raise ConfigError(f"{path}: not a whole database file ({error})") from error
