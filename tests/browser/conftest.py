"""A real browser, and real servers over seeded databases."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from monitor.store import Store
from tests.browser import seed

SCREENSHOTS = Path(__file__).parents[1] / "screenshots"
SERVE = """
import sys
from pathlib import Path
from dashboards.app import serve
from dashboards.desk import Desk
from monitor.settings import load_settings
settings = load_settings(Path(sys.argv[3]) if len(sys.argv) > 3 else None)
shown = Desk(sys.argv[1], login=sys.argv[2] == "login", analyst="m. curie", settings=settings)
serve(shown, port=0, on_ready=lambda url: print(url, flush=True))
"""


@pytest.fixture(scope="session")
def browser() -> Iterator[webdriver.Chrome]:
    """Headless Chromium, 1440 by 900."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        reason = "no chromium: apt-get install chromium chromium-driver"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    size(chrome, 1440, 900)
    yield chrome
    chrome.quit()


def size(chrome: webdriver.Chrome, width: int, height: int) -> None:
    """Give the page this many CSS pixels."""
    chrome.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )


def prefer(chrome: webdriver.Chrome, tone: str) -> None:
    """Have the system prefer a light or dark page."""
    feature = {"name": "prefers-color-scheme", "value": tone}
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


@pytest.fixture(scope="session")
def shoot(browser: webdriver.Chrome) -> Callable[[str], Path]:
    """Save what the browser shows."""
    SCREENSHOTS.mkdir(exist_ok=True)

    def save(name: str) -> Path:
        path = SCREENSHOTS / f"{name}.png"
        assert browser.save_screenshot(str(path))
        return path

    return save


class Trap:
    """A loopback server that nobody should visit."""

    def __init__(self) -> None:
        self.visits: list[str] = []
        trap = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                trap.visits.append(self.path)
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="session")
def trap() -> Iterator[Trap]:
    trap = Trap()
    yield trap
    trap.close()


@contextmanager
def serving(
    store_url: str, folder: Path, login: bool = False, settings: Path | None = None
) -> Iterator[str]:
    """Run the web process, from a folder that holds nothing of ours; yield its URL."""
    how = [store_url, "login" if login else "open", *([str(settings)] if settings else [])]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, *how],
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), url
        yield url
    finally:
        process.terminate()
        process.wait(15)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory, trap: Trap) -> Iterator[Store]:
    """A store with the seed's story, hostile items among it."""
    folder = tmp_path_factory.mktemp("seeded")
    store = Store(f"sqlite:///{folder / 'foreshock.db'}")
    story = sorted([*seed.pieces(scale=0.4), *seed.hostile(trap.url)], key=lambda piece: piece.at)
    seed.fill(store, folder, story)
    yield store
    store.close()


@pytest.fixture(scope="session")
def board(seeded: Store, tmp_path_factory: pytest.TempPathFactory, trap: Trap) -> Iterator[str]:
    """The URL of a server over the seeded store, with sources, relations and a backtest around it."""
    settings = seed.surroundings(seeded, tmp_path_factory.mktemp("surroundings"), trap.url)
    with serving(str(seeded.url), tmp_path_factory.mktemp("elsewhere"), settings=settings) as url:
        yield url
