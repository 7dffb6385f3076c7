"""The login page and the account page: plain HTML, no script, every value escaped."""

from __future__ import annotations

import html
import math
import secrets
from datetime import timedelta
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dashboards import desk
from dashboards.door import ACCOUNT, COOKIE, session_cookie
from monitor.access import signing
from monitor.access.signing import Refused, SignedIn
from monitor.access.visitor import Visitor
from monitor.errors import ConfigError
from monitor.store import people
from monitor.store.clock import time_of

FORM_COOKIE = "foreshock_form"
MAX_FORM_BYTES = 8_192
WRONG = "Name or password is wrong."
POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
STYLE = """body { font: 16px/1.5 system-ui, sans-serif; color: #1b2733; background: #f3f5f8; margin: 0; }
main { max-width: 22rem; margin: 12vh auto; padding: 1.6rem 1.8rem; background: #fff;
  border: 1px solid #e1e6eb; border-radius: 10px; }
h1 { font-size: 1.3rem; margin: 0 0 1rem; }
label { display: block; margin: .8rem 0 .2rem; font-size: .9rem; }
input { width: 100%; box-sizing: border-box; padding: .5rem; font: inherit; border: 1px solid #8896a5;
  border-radius: 8px; }
button { margin-top: 1.1rem; padding: .5rem 1.1rem; font: inherit; color: #fff; background: #1f5f99;
  border: 0; border-radius: 8px; }
.said { color: #b0123b; }
@media (prefers-color-scheme: dark) { body { color: #e6ebf0; background: #0f151b; }
  main { background: #171e26; border-color: #2b3540; } .said { color: #ff8fa6; }
  input { color: inherit; background: #0f151b; } }
"""


async def style(_request: Request) -> Response:
    return Response(STYLE, media_type="text/css")


async def login(request: Request) -> Response:
    """Show the form, and look at what it sends."""
    if not desk.current().login:
        return RedirectResponse("/", 303)
    if request.method != "POST":
        return _login_form(request, "", _inside(request.query_params.get("next", "/")))
    form = await _form(request)
    onward = _inside(form.get("next", "/"))
    held = request.cookies.get(FORM_COOKIE, "")
    if not held or not secrets.compare_digest(held.encode(), form.get("csrf", "").encode()):
        return _login_form(request, "That form was too old. Try again.", onward, 403)
    address = request.client.host if request.client else ""
    found = await run_in_threadpool(
        _sign_in, form.get("name", ""), form.get("password", ""), address
    )
    if isinstance(found, Refused):
        if found.wait:
            seconds = math.ceil(found.wait.total_seconds())
            said = f"Too many tries. Try again in {seconds} s."
            answer = _login_form(request, said, onward, 429)
            answer.headers["Retry-After"] = str(seconds)
            return answer
        return _login_form(request, WRONG, onward, 401)
    answer = RedirectResponse(ACCOUNT if found.person.must_change else onward, 303)
    _set_cookie(request, answer, COOKIE, found.secret, _lasts())
    return answer


async def account(request: Request) -> Response:
    """Show who is signed in, and the forms to change the password and to sign out."""
    visitor: Visitor = request.state.visitor
    return _account_page(visitor, "")


async def password(request: Request) -> Response:
    """Change the password; every session of the person ends, this one too."""
    visitor: Visitor = request.state.visitor
    form = await _form(request)
    if not _meant(visitor, form):
        return _account_page(visitor, "That form was too old. Try again.", 403)
    if form.get("new") != form.get("again"):
        return _account_page(visitor, "The two new passwords differ.", 400)

    def change() -> None:
        with desk.opened(desk.current().store_url) as store:
            name, now = visitor.person.name, time_of(store)
            signing.change_password(store, name, form.get("old", ""), form.get("new", ""), now)

    try:
        await run_in_threadpool(change)
    except ConfigError as error:
        return _account_page(visitor, f"{str(error)[:1].upper()}{str(error)[1:]}.", 400)
    return _gone("/login")


