"""A web process over a store with people in it, and plain HTTP to talk to it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.client import HTTPResponse
from pathlib import Path

from monitor.access import passwords
from monitor.access.roles import Role
from monitor.access.signing import issue_token
from monitor.clock import SystemClock
from monitor.store import Store, people
from monitor.store.people import Person

PASSWORD = "an open secret of tests"
#: One of each role, by name.
PEOPLE = {"vic": Role.VIEWER, "ann": Role.ANALYST, "ada": Role.ADMIN}
SCOPES = {"vic": ("read",), "ann": ("read", "act"), "ada": ("read", "act", "admin")}


def populate(store: Store) -> dict[str, str]:
    """Add `PEOPLE`, who all have `PASSWORD`; return a token of each, with all that the role allows."""
    found = {}
    now = SystemClock().now()
    with store.write() as connection:
        for name, role in PEOPLE.items():
            hashed = passwords.hashed(PASSWORD, name)
            people.add(connection, Person(name, role), hashed, "test", now)
            lasts = timedelta(hours=1)
            token = issue_token(connection, name, "test", SCOPES[name], lasts, "test", now)
            found[name] = token[1]
    return found


@contextmanager
def web(store_url: str, folder: Path, **settings: object) -> Iterator[str]:
    """Run ``python -m dashboards`` with ``[web]`` settings, from a folder of its own; yield its URL."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "FORESHOCK__WEB__PORT": "0",
        **{f"FORESHOCK__WEB__{name.upper()}": str(value) for name, value in settings.items()},
    }
    log = folder / "web.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "dashboards", "--db", store_url],
            stderr=errors,
            cwd=folder,
            env=environment,
        )
    try:
        yield _url(process, log)
    finally:
        process.terminate()
        process.wait(30)


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(1_000):
        found = re.search(r"dashboard: (\S+)", log.read_text())
        if found:
            return found[1]
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError(log.read_text())


class _Stays(urllib.request.HTTPRedirectHandler):
    """Redirections are answers, too."""

    def redirect_request(self, *_: object) -> None:
        return None


@dataclass
class Answer:
    """Of the server."""

    status: int
    text: str
    headers: Mapping[str, str]
    cookies: dict[str, str]


@dataclass
class Browser:
    """Sends forms and keeps cookies, as a browser does; any header may be forged."""

    url: str
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(
        self,
        path: str,
        form: Mapping[str, str] | None = None,
        method: str | None = None,
        body: bytes | None = None,
        **headers: str,
    ) -> Answer:
        if form is not None:
            body = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(self.url + path, body, method=method)
        if self.cookies:
            request.add_header("Cookie", "; ".join(f"{n}={v}" for n, v in self.cookies.items()))
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        opener = urllib.request.build_opener(_Stays)
        try:
            with opener.open(request, timeout=100) as answer:
                return self._taken(answer)
        except urllib.error.HTTPError as error:
            with error:
                return self._taken(error)

    def sign_in(self, name: str, password: str = PASSWORD, onward: str = "/") -> Answer:
        """Fill in the login form."""
        form = {"name": name, "password": password, "csrf": self.csrf("/login"), "next": onward}
        return self.ask("/login", form)

    def csrf(self, path: str) -> str:
        """Return the token in the form of a page."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.ask(path).text)
        assert found is not None
        return found[1]

    def _taken(self, answer: HTTPResponse | urllib.error.HTTPError) -> Answer:
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        text = answer.read().decode("utf-8", "replace")
        return Answer(answer.status or 0, text, dict(answer.headers), dict(self.cookies))
