"""The login page and the account page: plain HTML, no script, every value escaped."""

from __future__ import annotations

import html
import math
import secrets
from datetime import timedelta
from functools import cache
from typing import Literal
from urllib.parse import parse_qs, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dashboards import desk
from dashboards.door import ACCOUNT, COOKIE, SSO, SSO_START, session_cookie
from monitor.access import signing, sso
from monitor.access.oidc import Client, Flow, Provider, SsoError
from monitor.access.roles import Role
from monitor.access.signing import Refused, SignedIn
from monitor.access.visitor import Visitor
from monitor.errors import ConfigError
from monitor.settings import OidcSettings, WebSettings
from monitor.store import people
from monitor.store.clock import time_of

FORM_COOKIE = "foreshock_form"
#: Holds a try to sign in while the browser is at the identity provider.
FLOW_COOKIE = "foreshock_sso"
FLOW_LASTS = timedelta(minutes=10)
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
button, .button { margin-top: 1.1rem; padding: .5rem 1.1rem; font: inherit; color: #fff; background: #1f5f99;
  border: 0; border-radius: 8px; text-decoration: none; display: inline-block; }
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
    if request.method != "POST" or not _settings().passwords:
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


async def sso_start(request: Request) -> Response:
    """Send the browser to the identity provider."""
    settings = _settings().oidc
    onward = _inside(request.query_params.get("next", "/"))
    if settings is None or not desk.current().login:
        return RedirectResponse("/login", 303)
    flow = Flow.new(onward)
    try:
        url = await run_in_threadpool(
            _provider(settings).authorize_url, flow, _redirect_uri(request, settings)
        )
    except SsoError as error:
        return _login_form(request, _sentence(error), onward, 503)
    answer = RedirectResponse(url, 303, {"Cache-Control": "no-store"})
    # The provider's redirection back comes from another site: a strict cookie would not come with it.
    _set_cookie(request, answer, FLOW_COOKIE, flow.dumped(), FLOW_LASTS, samesite="lax")
    return answer


async def sso_back(request: Request) -> Response:
    """Take the browser back from the identity provider, and sign it in."""
    settings = _settings().oidc
    flow = Flow.loaded(request.cookies.get(FLOW_COOKIE, ""))
    if settings is None or not desk.current().login:
        return RedirectResponse("/login", 303)
    state = request.query_params.get("state", "")
    if flow is None or not secrets.compare_digest(flow.state.encode(), state.encode()):
        return _over(_login_form(request, "That sign-in was too old. Try again.", "/", 403))
    code, error = (request.query_params.get(name, "") for name in ("code", "error"))
    if not code:
        said = f"The identity provider did not sign you in ({error[:60] or 'no code'})."
        return _over(_login_form(request, said, flow.onward, 401))
    uri = _redirect_uri(request, settings)
    address = request.client.host if request.client else ""
    try:
        found = await run_in_threadpool(_sign_in_by_token, settings, flow, code, uri, address)
    except SsoError as refusal:
        return _over(_login_form(request, _sentence(refusal), flow.onward, 401))
    # A page and not a redirection: the browser sends the strict cookie only where our own page leads.
    link = html.escape(_inside(flow.onward))
    body = f'<p>Signed in as {html.escape(found.person.name)}.</p><p><a href="{link}">Go on</a></p>'
    answer = _page("Signed in", "", body, 200, onward=link)
    _set_cookie(request, answer, COOKIE, found.secret, _lasts())
    return _over(answer)


async def account(request: Request) -> Response:
    """Show who is signed in, and the forms to change the password and to sign out."""
    visitor: Visitor = request.state.visitor
    return await run_in_threadpool(_account_page, visitor, "")


async def password(request: Request) -> Response:
    """Change the password; every session of the person ends, this one too."""
    visitor: Visitor = request.state.visitor
    form = await _form(request)
    if not _meant(visitor, form):
        return await run_in_threadpool(
            _account_page, visitor, "That form was too old. Try again.", 403
        )
    if form.get("new") != form.get("again"):
        return await run_in_threadpool(_account_page, visitor, "The two new passwords differ.", 400)

    def change() -> None:
        with desk.opened(desk.current().store_url) as store:
            name, now = visitor.person.name, time_of(store)
            signing.change_password(store, name, form.get("old", ""), form.get("new", ""), now)

    try:
        await run_in_threadpool(change)
    except ConfigError as error:
        return await run_in_threadpool(_account_page, visitor, _sentence(error), 400)
    return _gone("/login")


async def sign_out(request: Request) -> Response:
    """End the session of this browser."""
    visitor: Visitor = request.state.visitor
    if not _meant(visitor, await _form(request)):
        return await run_in_threadpool(
            _account_page, visitor, "That form was too old. Try again.", 403
        )

    def close() -> None:
        with desk.opened(desk.current().store_url) as store, store.write() as connection:
            people.close_session(connection, session_cookie(request))

    await run_in_threadpool(close)
    return _gone("/login")


