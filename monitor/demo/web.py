"""The HTTP side of the demo feed: conditional requests, headers, quiet threads."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """A document, its media type and the time of its last change (None: always changing)."""

    body: bytes
    media_type: str
    changed: datetime | None

    @property
    def etag(self) -> str:
        return f'"{hashlib.blake2b(self.body, digest_size=12).hexdigest()}"'

    def is_known(self, if_none_match: str | None, if_modified_since: str | None) -> bool:
        """Tell whether the client has this already (RFC 9110, 13.2.2: the tag goes first)."""
        if if_none_match is not None:
            tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
            return bool(tags & {"*", self.etag})
        if if_modified_since is None or self.changed is None:
            return False
        try:
            return self.changed <= parsedate_to_datetime(if_modified_since)
        except (TypeError, ValueError):
            return False


class LoopbackServer(ThreadingHTTPServer):
    """Answers GET and HEAD by asking ``answer`` what is at a path, a thread per connection."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], answer: Callable[[str], Answer | None]) -> None:
        self.answer = answer
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer asks DNS for a name here: seconds, at times
        self.server_name = str(self.server_address[0])
        self.server_port = int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that hung up is no news
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 10.0  # seconds until an idle connection is closed

    def do_GET(self) -> None:
        answer = self.server.answer(urlsplit(self.path).path)
        if answer is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        known = answer.is_known(self.headers["If-None-Match"], self.headers["If-Modified-Since"])
        self.send_response(HTTPStatus.NOT_MODIFIED if known else HTTPStatus.OK)
        self.send_header("ETag", answer.etag)
        # Simulated time runs too fast for any age in wall-clock seconds: ask again each time.
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        if answer.changed is not None:
            self.send_header("Last-Modified", format_datetime(answer.changed, usegmt=True))
        if not known:
            self.send_header("Content-Type", answer.media_type)
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if not known and self.command != "HEAD":
            self.wfile.write(answer.body)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the collector logs what it fetches."""
