"""A running service under a real Prometheus, which tells a real Alertmanager.

Every expression of every dashboard is asked, and none comes back empty; a record that cannot be read becomes
a dead letter, an alert of Prometheus, and a message that Alertmanager routes.
"""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from typer.testing import CliRunner

from deploy.grafana.__main__ import written
from monitor.cli import app
from monitor.pipeline import ARTICLES
from monitor.stream import LocalStreamSettings, open_broker
from monitor.stream.port import Message
from tests.support.program import free_port
from tests.support.prometheus import Prometheus, prometheus
from tests.support.receiver import Receiver
from tests.support.site import Site, serve

pytestmark = pytest.mark.timeout(400)

WAIT_S = 180.0
ITEMS = 700  # a drift monitor wants 300 of the last week and 300 before it
COMPANIES = ("Aldermoor", "Corvane", "Eastmarch", "Halveth", "Penrowe")
EVENTS = (
    "files for bankruptcy protection",
    "recalls thousands of cookers over burns",
    "names a new chief of staff",
    "reports quarterly sales in line with forecasts",
    "denies that it faces a fraud probe",
)
SETTINGS = """
[store]
url = "sqlite:///{folder}/foreshock.db"

[dates]
stale_days = 30

[watchlist]
path = "{folder}/watchlist.csv"

[[sources]]
name = "wire"
location = "{site}/feed"
interval_s = 2

[[sources]]
name = "gone"
location = "{site}/gone"
interval_s = 5

[[notify.channels]]
name = "desk"
kind = "webhook"
url = "{receiver}"
secret = "test"

[notify.heartbeat]
url = "{receiver}beat"
every_s = 2

[web]
port = {port}
login = false
"""


def feed(now: datetime) -> bytes:
    """Three weeks of invented news; half of it is of the last week."""
    items = []
    for number in range(ITEMS):
        days = number / ITEMS * 14 if number < ITEMS / 2 else 7 + number / ITEMS * 14
        company = COMPANIES[number % len(COMPANIES)]
        title = f"{company} {EVENTS[number // 7 % len(EVENTS)]}, item {number}"
        items.append(
            f"<item><title>{escape(title)}</title><guid>https://wire.example/{number}</guid>"
            f"<link>https://wire.example/{number}</link>"
            f"<pubDate>{format_datetime(now - timedelta(days=days, minutes=1))}</pubDate></item>"
        )
    return (
        f"<rss version='2.0'><channel><title>Wire</title>{''.join(items)}</channel></rss>".encode()
    )


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as site:
        yield site


@pytest.fixture
def service(tmp_path: Path, site: Site, receiver: Receiver) -> Iterator[str]:
    """HOST:PORT of a service that reads the site's feed."""
    site.pages["/feed"] = feed(datetime.now(UTC))
    port = free_port()
    rows = "".join(f"{name},core\n" for name in COMPANIES)
    (tmp_path / "watchlist.csv").write_text("name,groups\n" + rows, "utf-8")
    config = tmp_path / "foreshock.toml"
    text = SETTINGS.format(folder=tmp_path, site=site.url, receiver=receiver.url, port=port)
    config.write_text(text, "utf-8")
    command = [sys.executable, "-m", "monitor.cli", "run", "--config", str(config)]
    with (tmp_path / "run.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        yield f"127.0.0.1:{port}"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0, (tmp_path / "run.log").read_text()[-3000:]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def asked() -> Iterator[tuple[str, str]]:
    """Every expression of the dashboards, with the variables filled in as Grafana does."""
    for path, text in written().items():
        for panel in json.loads(text)["panels"]:
            for target in panel.get("targets", ()):
                expression = target["expr"].replace("$__rate_interval", "30s")
                yield f"{path.stem}: {panel['title']}", expression.replace("$job", ".*")


def test_no_panel_is_empty_and_alerts_reach_alertmanager(
    service: str, tmp_path: Path, receiver: Receiver, alertmanager: str
) -> None:
    with prometheus(tmp_path, [service], alertmanager.removeprefix("http://")) as told:

        def is_at_least(expression: str, least: float) -> bool:
            return sum(value for _, value in told.ask(expression)) >= least

        stored = 'foreshock_aggregate_items_total{outcome="new"}'
        until(lambda: is_at_least(stored, ITEMS), "not everything was stored")
        sent = 'foreshock_notify_notifications_total{outcome="sent"}'
        until(lambda: is_at_least(sent, 1), "nobody was told")
        poison(tmp_path / "foreshock-streams.db")
        drift = ["retrain", "drift", "--db", f"sqlite:///{tmp_path}/foreshock.db"]
        assert CliRunner().invoke(app, drift).exit_code in (0, 1)  # 1: a monitor speaks
        time.sleep(3)  # scrapes and evaluations
        empty = {where: ask for where, ask in asked() if not _answers(told, ask)}
        assert not empty
        ratio = told.ask("foreshock:coverage:error_ratio_5m")
        assert len(ratio) == 1 and 0 < ratio[0][1] <= 1, "one of two sources is gone"
        until(lambda: bool(routed(receiver, "ForeshockDeadLetters")), "Alertmanager told nobody")
        (alert, *_) = routed(receiver, "ForeshockDeadLetters")
        assert alert["labels"]["stage"] == "classify"
        assert alert["annotations"]["runbook"].endswith("#dead-letters")


def poison(log: Path) -> None:
    """Append a record that is not one of ours."""
    broker = open_broker(LocalStreamSettings(path=log))
    writer = broker.writer()
    writer.append(ARTICLES, [Message("x", b"not a record")])
    writer.flush()
    writer.close()
    broker.close()


def _answers(told: Prometheus, expression: str) -> bool:
    found = [value for _, value in told.ask(expression)]
    return bool(found) and not any(math.isnan(value) for value in found)


def routed(receiver: Receiver, name: str) -> list[dict[str, dict[str, str]]]:
    """Return what Alertmanager told of an alert by its webhook."""
    bodies = [each.body for each in receiver.received if re.search(rb'"receiver":', each.body)]
    alerts = [alert for body in bodies for alert in json.loads(body)["alerts"]]
    return [alert for alert in alerts if alert["labels"].get("alertname") == name]
