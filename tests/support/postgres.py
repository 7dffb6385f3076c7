"""A real PostgreSQL server for tests, one per session, with a database of its own for each test.

Runs the binaries that ``pg_config --bindir`` names, as the user ``postgres`` where the tests run as root (the
server refuses to be root). Without them tests skip, except in CI, where that is a failure.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.support.program import cannot, free_port

START_S = 60.0
# A test database need not survive a power cut.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


# One that is killed has to keep what it has committed; the machine lives on.
SAFE = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "64MB", "min_wal_size": "32MB"}


class PostgresServer:
    """One server on a free port of 127.0.0.1, with its files in a temporary folder (inside ``parent``)."""

    def __init__(
        self, bindir: Path, settings: Mapping[str, str] = FAST, parent: Path | None = None
    ) -> None:
        self.bindir = bindir
        self._settings = settings
        self.folder = Path(tempfile.mkdtemp(prefix="foreshock-postgres-", dir=parent))
        self.port = free_port()
        self._user = _unprivileged_user()
        if self._user:
            shutil.chown(self.folder, self._user)
        self._log = self.folder / "server.log"
        self._process: subprocess.Popen[Any] | None = None
        self._numbers = itertools.count(1)
        command: list[str | Path] = [bindir / "initdb", "-D", self.folder / "data", "-A", "trust"]
        command += ["-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync"]
        subprocess.run(command, check=True, capture_output=True, **self._as_user())

    def start(self) -> None:
        """Start it, or start it again, and wait until it answers."""
        command: list[str | Path] = [self.bindir / "postgres", "-D", self.folder / "data"]
        command += ["-p", str(self.port), "-h", "127.0.0.1", "-k", str(self.folder)]
        command += [f"-c{name}={value}" for name, value in self._settings.items()]
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_user(),
            )
        self._process = process
        deadline = time.monotonic() + START_S
        ready: list[str | Path] = [
            self.bindir / "pg_isready",
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
        ]
        while subprocess.run(ready, check=False).returncode != 0:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Shut down at once: open connections are closed, as in a fail-over."""
        if self._process is not None:
            self._process.send_signal(2)  # SIGINT is PostgreSQL's "fast shutdown"
            self._process.wait(timeout=30)
            self._process = None

    def kill(self) -> None:
        """Kill -9, with all that it has started; what it has committed is in its log."""
        if self._process is not None:
            self._signal(self.processes(), signal.SIGKILL)
            self._process.wait(timeout=30)
            self._process = None

    def freeze(self) -> None:
        """Stop it and all that it has started, their connections open."""
        self._signal(self.processes(), signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(reversed(self.processes()), signal.SIGCONT)

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def processes(self) -> list[int]:
        """Return the server's process id, then those of what it has started."""
        if self._process is None or not self.running():
            return []
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    @staticmethod
    def _signal(pids: Iterable[int], number: signal.Signals) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(pid, number)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def create_database(self, template: str = "template1") -> str:
        """Make a database and return its URL."""
        name = f"test_{next(self._numbers)}"
        self._sql(f'CREATE DATABASE {name} TEMPLATE "{template}"')
        return self.url(name)

    def drop_database(self, url: str) -> None:
        self._sql(f"DROP DATABASE {url.rsplit('/', 1)[1]} WITH (FORCE)")

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def _sql(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        group = pwd.getpwnam(self._user).pw_gid
        return {"user": self._user, "group": group, "extra_groups": [], "cwd": self.folder}


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's server; a test that stops it starts it again."""
    server = PostgresServer(find_bindir())
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database of this test's own."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


def find_bindir() -> Path:
    """Return where the server's programs are; skip the test where they are not, in CI fail."""
    command = shutil.which("pg_config")
    if command is not None:
        found = subprocess.run([command, "--bindir"], capture_output=True, text=True, check=True)
        folder = Path(found.stdout.strip())
        if (folder / "initdb").exists():
            return folder
    # Debian keeps the server's binaries off the PATH.
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    _cannot("no initdb: install PostgreSQL (Debian: postgresql)")


def _unprivileged_user() -> str | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    _cannot("run as root, and there is no user postgres or nobody to run the server as")


def _cannot(reason: str) -> NoReturn:
    cannot(f"PostgreSQL cannot be started: {reason}")
