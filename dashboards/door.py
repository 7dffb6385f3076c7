"""The door of the web process: who has not signed in sees the login page and nothing else.

Every request passes here before it reaches a page, the API or a websocket. Only health, and the login page
itself, are open. What a browser sends from another site is refused whoever sends it: an act or a websocket
whose ``Origin`` is not this server.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboards import desk
from monitor.access import visitor as visitors
from monitor.access.visitor import Visitor
from monitor.errors import ForeshockError
from monitor.settings import LOOPBACK
from monitor.store.clock import time_of

COOKIE = "foreshock_session"
SSO, SSO_START = "/login/oidc", "/login/oidc/start"
OPEN = ("/healthz", "/readyz", "/login", "/login.css", SSO, SSO_START)
ACCOUNT = "/account"
PROGRAMS = ("/api/", "/metrics")  # what takes a token
SAFE = ("GET", "HEAD", "OPTIONS")


class Door:
    """ASGI middleware; puts the `Visitor` into ``scope["state"]["visitor"]``."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = await self._refusal(HTTPConnection(scope), scope)
        if refusal is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        else:
            await refusal(scope, receive, send)

    async def _refusal(self, asked: HTTPConnection, scope: Scope) -> Response | None:
        path, changes = asked.url.path, scope.get("method", "GET") not in SAFE
        shown = desk.current()
        if not shown.login and _host(asked) not in LOOPBACK:
            return _no(
                path, 403, "without a login this server answers to the names of loopback only"
            )
        if (changes or scope["type"] == "websocket") and _is_foreign(asked):
            return _no(path, 403, "that came from another site")
        if path in OPEN or (path == "/metrics" and shown.open_metrics):
            return None
        try:
            found = await run_in_threadpool(visitor_of, asked)
        except ForeshockError as error:
            return _no(path, 503, str(error))
        if found is None:
            if path.startswith(PROGRAMS) or changes:
                return _no(path, 401, "sign in, or send a token: Authorization: Bearer ...")
            return RedirectResponse(f"/login?next={quote(path)}", 303)
        if found.person.must_change and not path.startswith(ACCOUNT):
            if path.startswith("/api/") or scope["type"] == "websocket":
                return _no(path, 403, f"change your password first, at {ACCOUNT}")
            return RedirectResponse(ACCOUNT, 303)
        if path == "/metrics" and not found.may("read"):
            return _no(path, 403, "that takes scope read")
        scope.setdefault("state", {})["visitor"] = found
        return None


def visitor_of(asked: HTTPConnection) -> Visitor | None:
    """Return who asks: by token where there is one, else by the browser's session."""
    shown = desk.current()
    if not shown.login:
        return visitors.local(shown.analyst)
    header = asked.headers.get("authorization", "")
    kind, _, secret = header.partition(" ")
    with desk.opened(shown.store_url) as store:
        if kind.casefold() == "bearer":  # other kinds may be of a proxy in front
            if not asked.url.path.startswith(PROGRAMS):
                return None
            return visitors.by_token(store, secret.strip(), time_of(store))
        secret = session_cookie(asked)
        return visitors.by_session(store, secret, time_of(store)) if secret else None


def session_cookie(asked: HTTPConnection) -> str:
    """Return the secret that the browser holds, or nothing."""
    try:
        jar = SimpleCookie(asked.headers.get("cookie", ""))
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""


def _is_foreign(asked: HTTPConnection) -> bool:
    """Say whether a browser sends this from a page of another server; programs send no Origin."""
    origin = asked.headers.get("origin")
    if origin is None:
        return asked.headers.get("sec-fetch-site") in ("cross-site", "same-site")
    return urlsplit(origin).netloc.casefold() != asked.headers.get("host", "").casefold()


def _host(asked: HTTPConnection) -> str | None:
    try:
        return urlsplit(f"//{asked.headers.get('host', '')}").hostname
    except ValueError:
        return None


def _no(path: str, status: int, why: str) -> Response:
    headers = {"Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if path.startswith("/api/"):
        body = {"type": "about:blank", "title": why, "status": status}
        return JSONResponse(body, status, headers, media_type="application/problem+json")
    return PlainTextResponse(why, status, headers)
