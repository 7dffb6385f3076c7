"""The web process: the pages, ``/metrics``, ``/healthz`` and ``/readyz`` on one port.

Pages are Streamlit's, inside one Starlette application (`streamlit.App`) that uvicorn serves. Nothing leaves
the machine: no usage statistics, no fonts or scripts from elsewhere.
"""

from __future__ import annotations

import errno
import importlib
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st
import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from streamlit.web import bootstrap

from dashboards import desk, encoder, signing, theme
from dashboards.desk import Desk
from dashboards.door import Door
from dashboards.headers import SecurityHeaders
from monitor.api import app as api
from monitor.errors import ConfigError, ForeshockError
from monitor.garbage import settle
from monitor.health import troubles
from monitor.metrics import Metrics, exposition
from monitor.settings import LOOPBACK
from monitor.store import pages
from monitor.store.clock import time_of
from monitor.store_metrics import StoreCollector

# What every page draws with. Not the pages: they are the script's, which runs when somebody looks.
LOADED = ("altair", "pandas", "pyarrow", "dashboards.data", "dashboards.charts", "dashboards.grids")
SCRIPT = Path(__file__).with_name("pages") / "main.py"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def serve(
    shown: Desk,
    host: str = "127.0.0.1",
    port: int = 8501,
    *,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until the process is told to stop (SIGINT, SIGTERM). Call in the main thread.

    Parameters
    ----------
    shown
        What the pages show, and to whom. Without a login the database need not exist yet.
    host, port
        Where to listen; port 0 takes a free one.
    on_ready
        Called with the URL, once requests are answered.

    Raises
    ------
    ConfigError
        The port is busy, or the address is not this machine's.
    """
    listener = listen(host, port)
    port = listener.getsockname()[1]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    desk.furnish(shown)
    bootstrap.load_config_options(_options(host, port))
    logging.getLogger("streamlit").setLevel(logging.ERROR)
    config = uvicorn.Config(
        build(lambda: on_ready(url) if on_ready else None),
        access_log=False,
        log_level="warning",
        ws="websockets-sansio",
        timeout_graceful_shutdown=2,
    )
    with listener:
        uvicorn.Server(config).run(sockets=[listener])


def build(ready: Callable[[], None]) -> st.App:
    """Return the web application; ``ready`` is called when its start is complete."""

    @asynccontextmanager
    async def lifespan(_app: st.App) -> AsyncIterator[None]:
        # Beside what is asked already: a second of work that only the first page has to wait for.
        threading.Thread(target=load, name="load", daemon=True).start()
        ready()
        yield

    return st.App(
        SCRIPT,
        lifespan=lifespan,
        routes=routes(),
        middleware=[Middleware(SecurityHeaders), Middleware(Door)],
    )


def load() -> None:
    """Load what pages need, which stays: Streamlit collects garbage after every run of a script."""
    for page in LOADED:
        importlib.import_module(page)
    settle()


def routes() -> list[BaseRoute]:
    """Return every route that is not Streamlit's."""
    return [
        Route("/metrics", metrics),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        *signing.ROUTES,
        Mount(
            "/api/v1",
            api.build(
                lambda: desk.opened(desk.current().store_url),
                desk.current().settings,
                encoder.model(),
            ),
        ),
    ]


async def metrics(_request: Request) -> Response:
    """Answer with the Prometheus text format of every process of this service."""
    shown = desk.current()

    def look() -> bytes:
        standing = StoreCollector(lambda: desk.opened(shown.store_url), shown.settings.sources)
        return exposition(Metrics().registry, standing)

    body = await run_in_threadpool(look)
    return Response(body, headers={"Content-Type": METRICS_TYPE, "Cache-Control": "no-store"})


async def healthz(_request: Request) -> Response:
    """Answer 200 when the database can be read, else 503 with the reason."""

    def look() -> dict[str, Any]:
        with desk.opened(desk.current().store_url) as store:
            standing = pages.standing(store)
        as_of = standing.as_of
        return {"status": "ok", "as_of": as_of.isoformat() if as_of else None}

    try:
        return JSONResponse(await run_in_threadpool(look))
    except ForeshockError as error:
        return JSONResponse({"status": "unavailable", "reason": str(error)}, status_code=503)


async def readyz(_request: Request) -> Response:
    """Answer 200 while the whole pipeline does its work, else 503 with what stands still."""

    def look() -> list[str]:
        with desk.opened(desk.current().store_url) as store:
            return troubles(store, time_of(store), desk.current().bounds)

    try:
        found = await run_in_threadpool(look)
    except ForeshockError as error:
        found = [str(error)]
    if found:
        return JSONResponse({"status": "not ready", "reasons": found}, status_code=503)
    return JSONResponse({"status": "ready"})


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises
    ------
    ConfigError
        The port is busy, needs more rights, or the address is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, OverflowError) as error:
        raise ConfigError(f"web: {host}:{port} is not an address to listen on ({error})") from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        reasons = {
            errno.EADDRINUSE: "another program has it; stop that one or choose another port",
            errno.EACCES: "this user may not use it; choose a port above 1023",
            errno.EADDRNOTAVAIL: "this machine does not have that address; use 127.0.0.1",
        }
        reason = reasons.get(error.errno or 0, error.strerror)
        raise ConfigError(f"web: cannot listen on port {port} of {host}: {reason}") from None
    return listener


def _options(host: str, port: int) -> dict[str, Any]:
    """Return Streamlit's options; they win over any ``.streamlit/config.toml`` lying about."""
    return {
        "browser_gatherUsageStats": False,
        "browser_serverAddress": host,
        "browser_serverPort": port,
        "client_disableDataExport": True,  # its CSV would carry titles that are formulas
        "client_showErrorDetails": "none",
        "client_showErrorLinks": False,
        "client_toolbarMode": "viewer",
        "global_developmentMode": False,
        "logger_level": "error",
        "runner_magicEnabled": False,
        "server_address": host,
        "server_allowedHosts": list(LOOPBACK) if host in LOOPBACK else [],
        "server_enableAgentApi": False,
        "server_enableCORS": True,
        "server_enableXsrfProtection": True,
        "server_fileWatcherType": "none",
        "server_headless": True,
        "server_maxUploadSize": 1,
        "server_port": port,
        "server_runOnSave": False,
        "server_showEmailPrompt": False,
        **theme.options(),
    }
