"""Open the database, and hand out transactions.

SQLite is told to do what SQLAlchemy's defaults do not: every write transaction begins ``IMMEDIATE``, so that
two threads cannot both read, then both write, and one update be lost.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from monitor.clock import WallClock
from monitor.errors import ConfigError, StoreUnavailable
from monitor.secret import secret_text
from monitor.store.migrate import upgrade

BUSY_TIMEOUT_MS = 30_000
# Pages out of turn cost little on what databases lie on today (the default, 4, is a spinning disk's). While a
# table is new and grows, plans made for a few rows stay in use until it is analysed: those by an index.
_OPTIONS = "-c statement_timeout=60000 -c random_page_cost=1.1"
# What PostgreSQL says at the door when waiting will not help.
_REFUSED = re.compile(
    r'authentication failed|no password supplied|(database|role) ".*" does not exist'
)


class Store:
    """One database: an embedded SQLite file (WAL) or PostgreSQL.

    Parameters
    ----------
    url
        SQLAlchemy URL: ``sqlite:///foreshock.db`` or ``postgresql+psycopg://user@host/name``.

    Raises
    ------
    ConfigError
        The URL is not understood, the file cannot be written, or the driver is not installed.
    StoreUnavailable
        The server does not answer.
    """

    def __init__(self, url: str) -> None:
        self.url = parse_url(url)
        self.clock: WallClock | None = None  # made by `monitor.store.clock.time_of`
        self.engine = _sqlite_engine(self.url) if self.is_sqlite else _server_engine(self.url)
        try:
            with _translated(self):
                self.schema_was, self.schema = upgrade(self.engine)
        except BaseException:
            self.engine.dispose()
            raise

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def name(self) -> str:
        """The URL without its password, for people."""
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Run a block in one read-write transaction; all of it is committed, or none."""
        with _translated(self), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run a block on one consistent snapshot."""
        with _translated(self), self.engine.connect() as connection:
            if self.is_sqlite:
                connection = connection.execution_options(foreshock_read_only=True)
            else:
                connection = connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            with connection.begin():
                yield connection

    def maintain(self) -> None:
        """Do the upkeep that an SQLite file needs: planner statistics, and an empty write-ahead log.

        One process at a time does this. PostgreSQL does its own.
        """
        if self.is_sqlite:
            with _translated(self), self.engine.connect() as connection:
                driver = connection.connection.driver_connection
                driver.execute("PRAGMA optimize").close()  # type: ignore[union-attr]
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()  # type: ignore[union-attr]

    def close(self) -> None:
        self.engine.dispose()


def parse_url(text: str) -> URL:
    """Return a URL of one of the two databases we serve.

    Examples
    --------
    >>> parse_url("postgresql://localhost/foreshock").drivername
    'postgresql+psycopg'
    """
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigError(
            f"store.url: {text!r} is not a database URL; write sqlite:///FILE or "
            "postgresql://USER@HOST/NAME"
        ) from None
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "postgresql+psycopg"):
        raise ConfigError(f"store.url: no support for {url.drivername!r}; use sqlite or postgresql")
    if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
        raise ConfigError("store.url: name a file, as in sqlite:///foreshock.db")
    return url


def _sqlite_engine(url: URL) -> Engine:
    path = Path(str(url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab"):
            pass
    except OSError as error:
        raise ConfigError(
            f"store.url: the database {path} cannot be written ({error.strerror}); "
            "choose another path or give this user the right to write there"
        ) from None
    engine = create_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "isolation_level": None}
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA cache_size=-16384")
        cursor.execute("PRAGMA mmap_size=268435456")
        cursor.execute("PRAGMA temp_store=MEMORY")
        # Pages written again and again meanwhile go to the file once: 128 MB of log instead of 4.
        cursor.execute("PRAGMA wal_autocheckpoint=16000")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get("foreshock_read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _server_engine(url: URL) -> Engine:
    """Return an engine for PostgreSQL.

    ``password_file`` in the URL's query is ours: libpq takes a password only from a file that nobody else may
    read, which a secret mounted for a group is not.
    """
    named = url.query.get("password_file")
    try:
        engine = create_engine(
            url.difference_update_query(["password_file"]),
            pool_pre_ping=True,
            pool_size=10,
            connect_args={"connect_timeout": 10, "options": _OPTIONS},
        )
    except (ModuleNotFoundError, NoSuchModuleError):
        raise ConfigError(
            "store.url: PostgreSQL needs its driver; install foreshock[postgres]"
        ) from None
    if named is not None:
        path = named if isinstance(named, str) else named[-1]

        @event.listens_for(engine, "do_connect")
        def authenticate(
            _dialect: Any, _record: Any, _arguments: Any, given: dict[str, Any]
        ) -> None:
            # At every connection: a password that was changed needs no restart.
            given["password"] = secret_text(SecretStr(f"file:{path}"))

    return engine


@contextmanager
def _translated(store: Store) -> Iterator[None]:
    """Say an outage of the database in our own words, so that callers can wait it out."""
    try:
        yield
    except OperationalError as error:
        text = str(error.orig).strip()
        if "readonly" in text or "unable to open" in text:
            raise ConfigError(
                f"the database {store.name} cannot be written ({text}); check its path and rights"
            ) from error
        if _REFUSED.search(text):
            raise ConfigError(
                f"the database {store.name} refused us ({text}); check user, password and name in "
                "store.url"
            ) from error
        raise StoreUnavailable(f"the database {store.name} does not answer: {text}") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StoreUnavailable(f"the database {store.name} closed the connection") from error
        if "file is not a database" in str(error.orig):
            raise ConfigError(
                f"store.url: {store.name} names a file that is not an SQLite database; name another file"
            ) from error
        raise
