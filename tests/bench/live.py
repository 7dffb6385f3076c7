"""Foreshock in processes of its own, over either pair of backends, and news handed to it as by collecting."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Protocol

from monitor.collect.stage import STAGE as COLLECT
from monitor.domain import Article, DateStatus, digest, revision_of
from monitor.pipeline import ARTICLES
from monitor.service import Outside
from monitor.store import progress
from monitor.store.progress import Progress
from monitor.stream.codec import ARTICLE
from monitor.stream.port import Message
from tests.support.kafka import KafkaServer, require_kafka
from tests.support.postgres import PostgresServer, find_bindir

START_S = 240.0
STILL_S = 120.0
ROOT = Path(__file__).parents[2]
UNCOMPILED = ("PYTHONDONTWRITEBYTECODE",)


class Backends(Protocol):
    """Where streams and store are."""

    name: str

    def place(self) -> str:
        """Return the settings, in TOML, of new streams and a new store."""
        ...

    def pids(self) -> list[int]:
        """Return the process ids of the servers; what they have started is theirs."""
        ...


class Embedded:
    """The embedded log and SQLite, in files of one folder."""

    name = "embedded log and SQLite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places = 0

    def place(self) -> str:
        self._places += 1
        return f'[store]\nurl = "sqlite:///{self._folder / f"store-{self._places}.db"}"\n'

    def pids(self) -> list[int]:
        return []


class Servers:
    """A Kafka broker and a PostgreSQL server, as they come: what is committed is on the disk."""

    name = "Kafka and PostgreSQL"

    def __init__(self, kafka: KafkaServer, postgres: PostgresServer) -> None:
        self._kafka = kafka
        self._postgres = postgres
        self._places = 0

    def place(self) -> str:
        self._places += 1
        return (
            f'[store]\nurl = "{self._postgres.create_database()}"\n[stream]\nkind = "kafka"\n'
            f'[stream.kafka]\nbootstrap_servers = "{self._kafka.bootstrap}"\n'
            f'topic_prefix = "bench{self._places}."\n'
        )

    def pids(self) -> list[int]:
        return [self._kafka.pid, self._postgres.processes()[0]]


@contextmanager
def embedded() -> Iterator[Embedded]:
    with tempfile.TemporaryDirectory(prefix="foreshock-bench-") as folder:
        yield Embedded(Path(folder))


@contextmanager
def servers() -> Iterator[Servers]:
    require_kafka()
    with tempfile.TemporaryDirectory(prefix="foreshock-bench-") as folder:
        Path(folder).chmod(0o755)  # the database server is another user
        kafka = KafkaServer(Path(folder) / "kafka")
        postgres = PostgresServer(find_bindir(), {}, Path(folder))
        try:
            kafka.start()
            postgres.start()
            yield Servers(kafka, postgres)
        finally:
            postgres.remove()
            kafka.stop()


@contextmanager
def foreshock(
    arguments: Sequence[str],
    log: Path,
    cores: set[int] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of Foreshock while the block does; what it logs is printed where the block fails.

    Parameters
    ----------
    cores
        Those that it may use; all by default.
    """
    # As it comes to people: libraries are compiled once, not by every process that starts.
    variables = {key: value for key, value in os.environ.items() if key not in UNCOMPILED}
    command = [sys.executable, "-m", "monitor.cli", *arguments]
    if cores is not None:
        command = ["taskset", "--cpu-list", ",".join(map(str, sorted(cores))), *command]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=ROOT,
            env=variables | dict(environment or {}),
        )
    try:
        yield process
    except BaseException:
        print(log.read_text(errors="replace")[-4_000:], file=sys.stderr)
        raise
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until_ready(process: subprocess.Popen[bytes], port: int) -> float:
    """Wait until ``/readyz`` says that all is well; return the monotonic time then."""
    deadline = time.monotonic() + START_S
    while True:
        if _is_ready(port):
            return time.monotonic()
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"port {port} is not ready: see the log above")
        time.sleep(0.05)


def _is_ready(port: int) -> bool:
    # Not by httpx, which makes a TLS context of each request: whoever starts needs the processor.
    asked = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        asked.request("GET", "/readyz")
        return asked.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        asked.close()


def article(number: int, title: str, lead: str = "") -> Article:
    """Return an article that is published now."""
    now = datetime.now(UTC)
    return Article(
        digest(f"bench {number}"),
        revision_of(title, lead),
        *("bench", "bench.example", f"https://bench.example/{number}", title, lead, "en"),
        *(now, now, DateStatus.OK),
    )


class Collector:
    """Appends articles and says how far it is, as the collect stage does."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._writer = outside.broker.writer()

    def hand_over(self, articles: Sequence[Article]) -> None:
        """Return when the articles are durable in ``news.articles``, and the watermark may pass them."""
        through = max((each.ingested_at for each in articles), default=datetime.now(UTC))
        self._writer.append(ARTICLES, [Message(each.id, ARTICLE.encode(each)) for each in articles])
        self._writer.flush()
        with self._outside.store.write() as connection:
            state = Progress(COLLECT, ARTICLES, 0, through_at=through, beat_at=datetime.now(UTC))
            progress.save(connection, state)

    def waiting(self) -> int:
        """Return how many articles are not classified yet."""
        return sum(lag.records for lag in self._outside.broker.lag("classify", ARTICLES).values())

    def until_stored(self, count: int) -> None:
        """Wait until so many articles have been aggregated since the store began.

        Raises
        ------
        RuntimeError
            Nothing was, for minutes.
        """
        stored, moved_s = 0, time.monotonic()
        while stored < count:
            before, stored = stored, sum(progress.totals(self._outside.store))
            if stored > before:
                moved_s = time.monotonic()
            if time.monotonic() - moved_s > STILL_S:
                raise RuntimeError(f"{stored} of {count} articles stored, and no more")
            time.sleep(0.02)

    def close(self) -> None:
        self._writer.close()
