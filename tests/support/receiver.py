"""A real HTTP receiver on loopback for tests: it answers as the test says, and keeps what came."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass(frozen=True, slots=True)
class Received:
    """One request; names of ``headers`` are in lower case, ``status`` is how it was answered.

    ``at_s`` is Unix time once all of it was there.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int
    at_s: float


class Receiver(ThreadingHTTPServer):
    """Answers every GET and POST with ``status`` after ``delay_s``.

    ``retry_after_s`` adds the header of that name; a redirect leads to ``/elsewhere`` of this receiver.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.delay_s = 0.0
        self.retry_after_s: int | None = None
        self.received: list[Received] = []

    @property
    def url(self) -> str:
        """Its address, with a slash at the end."""
        return f"http://127.0.0.1:{self.server_port}/"

    @property
    def keys(self) -> list[str]:
        """The idempotency keys of what it took."""
        return [each.headers["idempotency-key"] for each in self.received if each.status < 300]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status = self.server.status
        self.server.received.append(
            Received(self.command, self.path, headers, body, status, time.time())
        )
        time.sleep(self.server.delay_s)
        try:
            self.send_response(status)
            if self.server.retry_after_s is not None:
                self.send_header("Retry-After", str(self.server.retry_after_s))
            if 300 <= status < 400:
                self.send_header("Location", f"{self.server.url}elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
        except OSError:
            pass  # the client has given up, as the test wants

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of this test's own."""
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
