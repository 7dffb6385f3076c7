"""``/metrics``, ``/healthz`` and ``/readyz`` of a process that has no web part, on a port of its own.

For Prometheus and for what starts processes again (Kubernetes, compose). Neither answer asks the database or
the broker: an outage of those is waited out by the stages, and a restart would mend nothing.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST

from monitor.errors import ConfigError

Ages = Mapping[str, float | None]
LATE_S = 120.0  # as long as the longest batch; a stage has a turn every second while it has nothing to do


class Probe:
    """Listens from the start until closed.

    Parameters
    ----------
    host, port
        Where; port 0 takes a free one.
    ages
        Returns the seconds since each stage last began a turn, None before its first; a stage that has ended
        is not among them.
    stages
        Those that should be.
    exposition
        Returns the metrics in Prometheus' text format.

    Raises
    ------
    ConfigError
        The port is taken, or the address is not this machine's.
    """

    def __init__(
        self,
        host: str,
        port: int,
        ages: Callable[[], Ages],
        stages: tuple[str, ...],
        exposition: Callable[[], bytes],
    ) -> None:
        answers: dict[str, Callable[[], tuple[int, str, bytes]]] = {
            "/metrics": lambda: (HTTPStatus.OK, CONTENT_TYPE_LATEST, exposition()),
            "/healthz": lambda: _said(ended(ages(), stages)),
            "/readyz": lambda: _said([*ended(ages(), stages), *late(ages())]),
        }

        class Handler(BaseHTTPRequestHandler):
            timeout = 10  # of a peer that says nothing

            def do_GET(self) -> None:
                answer = answers.get(self.path.partition("?")[0])
                if answer is None:
                    self.send_error(HTTPStatus.NOT_FOUND)
                    return
                status, kind, body = answer()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Log nothing: a scrape is not an event."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise ConfigError(
                f"metrics.port: cannot listen on {host}:{port} ({error.strerror}); choose another"
            ) from None
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="probe", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def ended(ages: Ages, stages: tuple[str, ...]) -> list[str]:
    """Return what is not alive, in words: the process should end by itself then, and has not.

    Examples
    --------
    >>> ended({"alert": 0.2}, ("alert", "notify"))
    ['notify has ended']
    """
    return [f"{stage} has ended" for stage in stages if stage not in ages]


def late(ages: Ages) -> list[str]:
    """Return what does no work now, in words: it begins, waits for database or broker, or hangs.

    Examples
    --------
    >>> late({"alert": 0.2, "notify": 400.0, "classify": None})
    ['notify had its last turn 400 s ago', 'classify has not begun']
    """
    found = []
    for stage, age_s in ages.items():
        if age_s is None:
            found.append(f"{stage} has not begun")
        elif age_s > LATE_S:
            found.append(f"{stage} had its last turn {age_s:.0f} s ago")
    return found


def _said(troubles: list[str]) -> tuple[int, str, bytes]:
    status = HTTPStatus.SERVICE_UNAVAILABLE if troubles else HTTPStatus.OK
    told = {"status": "unavailable", "reasons": troubles} if troubles else {"status": "ok"}
    return status, "application/json", json.dumps(told).encode()
