"""A broker, a database, a receiver of messages and three processes, with news coming in."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from monitor.service import Outside, open_outside
from monitor.settings import load_settings
from tests.chaos.faults import Faults, Worker
from tests.chaos.news import Wire, watchlist
from tests.chaos.surroundings import Disk
from tests.support.kafka import KafkaServer, require_kafka
from tests.support.postgres import SAFE, PostgresServer, find_bindir
from tests.support.receiver import Receiver

WORKERS = 3
CONFIG = """
[stream]
kind = "kafka"
partitions = 6
[stream.kafka]
bootstrap_servers = "{kafka}"
session_timeout_s = 6.0
delivery_timeout_s = 5.0
[store]
url = "{store}"
[watchlist]
path = "{folder}/watchlist.csv"
[model]
threads = 1
[[notify.channels]]
name = "hook"
kind = "webhook"
url = "{hook}"
secret = "of this run only"
"""


@dataclass(frozen=True, slots=True)
class Bench:
    """``outside`` is what the processes share, seen from here."""

    folder: Path
    outside: Outside
    receiver: Receiver
    wire: Wire
    faults: Faults


@contextmanager
def bench(seed: int, per_second: float) -> Iterator[Bench]:
    """Start everything, and end it; the logs of the processes are printed where something went wrong."""
    require_kafka()
    with _places() as (folder, kafka, postgres, receiver, disks):
        config = folder / "foreshock.toml"
        (folder / "watchlist.csv").write_text(watchlist(), "utf-8")
        config.write_text(
            CONFIG.format(
                kafka=kafka.bootstrap,
                store=postgres.create_database(),
                folder=folder,
                hook=receiver.url,
            ),
            "utf-8",
        )
        outside = open_outside(load_settings(config, {}))  # makes streams and tables
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        workers = [
            Worker(n, config, folder / f"worker-{n}.log", environment) for n in range(WORKERS)
        ]
        wire = Wire(outside.broker, seed, per_second)
        faults = Faults(seed, workers, kafka, postgres, *disks)
        try:
            for worker in workers:
                worker.start()
            wire.start()
            faults.pause(8, 8)
            yield Bench(folder, outside, receiver, wire, faults)
            if any(worker.last_words for worker in workers):
                tell(workers)
        except BaseException:
            tell(workers)
            raise
        finally:
            wire.stopped.set()
            wire.join(10)
            for worker in workers:
                worker.end(signal.SIGKILL)
            outside.broker.close()
            outside.store.close()


def tell(workers: Iterable[Worker]) -> None:
    """Print what the workers said last, for a person who asks why."""
    for worker in workers:
        now = worker.log.read_text(errors="replace")[-3_000:]
        for said in (*worker.last_words, now):
            print(f"worker {worker.number}, ended {dict(worker.ended)}:\n{said}", file=sys.stderr)


@contextmanager
def _places() -> Iterator[tuple[Path, KafkaServer, PostgresServer, Receiver, tuple[Disk, Disk]]]:
    """A broker, a database server and a receiver of messages, of this run only; and the servers' disks."""
    with tempfile.TemporaryDirectory(prefix="foreshock-chaos-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the database server is another user
        disks = Disk(folder / "broker-disk"), Disk(folder / "database-disk")
        kafka = KafkaServer(disks[0].folder / "kafka")
        postgres = PostgresServer(find_bindir(), SAFE, disks[1].folder)
        receiver = Receiver()
        thread = threading.Thread(target=receiver.serve_forever, daemon=True)
        thread.start()
        try:
            kafka.start()
            postgres.start()
            yield folder, kafka, postgres, receiver, disks
        finally:
            kafka.kill()
            postgres.remove()
            receiver.shutdown()
            receiver.server_close()
            for disk in disks:
                disk.remove()
