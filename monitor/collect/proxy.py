"""The only way out of a browser that renders a page: a forward proxy that connects to checked addresses.

A browser resolves names and follows whatever a page tells it to. Behind this proxy it resolves none: names
come here, and the connection goes to the address that was checked, as with every other fetch.
"""

from __future__ import annotations

import base64
import secrets
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType

import httpcore2
import httpx2

from monitor.collect.addresses import Forbidden

MAX_HEAD_BYTES = 64 * 1024
MAX_CONNECTIONS = 100
USER = "foreshock"
_PIECE_BYTES = 64 * 1024
_HOP = ("connection", "proxy-connection", "proxy-authorization", "keep-alive", "upgrade", "te")
_DEFAULT_PORTS = {"http": 80, "https": 443}

# A connected socket to (host, port), or Forbidden, or another httpcore2.NetworkError or timeout.
Connect = Callable[[str, int, float], socket.socket]


class CheckedProxy:
    """An HTTP proxy (RFC 9110, section 9.3.6; RFC 9112, section 3.2.2) on loopback, for one visit.

    Parameters
    ----------
    connect
        Connects to a host, or refuses to.
    max_bytes
        What may come through, all answers together.
    until_s
        When it ends, on the monotonic clock.

    Attributes
    ----------
    password
        Of `USER`: other programs of this machine are not let through.
    refused
        What was refused, and why, by host and port.
    too_much
        ``max_bytes`` came through, and the rest was cut off.
    """

    def __init__(self, connect: Connect, max_bytes: int, until_s: float) -> None:
        self.password = secrets.token_urlsafe(24)
        self.refused: dict[tuple[str, int], Exception] = {}
        self.too_much = False
        self._connect = connect
        self._until_s = until_s
        self._left_bytes = max_bytes
        self._told = b"Basic " + base64.b64encode(f"{USER}:{self.password}".encode())
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> CheckedProxy:
        self._accepting.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed = True
        self._shut(self._listener)
        self._accepting.join()
        self._listener.close()
        self._cut()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if not self._places.acquire(blocking=False):
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server: socket.socket | None = None
        with self._lock:
            self._open.add(client)
        try:
            client.settimeout(self._left_s())
            head, rest = _head(client)
            server = self._answer(client, head, rest)
        except (OSError, ValueError, httpx2.InvalidURL):
            pass  # the browser tells the page what it makes of a connection that ends
        finally:
            for each in (client, server):
                if each is not None:
                    with self._lock:
                        self._open.discard(each)
                    each.close()
            self._places.release()

    def _answer(self, client: socket.socket, head: bytes, rest: bytes) -> socket.socket | None:
        """Answer a request; returns the connection to the server, for the caller to close."""
        first, *lines = head.split(b"\r\n")
        method, target, _ = first.split(b" ", 2)
        fields = [
            (name.strip(), value.strip()) for name, _, value in (x.partition(b":") for x in lines)
        ]
        told = dict((name.lower(), value) for name, value in fields)
        given = told.get(b"proxy-authorization", b"")
        if not secrets.compare_digest(given, self._told):
            _say(client, "407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="f"')
            return None
        tunnel = method == b"CONNECT"
        url = httpx2.URL(("https://" if tunnel else "") + target.decode("ascii"))
        port = url.port or _DEFAULT_PORTS.get(url.scheme, 0)
        host = url.raw_host.decode("ascii")
        if not host or not port or (url.scheme != "http" and not tunnel):
            _say(client, "400 Bad Request")
            return None
        if not tunnel and b"transfer-encoding" in told:
            _say(client, "411 Length Required")
            return None
        try:
            server = self._connect(host, port, self._left_s())
        except (httpcore2.NetworkError, httpcore2.TimeoutException) as error:
            self.refused[host, port] = error
            _say(client, "403 Forbidden" if isinstance(error, Forbidden) else "502 Bad Gateway")
            return None
        with self._lock:
            self._open.add(server)
        if tunnel:
            client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            server.sendall(rest)
            self._relay(client, server, None)
        else:
            kept = [
                b"%s: %s" % pair for pair in fields if pair[0].lower().decode("latin-1") not in _HOP
            ]
            begin = b"%s %s HTTP/1.1" % (method, url.raw_path)
            server.sendall(b"\r\n".join([begin, *kept, b"Connection: close", b"", b""]))
            stated = told.get(b"content-length", b"0")
            length = int(stated) if stated.isdigit() else 0
            server.sendall(rest[:length])
            self._pass_on_head(client, server)
            self._relay(client, server, max(0, length - len(rest)))
        return server

    def _pass_on_head(self, client: socket.socket, server: socket.socket) -> None:
        """Have the browser close after this answer: the next may be meant for another host."""
        # Answers in between (RFC 9110, section 15.2) are not passed on.
        head, rest = _head(server)
        while head.split(b" ", 2)[1:2] and head.split(b" ", 2)[1].startswith(b"1"):
            head, rest = _head(server, rest)
        first, *lines = head.split(b"\r\n")
        kept = [
            line
            for line in lines
            if line.partition(b":")[0].strip().lower().decode("latin-1") not in _HOP
        ]
        answer = b"\r\n".join([first, *kept, b"Connection: close", b"", b""]) + rest
        self._count(len(answer))
        client.sendall(answer)

    def _relay(self, client: socket.socket, server: socket.socket, body_bytes: int | None) -> None:
        """Pass bytes on until the server ends; of the browser's ``body_bytes`` (``None``: all)."""
        while not self._closed:
            ready = _ready((client, server), self._left_s())
            if server in ready:
                piece = server.recv(_PIECE_BYTES)
                if not piece:
                    return
                self._count(len(piece))
                client.sendall(piece)
            if client in ready:
                piece = client.recv(_PIECE_BYTES)
                if not piece:
                    return
                if body_bytes is not None:
                    piece = piece[:body_bytes]
                    body_bytes -= len(piece)
                server.sendall(piece)

    def _count(self, length: int) -> None:
        with self._lock:
            self._left_bytes -= length
            self.too_much = self.too_much or self._left_bytes < 0
        if self.too_much:
            self._cut()
            raise OSError("too much came through")

    def _cut(self) -> None:
        with self._lock:
            for each in self._open:
                self._shut(each)

    def _shut(self, each: socket.socket) -> None:
        with suppress(OSError):  # it was closed from the other side
            each.shutdown(socket.SHUT_RDWR)

    def _left_s(self) -> float:
        left = self._until_s - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for the whole page is over")
        return left


def _ready(ends: Iterable[socket.socket], seconds: float) -> list[socket.socket]:
    """Return those that have something to read; not by ``select``, which knows 1,024 files."""
    with selectors.PollSelector() as waiting:
        for each in ends:
            waiting.register(each, selectors.EVENT_READ)
        found = [key.fileobj for key, _ in waiting.select(seconds)]
    return [each for each in found if isinstance(each, socket.socket)]


def _head(sender: socket.socket, begin: bytes = b"") -> tuple[bytes, bytes]:
    """Return what stands before the first empty line, and what came after it."""
    got = begin
    while b"\r\n\r\n" not in got:
        piece = sender.recv(_PIECE_BYTES)
        if not piece or len(got) > MAX_HEAD_BYTES:
            raise ValueError("no head of a message")
        got += piece
    head, _, rest = got.partition(b"\r\n\r\n")
    return head, rest


def _say(client: socket.socket, status: str, *headers: str) -> None:
    lines = [f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "Connection: close", "", ""]
    client.sendall("\r\n".join(lines).encode())
