"""A web server on loopback that does what a handler says, and counts what it sent and was asked."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Answer = Callable[["Asked"], Iterator[bytes]]


@dataclass
class Asked:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    at_s: float = field(default_factory=time.monotonic)


class Hostile:
    """Serves ``answers``: what is sent for a path, in pieces, head and all."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[Asked] = []
        self.sent: Counter[str] = Counter()  # bytes by path
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.close()
        for each in list(self._open):
            each.close()

    def paths(self) -> list[str]:
        return [each.path for each in self.asked]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as reader:
                line = reader.readline().split()
                if len(line) < 2:
                    return
                headers = {}
                while (raw := reader.readline().strip()) != b"":
                    name, _, value = raw.decode("latin-1").partition(":")
                    headers[name.lower()] = value.strip()
                asked = Asked(line[1].decode("latin-1"), headers)
                self.asked.append(asked)
                answer = self.answers.get(asked.path, missing)
                for piece in answer(asked):
                    connection.sendall(piece)
                    self.sent[asked.path] += len(piece)
        except OSError:
            pass  # the client had enough
        finally:
            self._open.discard(connection)


def head(status: str = "200 OK", **headers: object) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def missing(_: Asked) -> Iterator[bytes]:
    yield head("404 Not Found", Content_Length=0)


def sends(body: bytes, status: str = "200 OK", **headers: object) -> Answer:
    """Return an answer of known length."""

    def answer(_: Asked) -> Iterator[bytes]:
        yield head(status, Content_Length=len(body), **headers) + body

    return answer


def leads(to: str, **headers: object) -> Answer:
    """Return a redirect."""
    return sends(b"", "302 Found", Location=to, **headers)


@contextmanager
def hostile() -> Iterator[Hostile]:
    server = Hostile()
    try:
        yield server
    finally:
        server.close()
