"""What goes wrong: each fault does something, waits, and puts it right again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.chaos.surroundings import Disk, ProcessClock
from tests.support.kafka import KafkaServer
from tests.support.postgres import PostgresServer

# Database or broker were away while it started; its supervisor starts it again.
UNAVAILABLE = 3
DRAIN_S = 40.0
SLOW_S = 12.0
ROOT = Path(__file__).parents[2]
HOUR_S = 3_600
JUMPS_S = (-48 * HOUR_S, -2 * HOUR_S, -300, 300, 2 * HOUR_S, 48 * HOUR_S)


class Worker:
    """One process with all stages but collect, started again when it ends, as a supervisor does."""

    def __init__(
        self, number: int, config: Path, log: Path, environment: Mapping[str, str]
    ) -> None:
        self.number = number
        self.config = config
        self.log = log
        self.clock = ProcessClock(log.with_suffix(".clock"))
        self.environment = {**environment, **self.clock.environment()}
        self.process: subprocess.Popen[bytes] | None = None
        self.ended: Counter[int] = Counter()  # exit codes that nobody had asked for
        self.last_words: list[str] = []  # of endings that nobody expects
        self.drains_s: list[float] = []

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(
                        sys.executable,
                        "-m",
                        "tests.chaos.worker",
                        "pipeline",
                        "--config",
                        str(self.config),
                    ),
                    *("--stages", "classify,aggregate,alert,notify"),
                ],
                stdout=log,
                stderr=log,
                env=self.environment,
                cwd=ROOT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int | None:
        alive = self.process is not None and self.process.poll() is None
        return self.process.pid if alive and self.process is not None else None

    def look(self) -> None:
        """Start it again if it ended by itself."""
        if self.process is not None and (code := self.process.poll()) is not None:
            self.clock.forget(self.process.pid)
            self.ended[code] += 1
            if code != UNAVAILABLE:
                self.last_words.append(self.log.read_text(errors="replace")[-3_000:])
            self.start()

    def end(self, number: signal.Signals) -> None:
        """Send a signal and wait for the end, asking a slow one where it stands."""
        if self.process is None:
            return
        self.signal(signal.SIGCONT)
        self.signal(number)
        began_s = time.monotonic()
        try:
            self.process.wait(SLOW_S)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGUSR1)
            try:
                self.process.wait(DRAIN_S - SLOW_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                self.ended[-9] += 1  # did not drain in time
            self.last_words.append(self.log.read_text(errors="replace")[-6_000:])
        if number == signal.SIGTERM:
            self.drains_s.append(time.monotonic() - began_s)
        self.clock.forget(self.process.pid)
        self.process = None

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)


class Faults:
    """A seeded schedule of faults over what they are done to."""

    def __init__(
        self,
        seed: int,
        workers: list[Worker],
        kafka: KafkaServer,
        postgres: PostgresServer,
        kafka_disk: Disk,
        postgres_disk: Disk,
    ) -> None:
        self.chance = random.Random(seed)
        self.workers = workers
        self.kafka = kafka
        self.postgres = postgres
        self.kafka_disk = kafka_disk
        self.postgres_disk = postgres_disk
        self.done: Counter[str] = Counter()
        self._kinds: tuple[Callable[[], None], ...] = (
            self.kill_worker,
            self.kill_worker,
            self.stop_worker,
            self.freeze_worker,
            self.kill_all_workers,
            self.kill_broker,
            self.freeze_broker,
            self.kill_database,
            self.freeze_database,
        )
        if all(worker.clock.library for worker in workers):
            self._kinds += (self.set_clock, self.set_clock)
        if kafka_disk.mounted and postgres_disk.mounted:
            self._kinds += (self.fill_broker_disk, self.fill_database_disk)

    def one(self) -> str:
        """Do one fault, and put it right again; return its name."""
        kind = self.chance.choice(self._kinds)
        kind()
        name = kind.__name__
        self.done[name] += 1
        return name

    def pause(self, least_s: float, most_s: float) -> None:
        """Wait, keeping workers alive as a supervisor does."""
        until = time.monotonic() + self.chance.uniform(least_s, most_s)
        while time.monotonic() < until:
            for worker in self.workers:
                worker.look()
            time.sleep(0.1)

    def kill_worker(self) -> None:
        """Kill -9 in the middle of whatever it does."""
        worker = self.chance.choice(self.workers)
        worker.end(signal.SIGKILL)
        self.pause(0, 2)
        worker.start()

    def kill_all_workers(self) -> None:
        for worker in self.workers:
            worker.end(signal.SIGKILL)
        self.pause(0, 1)
        for worker in self.workers:
            worker.start()

    def stop_worker(self) -> None:
        """A rolling restart: it drains, its partitions move, and come back."""
        worker = self.chance.choice(self.workers)
        worker.end(signal.SIGTERM)
        self.pause(0, 2)
        worker.start()

    def freeze_worker(self) -> None:
        """A zombie: stands still for longer than its session lasts, then goes on where it was."""
        worker = self.chance.choice(self.workers)
        worker.signal(signal.SIGSTOP)
        self.pause(3, 9)
        worker.signal(signal.SIGCONT)

    def kill_broker(self) -> None:
        self.kafka.kill()
        self.pause(0, 3)
        self.kafka.start()

    def freeze_broker(self) -> None:
        self.kafka.freeze()
        self.pause(2, 8)
        self.kafka.thaw()

    def kill_database(self) -> None:
        self.postgres.kill()
        self.pause(0, 3)
        self.postgres.start()

    def freeze_database(self) -> None:
        self.postgres.freeze()
        self.pause(2, 8)
        self.postgres.thaw()

    def set_clock(self) -> None:
        """One process believes in another time for a while: minutes, hours or days before or after."""
        worker = self.chance.choice(self.workers)
        worker.clock.set(self.chance.choice(JUMPS_S))
        self.pause(2, 8)
        worker.clock.right()

    def fill_broker_disk(self) -> None:
        """The broker ends itself when it cannot write; there is room again, and it is started again."""
        self.kafka_disk.fill()
        self.pause(2, 8)
        self.kafka_disk.free()
        if not self.kafka.running():
            self.kafka.kill()
            self.kafka.start()

    def fill_database_disk(self) -> None:
        """The database refuses what needs room; it restarts or ends where its log cannot be written."""
        self.postgres_disk.fill()
        self.pause(2, 8)
        self.postgres_disk.free()
        if not self.postgres.running():
            self.postgres.kill()
            self.postgres.start()