async def sign_out(request: Request) -> Response:
    """End the session of this browser."""
    visitor: Visitor = request.state.visitor
    if not _meant(visitor, await _form(request)):
        return _account_page(visitor, "That form was too old. Try again.", 403)

    def close() -> None:
        with desk.opened(desk.current().store_url) as store, store.write() as connection:
            people.close_session(connection, session_cookie(request))

    await run_in_threadpool(close)
    return _gone("/login")


ROUTES = [
    Route("/login", login, methods=["GET", "POST"]),
    Route("/login.css", style),
    Route(ACCOUNT, account),
    Route(f"{ACCOUNT}/password", password, methods=["POST"]),
    Route(f"{ACCOUNT}/signout", sign_out, methods=["POST"]),
]


def _sign_in(name: str, password: str, address: str) -> SignedIn | Refused:
    with desk.opened(desk.current().store_url) as store:
        return signing.sign_in(store, name, password, address, time_of(store), _lasts())


def _lasts() -> timedelta:
    return timedelta(hours=desk.current().session_hours)


async def _form(request: Request) -> dict[str, str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            return {}
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=20)
    return {name: values[0] for name, values in fields.items()}


def _meant(visitor: Visitor, form: dict[str, str]) -> bool:
    held = visitor.csrf or ""
    return bool(held) and secrets.compare_digest(held.encode(), form.get("csrf", "").encode())


def _inside(path: str) -> str:
    """Return a path of this server; anything else becomes the first page."""
    plain = path.startswith("/") and not path.startswith("//") and path.isprintable()
    return path if plain and "\\" not in path else "/"


def _login_form(request: Request, said: str, onward: str, status: int = 200) -> Response:
    token = secrets.token_urlsafe(32)
    body = f"""<form method="post" action="/login">
<label for="name">Name</label>
<input id="name" name="name" autocomplete="username" maxlength="60" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<input type="hidden" name="csrf" value="{html.escape(token)}">
<input type="hidden" name="next" value="{html.escape(onward)}">
<button id="signin">Sign in</button></form>"""
    answer = _page("Sign in", said, body, status)
    _set_cookie(request, answer, FORM_COOKIE, token, timedelta(hours=1))
    return answer


def _account_page(visitor: Visitor, said: str, status: int = 200) -> Response:
    csrf = f'<input type="hidden" name="csrf" value="{html.escape(visitor.csrf or "")}">'
    person = visitor.person
    lead = "Choose a password of your own first." if person.must_change else ""
    back = "" if person.must_change else '<p><a href="/">Back to the board</a></p>'
    body = f"""<p>{html.escape(person.name)}, {person.role.value}. {lead}</p>{back}
<form method="post" action="{ACCOUNT}/password">{csrf}
<label for="old">Present password</label>
<input id="old" name="old" type="password" autocomplete="current-password" required>
<label for="new">New password, 12 characters or more</label>
<input id="new" name="new" type="password" autocomplete="new-password" required>
<label for="again">New password again</label>
<input id="again" name="again" type="password" autocomplete="new-password" required>
<button id="change">Change password</button></form>
<form method="post" action="{ACCOUNT}/signout">{csrf}<button id="signout">Sign out</button></form>"""
    return _page("Account", said, body, status)


def _page(title: str, said: str, body: str, status: int) -> Response:
    told = f'<p class="said" role="alert">{html.escape(said)}</p>' if said else ""
    text = f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)} · Foreshock</title><link rel="stylesheet" href="/login.css"></head>
<body><main><h1>{html.escape(title)}</h1>{told}{body}</main></body></html>"""
    headers = {
        "Content-Security-Policy": POLICY,
        "Cache-Control": "no-store",
        # Under "no-referrer" a browser sends forms with "Origin: null", which the door refuses.
        "Referrer-Policy": "same-origin",
    }
    return Response(text, status, headers, media_type="text/html")


def _gone(path: str) -> Response:
    answer = RedirectResponse(path, 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def _set_cookie(
    request: Request, answer: Response, name: str, value: str, lasts: timedelta
) -> None:
    """Set a cookie that scripts cannot read and other sites cannot send; under TLS, only under TLS."""
    answer.set_cookie(
        name,
        value,
        max_age=int(lasts.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