ROUTES = [
    Route("/login", login, methods=["GET", "POST"]),
    Route("/login.css", style),
    Route(SSO_START, sso_start),
    Route(SSO, sso_back),
    Route(ACCOUNT, account),
    Route(f"{ACCOUNT}/password", password, methods=["POST"]),
    Route(f"{ACCOUNT}/signout", sign_out, methods=["POST"]),
]


def _sign_in(name: str, password: str, address: str) -> SignedIn | Refused:
    with desk.opened(desk.current().store_url) as store:
        return signing.sign_in(store, name, password, address, time_of(store), _lasts())


def _provider(settings: OidcSettings) -> Provider:
    """Return this process's one `Provider`: it keeps documents, keys and connections."""
    return _provider_of(
        Client(settings.issuer, settings.client_id, settings.secret(), settings.scopes)
    )


_provider_of = cache(Provider)


def _redirect_uri(request: Request, settings: OidcSettings) -> str:
    base = settings.public_url or f"{request.url.scheme}://{request.headers.get('host', '')}"
    return base.rstrip("/") + SSO


def _sign_in_by_token(
    settings: OidcSettings, flow: Flow, code: str, redirect_uri: str, address: str
) -> SignedIn:
    rules = sso.Rules(
        settings.name_claim,
        settings.role_claim,
        {group: Role(role) for group, role in settings.roles.items()},
        Role(settings.default_role) if settings.default_role else None,
        settings.email_domains,
    )
    with desk.opened(desk.current().store_url) as store:
        now = time_of(store)
        with signing.guarded(store, address, now) as wait:
            if wait:
                raise SsoError(f"too many tries; try again in {math.ceil(wait.total_seconds())} s")
            claims = _provider(settings).claims(flow, code, redirect_uri, now)
            return sso.sign_in(store, settings.issuer, claims, rules, now, _lasts())


def _settings() -> WebSettings:
    return desk.current().settings.web


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def _over(answer: Response) -> Response:
    answer.delete_cookie(FLOW_COOKIE, httponly=True, samesite="lax")
    return answer


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
    settings = _settings()
    body = ""
    if settings.passwords:
        body = f"""<form method="post" action="/login">
<label for="name">Name</label>
<input id="name" name="name" autocomplete="username" maxlength="60" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<input type="hidden" name="csrf" value="{html.escape(token)}">
<input type="hidden" name="next" value="{html.escape(onward)}">
<button id="signin">Sign in</button></form>"""
    if settings.oidc is not None:
        start = f"{SSO_START}?{urlencode({'next': onward})}"
        kind = "" if settings.passwords else ' class="button"'
        label = html.escape(settings.oidc.label)
        body += f'<p><a id="sso"{kind} href="{html.escape(start)}">Sign in with {label}</a></p>'
    answer = _page("Sign in", said, body, status)
    _set_cookie(request, answer, FORM_COOKIE, token, timedelta(hours=1))
    return answer


def _account_page(visitor: Visitor, said: str, status: int = 200) -> Response:
    csrf = f'<input type="hidden" name="csrf" value="{html.escape(visitor.csrf or "")}">'
    person = visitor.person
    lead = "Choose a password of your own first." if person.must_change else ""
    back = "" if person.must_change else '<p><a href="/">Back to the board</a></p>'
    body = f"<p>{html.escape(person.name)}, {person.role.value}. {lead}</p>{back}"
    if _has_password(person.name):
        body += f"""
<form method="post" action="{ACCOUNT}/password">{csrf}
<label for="old">Present password</label>
<input id="old" name="old" type="password" autocomplete="current-password" required>
<label for="new">New password, 12 characters or more</label>
<input id="new" name="new" type="password" autocomplete="new-password" required>
<label for="again">New password again</label>
<input id="again" name="again" type="password" autocomplete="new-password" required>
<button id="change">Change password</button></form>"""
    body += f"""
<form method="post" action="{ACCOUNT}/signout">{csrf}<button id="signout">Sign out</button></form>"""
    return _page("Account", said, body, status)


def _has_password(name: str) -> bool:
    with desk.opened(desk.current().store_url) as store, store.read() as connection:
        return people.has_password(connection, name)


def _page(title: str, said: str, body: str, status: int, onward: str = "") -> Response:
    """Return a page; one with ``onward``, escaped, leads there by itself."""
    leads = f'<meta http-equiv="refresh" content="0;url={onward}">' if onward else ""
    told = f'<p class="said" role="alert">{html.escape(said)}</p>' if said else ""
    text = f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)} · Foreshock</title>{leads}<link rel="stylesheet" href="/login.css"></head>
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
    request: Request,
    answer: Response,
    name: str,
    value: str,
    lasts: timedelta,
    samesite: Literal["lax", "strict"] = "strict",
) -> None:
    """Set a cookie that scripts cannot read and other sites cannot send; under TLS, only under TLS."""
    answer.set_cookie(
        name,
        value,
        max_age=int(lasts.total_seconds()),
        httponly=True,
        samesite=samesite,
        secure=request.url.scheme == "https",
    )
