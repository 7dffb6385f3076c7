"""A real Apache Kafka broker for tests, started by the same script that a person uses.

The fixture `kafka` is one broker for the whole session; tests that break it put it
right again. Without Java, Maven and the jars they skip, except in CI, where that is a failure.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.support.program import cannot

SCRIPT = Path(__file__).parents[2] / "deploy" / "kafka" / "run"
SASL_USER = "foreshock"
SASL_PASSWORD = "correct-horse"  # of a broker on loopback that lives for one test run

_START_S = 60.0
_DOWNLOAD_S = 600.0


class KafkaServer:
    """One broker on random ports of 127.0.0.1: plain, with a password, and with TLS.

    Parameters
    ----------
    folder
        For its data, certificate and log; kept over `kill` and `start`.

    Attributes
    ----------
    bootstrap, sasl_bootstrap, tls_bootstrap
        ``host:port`` of the three listeners.
    ca_file
        Signs the certificate of the TLS listener.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca_file = folder / "cert.pem"
        self._log = folder / "broker.log"
        self._port, self._controller, sasl, tls = _free_ports(4)
        self.bootstrap = f"127.0.0.1:{self._port}"
        self.sasl_bootstrap = f"127.0.0.1:{sasl}"
        self.tls_bootstrap = f"127.0.0.1:{tls}"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        _make_certificate(folder)
        (folder / "extra.properties").write_text(self._properties())

    def start(self) -> None:
        """Start it, or start it again, and wait until it takes connections."""
        command: list[str | Path] = [
            SCRIPT,
            *("--data", self.folder / "data", "--port", str(self._port)),
            *("--controller-port", str(self._controller)),
            *("--properties", self.folder / "extra.properties"),
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _START_S
        while not _listens(self._port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                said = self._log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"Kafka did not start:\n{said}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Shut down in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill -9; what it acknowledged is in its log."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop it without closing a connection, as a long pause or a lost network does.

        Returns when all its threads stand: until then one of them may still answer.
        """
        self._signal(signal.SIGSTOP)
        assert self._process is not None
        threads = Path(f"/proc/{self._process.pid}/task")
        while threads.exists() and any(_runs(thread) for thread in threads.iterdir()):
            time.sleep(0.01)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The broker's process id, while it runs."""
        assert self._process is not None
        return self._process.pid

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._signal(signal.SIGCONT)
        self._signal(number)
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _properties(self) -> str:
        listeners = ",".join(
            [
                f"PLAINTEXT://{self.bootstrap}",
                f"SASL_PLAINTEXT://{self.sasl_bootstrap}",
                f"SSL://{self.tls_bootstrap}",
            ]
        )
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
        users = f'{plain} required user_{SASL_USER}="{SASL_PASSWORD}";'
        return f"""
listeners={listeners},CONTROLLER://127.0.0.1:{self._controller}
advertised.listeners={listeners}
listener.security.protocol.map=\
PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config={users}
ssl.keystore.type=PEM
ssl.keystore.location={self.folder / "server.pem"}
group.min.session.timeout.ms=500
log.flush.interval.messages=1000000
"""


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """One running broker for the session; use stream and group names of your own."""
    require_kafka()
    server = KafkaServer(tmp_path_factory.mktemp("kafka"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def fragile(kafka: KafkaServer) -> Iterator[KafkaServer]:
    """The broker, for a test that breaks it; it is put right again afterwards."""
    yield kafka
    kafka.thaw()
    if not kafka.running():
        kafka.start()


def require_kafka() -> None:
    """Skip the test where no broker can be started; in CI, fail."""
    for tool in ("java", "openssl"):
        if shutil.which(tool) is None:
            _cannot(f"no {tool} on the PATH")
    try:
        done = subprocess.run(
            [SCRIPT, "--download-only"], capture_output=True, text=True, timeout=_DOWNLOAD_S
        )
    except subprocess.TimeoutExpired:
        _cannot("downloading Kafka's jars took too long")
    if done.returncode != 0:
        _cannot(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no jars")


def _cannot(reason: str) -> NoReturn:
    cannot(f"Kafka cannot be started: {reason}")


def _make_certificate(folder: Path) -> None:
    """A self-signed certificate for 127.0.0.1, and the file with key and certificate for Kafka."""
    if (folder / "server.pem").exists():
        return
    with tempfile.TemporaryDirectory() as scratch:
        key = Path(scratch) / "key.pem"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", "/CN=foreshock-test", "-addext", "subjectAltName=IP:127.0.0.1"),
                *("-keyout", key, "-out", folder / "cert.pem"),
            ],
            check=True,
            capture_output=True,
        )
        (folder / "server.pem").write_text(key.read_text() + (folder / "cert.pem").read_text())


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [bound.getsockname()[1] for bound in sockets]
    for bound in sockets:
        bound.close()
    return ports


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _runs(thread: Path) -> bool:
    """Whether a thread of a process is not stopped; one that has ended is."""
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0] not in "TtZX"
    except OSError:
        return False
