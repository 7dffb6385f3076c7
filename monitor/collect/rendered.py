"""A page as it is after its JavaScript has run, in a browser that reaches only what a fetch would reach."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

import httpcore2
import httpx2

from monitor.collect.addresses import Forbidden
from monitor.collect.devtools import Chromium, Refused, found
from monitor.collect.fetch import MAX_REDIRECTS, Fetched, Fetcher, refused
from monitor.collect.proxy import USER, CheckedProxy
from monitor.collect.source import Failure, SourceError

DEADLINE_S = 60.0
MOST_WAIT_S = 15.0  # for what the page makes by and by
SETTLED_S = 0.75  # without a change
MAX_VISIT_BYTES = 30 * 2**20
MAX_REQUESTS = 300
_LOOK_S = 0.25
_LEFT_OUT = (
    "Image",
    "Media",
    "Font",
    "TextTrack",
    "Manifest",
    "Ping",
    "Prefetch",
    "CSPViolationReport",
)
_HTML = {"content-type": "text/html; charset=utf-8"}
#: A browser takes some 300 MB: one at a time.
_turn = threading.Lock()

# Run in a world of its own, where a page cannot have put anything else in the place of what is used.
_LOOK = """(() => {
  const html = document.documentElement ? document.documentElement.outerHTML : "";
  let there = true;
  try { there = %s === "" || document.querySelector(%s) !== null } catch (error) { }
  return [html.length, there && document.readyState !== "loading"];
})()"""
_TAKE = "document.documentElement ? document.documentElement.outerHTML.slice(0, %d) : ''"


def render(fetcher: Fetcher, url: str, wait_for: str = "", sandbox: bool = True) -> Fetched:
    """Return the HTML of a page after its JavaScript has run.

    Parameters
    ----------
    fetcher
        Of the source: its web, whom it trusts, whether it asks robots.txt (of the page and of where it
        redirects to; what a page loads besides is asked for as a browser does).
    wait_for
        A CSS selector of what must be there before the page counts as made; waits `MOST_WAIT_S` at most.
    sandbox
        Whether Chromium's sandbox is used.

    Raises
    ------
    SourceError
        Whatever went wrong; names the address.
    """
    try:
        found()
        fetcher.ask_leave(url)
        if not _turn.acquire(timeout=DEADLINE_S):
            raise SourceError("other pages are still being rendered", kind=Failure.TIMEOUT)
        try:
            with fetcher.turn(url):
                return _Visit(fetcher, url, sandbox).made(wait_for)
        finally:
            _turn.release()
    except SourceError as error:
        if url in str(error):
            raise
        raise SourceError(
            f"{url}: {error}", error.retry_after_s, error.kind, error.status
        ) from error


class _Visit:
    """One page in one browser."""

    def __init__(self, fetcher: Fetcher, url: str, sandbox: bool) -> None:
        self._fetcher = fetcher
        self._url = self._place = url
        self._sandbox = sandbox
        self._until_s = time.monotonic() + DEADLINE_S
        self._documents = self._requests = 0
        self._status = 0
        self._headers: Mapping[str, str] = {}
        self._error: SourceError | None = None
        self._frame = ""
        # What the page asks for, seen before it is let out: the browser's own errands stay at home.
        self._asked: set[tuple[str, int]] = set()
        self._trusted = {_end(origin) for origin in fetcher.trusted}

    def made(self, wait_for: str) -> Fetched:
        with (
            CheckedProxy(self._connect, MAX_VISIT_BYTES, self._until_s) as proxy,
            Chromium(proxy.port, self._until_s, self._sandbox, self._happened) as browser,
        ):
            self._browser, self._proxy = browser, proxy
            self._open()
            self._wait(wait_for)
            self._check()
            most = self._fetcher.max_body_bytes
            html = self._evaluate(_TAKE % (most + 1)).encode("utf-8", "replace")
            if len(html) > most:
                message = f"the page has more than {most} bytes"
                raise SourceError(message, kind=Failure.TOO_LARGE)
            return Fetched(self._place, html, _HTML)

    def _connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        if (host, port) not in self._asked:
            raise httpcore2.ConnectError(f"the page does not ask for {host}:{port}")
        return self._fetcher.web.connect(host, port, timeout_s, (host, port) in self._trusted)

    def _open(self) -> None:
        call = self._browser.call
        call("Browser.setDownloadBehavior", {"behavior": "deny"})
        self._browser.attach()
        call("Page.enable")
        call("Network.enable", {"maxTotalBufferSize": 0, "maxResourceBufferSize": 0})
        call("Fetch.enable", {"handleAuthRequests": True})
        self._frame = call("Page.getFrameTree")["frameTree"]["frame"]["id"]
        failed = call("Page.navigate", {"url": self._url}).get("errorText")
        self._check()
        if failed:
            raise SourceError(f"the browser says {failed}", kind=Failure.PROTOCOL)

    def _wait(self, wait_for: str) -> None:
        """Wait until what is waited for is there and the page no longer grows, but not for ever."""
        end = time.monotonic() + MOST_WAIT_S
        selector = json.dumps(wait_for)
        length, since = -1, time.monotonic()
        while time.monotonic() < end:
            self._browser.pump(_LOOK_S)
            self._check()
            try:
                now, there = self._evaluate(_LOOK % (selector, selector))
            except Refused:
                continue  # it is on its way to another page
            if now != length:
                length, since = now, time.monotonic()
            elif there and time.monotonic() - since >= SETTLED_S:
                return

    def _evaluate(self, expression: str) -> Any:
        world = self._browser.call("Page.createIsolatedWorld", {"frameId": self._frame})
        told = {
            "expression": expression,
            "contextId": world["executionContextId"],
            "returnByValue": True,
        }
        return self._browser.call("Runtime.evaluate", told)["result"].get("value")

    def _happened(self, event: str, told: Mapping[str, Any]) -> None:
        send = self._browser.send
        if event == "Fetch.requestPaused":
            if self._may(told):
                send("Fetch.continueRequest", {"requestId": told["requestId"]})
            else:
                failed = {"requestId": told["requestId"], "errorReason": "BlockedByClient"}
                send("Fetch.failRequest", failed)
        elif event == "Fetch.authRequired":
            answer = {"response": "CancelAuth"}
            if told["authChallenge"].get("source") == "Proxy":
                answer = {
                    "response": "ProvideCredentials",
                    "username": USER,
                    "password": self._proxy.password,
                }
            reply = {"requestId": told["requestId"], "authChallengeResponse": answer}
            send("Fetch.continueWithAuth", reply)
        elif event == "Page.javascriptDialogOpening":
            send("Page.handleJavaScriptDialog", {"accept": False})
        elif event == "Network.responseReceived" and self._is_page(told, "type"):
            self._status = told["response"]["status"]
            answered = told["response"]["headers"]
            self._headers = {name.lower(): str(value) for name, value in answered.items()}

    def _is_page(self, told: Mapping[str, Any], kind: str) -> bool:
        return told.get(kind) == "Document" and told.get("frameId") == self._frame

    def _may(self, told: Mapping[str, Any]) -> bool:
        self._requests += 1
        if told["resourceType"] in _LEFT_OUT or self._requests > MAX_REQUESTS:
            return False
        end = _end(told["request"]["url"])
        if end is None:
            return False
        self._asked.add(end)
        if not self._is_page(told, "resourceType"):
            return True
        self._place, self._status = told["request"]["url"], 0
        self._documents += 1
        try:
            if self._documents > MAX_REDIRECTS + 1:
                message = f"more than {MAX_REDIRECTS} redirects, maybe for want of cookies"
                raise SourceError(message, kind=Failure.PROTOCOL)
            self._fetcher.ask_leave(self._place)
        except SourceError as error:
            self._error = error
        return self._error is None

    def _check(self) -> None:
        """Raise what went wrong with the page itself; what it loads besides may fail."""
        if self._error is not None:
            raise self._error
        if self._proxy.too_much:
            message = f"the page and what it loads have more than {MAX_VISIT_BYTES} bytes"
            raise SourceError(message, kind=Failure.TOO_LARGE)
        end = _end(self._place)
        why = None if end is None else self._proxy.refused.get(end)
        if why is not None:
            private = isinstance(why, Forbidden)
            hint = "; a source may have private = true" if private else ""
            kind = Failure.FORBIDDEN if private else Failure.UNREACHABLE
            raise SourceError(f"{why or type(why).__name__}{hint}", kind=kind)
        if self._status >= 400:
            raise refused(self._url, self._status, self._headers)


def _end(url: str) -> tuple[str, int] | None:
    """Return host and port of an address of the web."""
    try:
        place = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError):
        return None
    usual = {"http": 80, "https": 443}.get(place.scheme)
    return None if usual is None else (place.raw_host.decode("ascii"), place.port or usual)
