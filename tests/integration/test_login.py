"""The door of a real web process: who has not signed in, who guesses, and what other sites send."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.store import Store, audit
from tests.support.web import PASSWORD, Browser, populate, web

SOCKET = "/_stcore/stream"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("login")


@pytest.fixture(scope="module")
def store(folder: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{folder / 'foreshock.db'}")
    populate(store)
    yield store
    store.close()


@pytest.fixture(scope="module")
def url(store: Store, folder: Path) -> Iterator[str]:
    with web(str(store.url), folder) as url:
        yield url


def handshake(browser: Browser, **headers: str) -> int:
    """Ask for a websocket; return the status, 101 when it is opened."""
    import socket
    from urllib.parse import urlsplit

    place = urlsplit(browser.url)
    sent = {
        "Host": place.netloc,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Cookie": "; ".join(f"{n}={v}" for n, v in browser.cookies.items()),
        **headers,
    }
    lines = [f"GET {SOCKET} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=30) as wire:
        wire.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(wire.recv(64).split()[1])


def test_nothing_is_shown_to_who_has_not_signed_in(url: str) -> None:
    browser = Browser(url)
    for path in ("/", "/alerts", "/static/index.html", "/_stcore/health", "/account"):
        answer = browser.ask(path)
        assert answer.status == 303 and answer.headers["location"].startswith("/login?next=/")
    for path in ("/metrics", "/api/v1/alerts", "/api/v1/openapi.json"):
        assert browser.ask(path).status == 401
    assert browser.ask("/_stcore/upload_file/x", method="PUT", body=b"x").status == 401
    assert browser.ask("/healthz").status == 200
    with_token: dict[str, Any] = {"Authorization": "Bearer guess"}
    assert browser.ask("/metrics", **with_token).status == 401
    forged = Browser(url, {"foreshock_session": "guess"})
    assert forged.ask("/").status == 303 and handshake(forged, Origin=url) == 403


def test_who_signs_in_sees_pages_until_signing_out(url: str, store: Store) -> None:
    browser = Browser(url)
    answer = browser.sign_in("vic", onward="/alerts?alert=x")
    assert (answer.status, answer.headers["location"]) == (303, "/alerts?alert=x")
    cookie = answer.headers["set-cookie"].casefold()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert browser.ask("/").status == 200 and browser.ask("/api/v1/me").status == 200
    assert handshake(browser, Origin=url) == 101
    assert browser.ask("/", Authorization="Basic eDp5").status == 200  # of a proxy in front
    kept = dict(browser.cookies)
    assert browser.ask("/account/signout", {"csrf": browser.csrf("/account")}).status == 303
    assert Browser(url, kept).ask("/").status == 303
    assert ("vic", "signed in") in [(e.entry.who, e.entry.act) for e in audit.newest(store, 50)]


def test_the_cookie_is_only_for_tls_where_a_proxy_says_so(url: str) -> None:
    browser = Browser(url)
    form = {"name": "vic", "password": PASSWORD, "csrf": browser.csrf("/login"), "next": "/"}
    answer = browser.ask("/login", form, X_Forwarded_Proto="https")
    assert "secure" in answer.headers["set-cookie"].casefold()


@pytest.mark.parametrize("onward", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_signing_in_leads_to_no_other_site(url: str, onward: str) -> None:
    assert Browser(url).sign_in("vic", onward=onward).headers["location"] == "/"


def test_forms_of_another_site_are_refused(url: str) -> None:
    """CSRF: without the form's own token, with a foreign Origin, and by the API with a browser's session."""
    browser = Browser(url)
    assert browser.ask("/login", {"name": "vic", "password": PASSWORD}).status == 403
    browser.sign_in("ann")
    before = dict(browser.cookies)
    for path in ("/account/signout", "/account/password"):
        assert browser.ask(path, {"csrf": "guess"}).status == 403
    foreign: dict[str, Any] = {"Origin": "https://evil.example"}
    token = browser.csrf("/account")
    assert browser.ask("/account/signout", {"csrf": token}, **foreign).status == 403
    assert browser.ask("/account/signout", {"csrf": token}, Origin="null").status == 403
    assert browser.cookies == before and browser.ask("/account").status == 200
    act = f"/api/v1/alerts/{'0' * 32}/acknowledge"
    json_: dict[str, Any] = {"Content_Type": "application/json"}
    assert browser.ask(act, method="POST", body=b"{}", **json_).status == 403
    assert browser.ask(act, method="POST", body=b"{}", **json_, X_CSRF_Token="x").status == 403
    csrf = re.search('"csrf":"([^"]+)"', browser.ask("/api/v1/me").text)
    assert csrf is not None
    sent: dict[str, Any] = {**json_, "X_CSRF_Token": csrf[1]}
    assert browser.ask(act, method="POST", body=b"{}", **sent, **foreign).status == 403
    assert browser.ask(act, method="POST", body=b"{}", **sent, Origin=url).status == 409


def test_a_websocket_of_another_site_is_refused(url: str) -> None:
    browser = Browser(url)
    assert handshake(browser, Origin=url) == 403  # nobody has signed in
    browser.sign_in("vic")
    assert handshake(browser, Origin=url) == 101
    for origin in (
        "https://evil.example",
        "null",
        url.replace("127.0.0.1", "localhost"),
        url + "1",
    ):
        assert handshake(browser, Origin=origin) == 403


def test_guessing_is_slowed_down(url: str, store: Store) -> None:
    browser = Browser(url)
    answers = [browser.sign_in("ada", f"guess {number}") for number in range(7)]
    statuses = [answer.status for answer in answers]
    assert statuses[:5] == [401] * 5 and 429 in statuses
    late = next(answer for answer in answers if answer.status == 429)
    assert int(late.headers["retry-after"]) >= 1
    said = {re.sub('value="[^"]*"', "", answer.text) for answer in answers[:5]}
    nobody = browser.sign_in("nobody", "guess")
    assert said == {re.sub('value="[^"]*"', "", nobody.text)}  # tells not who exists


def test_the_login_page_holds_no_script_and_loads_nothing_from_elsewhere(url: str) -> None:
    answer = Browser(url).ask("/login?next=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["referrer-policy"] == "same-origin"  # else browsers hide their Origin
    assert Browser(url).ask("/login.css").status == 200


def test_the_first_start_prints_a_password_that_has_to_be_changed(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    database = f"sqlite:///{tmp_path / 'new.db'}"
    with web(database, tmp_path) as url:
        printed = re.findall(r"sign in as admin with (\w+)", log.read_text())
        assert len(printed) == 1
        browser = Browser(url)
        assert browser.sign_in("admin", printed[0]).headers["location"] == "/account"
        assert browser.ask("/").headers["location"] == "/account"
        assert browser.ask("/api/v1/me").status == 403 and handshake(browser, Origin=url) == 403
        form = {"csrf": browser.csrf("/account"), "old": printed[0]}
        short = browser.ask("/account/password", {**form, "new": "short", "again": "short"})
        assert short.status == 400 and "12 to 256" in short.text
        chosen = "a quite new passphrase"
        differs = browser.ask("/account/password", {**form, "new": chosen, "again": "x"})
        assert differs.status == 400
        done = browser.ask("/account/password", {**form, "new": chosen, "again": chosen})
        assert (done.status, done.headers["location"]) == (303, "/login")
        assert browser.sign_in("admin", printed[0]).status == 401
        assert browser.sign_in("admin", chosen).headers["location"] == "/"
        assert browser.ask("/").status == 200
    with web(database, tmp_path, login=False) as url:
        assert "sign in as" not in log.read_text()
        browser = Browser(url)
        assert browser.ask("/").status == 200 and browser.ask("/api/v1/me").status == 200
        assert browser.ask("/", Host="evil.example").status == 403  # a name that leads here
        assert handshake(browser, Origin="https://evil.example") == 403
        assert handshake(browser, Origin=url) == 101
