"""Pages that JavaScript makes, in a real Chromium; what such a page can reach, keep and take."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.collect import rendered
from monitor.collect.addresses import is_public
from monitor.collect.devtools import NAMES
from monitor.collect.fetch import Fetcher, Web
from monitor.collect.politeness import Turns
from monitor.collect.proxy import USER, CheckedProxy
from monitor.collect.raw import RawItem
from monitor.collect.rendered import render
from monitor.collect.source import Failure, SourceConfig, SourceError
from monitor.collect.sources import open_source
from monitor.domain import DeadItem
from tests.support.site import Answer, Site, serve

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
SANDBOX = os.geteuid() != 0  # Chromium refuses root with it
MADE = """<html lang=en><ul id=news></ul><script>
setTimeout(async () => {{
  const found = await (await fetch("/data")).text();
  document.getElementById("news").innerHTML = found;
}}, 300);
{}
</script></html>"""
ROWS = b"<li><a href='/1'>Acme fails</a><time datetime='2026-01-05T09:30Z'></time></li>"


@pytest.fixture(autouse=True)
def chromium() -> None:
    if not any(map(shutil.which, NAMES)):
        reason = "no chromium: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as site:
        yield site


@pytest.fixture
def private() -> Iterator[Site]:
    """Where nobody may be led."""
    with serve() as site:
        site.pages["/"] = Answer(b"secret", headers={"Access-Control-Allow-Origin": "*"})
        yield site


def visited(
    site: Site, kind: str = "list", path: str = "/", **told: Any
) -> list[RawItem | DeadItem]:
    options = {"javascript": True, "sandbox": SANDBOX, **told}
    if kind == "list":
        options = {"item": "li", **options}
    source = open_source(SourceConfig("s", kind, site.url + path, language="en", options=options))
    try:
        return list(source.poll(NOW))
    finally:
        source.close()


def fails(visit: Callable[[], object]) -> SourceError:
    with pytest.raises(SourceError) as caught:
        visit()
    return caught.value


def paths(site: Site) -> list[str]:
    return [asked.path for asked in site.asked]


def left_running() -> list[str]:
    """Return the command lines of browsers of ours that do not end within 5 s of their parent."""
    end = time.monotonic() + 5
    while (found := running()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def running() -> list[str]:
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = place.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue  # it ended meanwhile
        if "foreshock-browser-" in line:
            found.append(line)
    return found


def test_a_list_that_javascript_makes_is_read(site: Site) -> None:
    site.pages["/"] = MADE.format("").encode()
    site.pages["/data"] = ROWS
    [item] = visited(site)
    assert isinstance(item, RawItem)
    assert (item.title, item.url) == ("Acme fails", f"{site.url}/1")
    assert item.published == datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    assert "Foreshock/" in site.asked[0].headers["user-agent"]
    assert "proxy-authorization" not in site.asked[0].headers
    assert left_running() == []
    plain = fails(lambda: visited(site, javascript=False))
    assert plain.kind is Failure.NOTHING_FOUND and "options.javascript = true" in str(plain)


def test_a_page_that_javascript_makes_is_read(site: Site) -> None:
    said = "".join(
        f"<p>Acme Corp said that it recalls every heater, reason {n}.</p>" for n in range(9)
    )
    story = f"<article><h1>Acme recall</h1>{said}</article>"
    site.pages["/"] = MADE.format("document.title = 'Acme recall'").replace("ul", "div").encode()
    site.pages["/data"] = story.encode()
    [item] = visited(site, "page")
    assert isinstance(item, RawItem) and "reason 8" in (item.body or "")


def test_a_page_reaches_no_private_address(site: Site, private: Site) -> None:
    port = private.url.rpartition(":")[2]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stun:
        stun.bind(("127.0.0.1", 0))
        stun.setblocking(False)
        places = [
            f"127.0.0.1:{port}",
            f"localhost:{port}",
            f"127.1:{port}",
            f"[::ffff:127.0.0.1]:{port}",
        ]
        tries = f"""
          const told = document.createElement("p"); document.body.append(told);
          const tried = [];
          for (const place of {places}) {{
            const url = "http://" + place + "/";
            tried.push(fetch(url).then(
              () => told.append("rea" + "ched"), () => told.append("kept " + "out;")));
            fetch(url, {{mode: "no-cors", method: "POST", body: "x"}}).catch(() => 0);
            navigator.sendBeacon(url, "x");
            for (const name of ["img", "iframe", "script"]) {{
              const element = document.createElement(name);
              element.src = url; document.body.append(element);
            }}
            try {{ new WebSocket("ws://" + place + "/") }} catch (error) {{ }}
            const link = document.createElement("link");
            link.rel = "preconnect"; link.href = url; document.head.append(link);
            open(url);
          }}
          new WebSocket("ws://" + location.host + "/socket");
          const peer = new RTCPeerConnection(
            {{iceServers: [{{urls: "stun:127.0.0.1:{stun.getsockname()[1]}"}}]}});
          peer.createDataChannel("x");
          peer.onicecandidate = event => fetch("/candidate?" + (event.candidate?.address ?? ""));
          peer.createOffer().then(offer => peer.setLocalDescription(offer));
          Promise.all(tried).then(() => setTimeout(() => told.className = "done", 1000));
        """
        site.pages["/"] = MADE.format(tries).encode()
        site.pages["/data"] = ROWS
        fetcher = Fetcher.of(SourceConfig("s", "list", site.url))
        html = render(fetcher, site.url + "/", "p.done", SANDBOX).body or b""
        with pytest.raises(BlockingIOError):
            stun.recv(1)
    assert private.asked == []
    assert b"reached" not in html and html.count(b"kept out;") == len(places)
    assert "/data" in paths(site) and "/socket" in paths(site)  # its own may be reached
    told = {asked.query.get("address", "") for asked in site.asked if asked.path == "/candidate"}
    assert told <= {""}


@pytest.mark.parametrize("how", ["redirect", "script"])
def test_a_page_cannot_lead_to_a_private_address(how: str, site: Site, private: Site) -> None:
    if how == "redirect":
        site.pages["/"] = Answer(b"", 302, {"Location": private.url + "/"})
    else:
        site.pages["/"] = f"<script>location = '{private.url}/'</script>".encode()
    error = fails(lambda: visited(site))
    assert error.kind is Failure.FORBIDDEN and "not a public address" in str(error)
    assert private.asked == []


def test_nothing_is_kept_from_visit_to_visit(site: Site) -> None:
    keep = "document.cookie = 'seen=2; max-age=999'; localStorage.seen = 1; fetch('/' + document.cookie)"
    site.pages["/"] = Answer(
        MADE.format(keep).encode(), headers={"Set-Cookie": "seen=1; Max-Age=999"}
    )
    site.pages["/data"] = ROWS
    visited(site)
    assert any("cookie" in asked.headers for asked in site.asked)  # within one it is
    site.asked.clear()
    visited(site)
    assert "cookie" not in site.asked[0].headers


def names(host: str, port: int) -> list[str]:
    asked_for.append(host)
    return ["127.0.0.1"]


asked_for: list[str] = []


def test_names_are_resolved_by_us_alone_and_robots_txt_is_asked(site: Site) -> None:
    asked_for.clear()
    port = site.url.rpartition(":")[2]
    url = f"http://news.example:{port}/"
    site.pages["/"] = MADE.format("fetch('http://other.example:8081/').catch(() => 0)").encode()
    site.pages["/data"] = ROWS
    web = Web(names, lambda _: True, Turns(pause_s=0))
    html = render(Fetcher(web=web), url, "li", SANDBOX).body or b""
    assert b"Acme fails" in html
    assert set(asked_for) == {"news.example", "other.example"}  # and nobody of the browser's own
    assert paths(site)[:2] == ["/robots.txt", "/"]
    web.close()

    strict = Web(names, is_public, Turns(pause_s=0))
    site.asked.clear()
    assert fails(lambda: render(Fetcher(web=strict, robots=False), url, "", SANDBOX)).kind is (
        Failure.FORBIDDEN
    )
    assert site.asked == []
    strict.close()

    web = Web(names, lambda _: True, Turns(pause_s=0))
    site.pages["/robots.txt"] = b"User-agent: *\nDisallow: /closed"
    site.pages["/"] = Answer(b"", 302, {"Location": "/closed"})
    for start in (url + "closed", url):
        assert fails(lambda at=start: render(Fetcher(web=web), at, "", SANDBOX)).kind is (  # type: ignore[misc]
            Failure.BLOCKED
        )
    assert "/closed" not in paths(site)
    web.close()


def test_a_page_has_so_many_bytes_and_seconds(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.pages["/data"] = b"x" * 2_000_000
    site.pages["/"] = MADE.format("").encode()
    fetcher = Fetcher.of(SourceConfig("s", "list", site.url))
    fetcher.max_body_bytes = 100_000
    long = fails(lambda: render(fetcher, site.url + "/", "", SANDBOX))
    assert long.kind is Failure.TOO_LARGE and "more than 100000 bytes" in str(long)
    monkeypatch.setattr(rendered, "MAX_VISIT_BYTES", 1_000_000)
    assert fails(lambda: visited(site)).kind is Failure.TOO_LARGE
    monkeypatch.setattr(rendered, "DEADLINE_S", 5.0)
    site.pages["/"] = b"<li><a href=/1>Acme</a></li><script>for (;;);</script>"
    begun = time.monotonic()
    assert fails(lambda: visited(site)).kind is Failure.TIMEOUT
    assert time.monotonic() - begun < 20
    assert left_running() == []


def test_a_status_a_download_and_a_dialog_are_no_page(site: Site) -> None:
    error = fails(lambda: visited(site, path="/gone"))
    assert (error.kind, error.status) == (Failure.HTTP, 404)
    site.pages["/"] = Answer(ROWS, headers={"Content-Disposition": "attachment; filename=a.html"})
    assert fails(lambda: visited(site)).kind is Failure.PROTOCOL
    site.pages["/"] = b"<script>alert('Log in'); confirm('Sure?')</script>" + ROWS
    assert len(visited(site)) == 1


@pytest.mark.skipif(SANDBOX, reason="only root is refused by the sandbox")
def test_as_root_it_says_who_should_run_it(site: Site) -> None:
    error = fails(lambda: visited(site, sandbox=True))
    assert error.kind is Failure.MISCONFIGURED and "another user than root" in str(error)


def test_a_page_asks_so_often(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendered, "MAX_REQUESTS", 10)
    ask = "for (let n = 0; n < 50; n++) fetch('/many').catch(() => 0)"
    site.pages["/"] = b"<script>%s</script>%s" % (ask.encode(), ROWS)
    assert len(visited(site)) == 1
    assert 0 < paths(site).count("/many") < 10


def test_without_chromium_it_says_what_to_install(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    error = fails(lambda: visited(site))
    assert error.kind is Failure.MISCONFIGURED and "apt-get install chromium" in str(error)
    assert site.asked == []


def test_the_proxy_serves_its_browser_alone_and_one_host_a_connection(
    site: Site, private: Site
) -> None:
    threads = threading.active_count()

    def connect(host: str, port: int, timeout_s: float) -> socket.socket:
        return socket.create_connection((host, port), timeout_s)

    def ask(proxy: CheckedProxy, text: str) -> bytes:
        with socket.create_connection(("127.0.0.1", proxy.port), 5) as client:
            client.sendall(text.encode())
            return b"".join(iter(lambda: client.recv(65536), b""))

    site.pages["/"] = b"open"
    with CheckedProxy(connect, 10_000, time.monotonic() + 20) as proxy:
        one = f"GET {site.url}/ HTTP/1.1\r\nHost: x\r\n"
        assert ask(proxy, one + "\r\n").startswith(b"HTTP/1.1 407 ")
        login = base64.b64encode(f"{USER}:{proxy.password}".encode()).decode()
        known = f"Proxy-Authorization: Basic {login}\r\n\r\n"
        other = f"GET {private.url}/ HTTP/1.1\r\n" + known
        answer = ask(proxy, one + known + other)
        assert answer.startswith(b"HTTP/1.0 200") and answer.endswith(b"open")
        assert b"Connection: close" in answer
        assert private.asked == [] and len(site.asked) == 1
        assert ask(proxy, f"GET ftp://127.0.0.1/ HTTP/1.1\r\n{known}").startswith(b"HTTP/1.1 400 ")
        assert ask(proxy, "\r\n\r\n") == b""
    assert threading.active_count() < threads + 10
