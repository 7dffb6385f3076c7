"""The demo, as a person runs it: judged against what a desk had to be told."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.demo.feed import load_items
from monitor.notify.path import TOLD

EXPECTED = Path(__file__).parents[2] / "monitor" / "demo" / "expected.yaml"
# What the risk pack calls the events that the demo's writers named.
EVENTS = {
    "bank_run": {"bank run", "liquidity squeeze", "rescue"},
    "bankruptcy": {"bankruptcy"},
    "breach": {"cyber"},
    "downgrade": {"credit downgrade"},
    "failure": {"bankruptcy", "rescue", "bank run"},
    "fine": {"fine"},
    "liquidity": {"bank run", "liquidity squeeze", "rescue"},
    "litigation": {"lawsuit", "fine", "probe"},
    "profit_warning": {"profit warning"},
    "recall": {"recall", "accident"},
    "regulatory": {"fine", "probe"},
    "rescue": {"rescue", "bank run"},
    "settlement": {"fine"},
    "takeover": {"takeover"},
}
# Not raised by this version: good news (a takeover of a watched company), and lawsuits (severity 2).
NOT_YET = {("Brindlemere Foods", "takeover"), ("Ferrowyn Devices", "litigation")}
POLL = timedelta(hours=6)  # at this speed a visit and its queues take simulated hours


@pytest.fixture(scope="module")
def told() -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "monitor.cli", "demo", "--exit", "--json", "--duration", "45"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    assert "news sites on http://127.0.0.1:" in done.stderr
    alerts: list[dict[str, Any]] = json.loads(done.stdout)
    return alerts


def test_what_a_desk_had_to_be_told(told: list[dict[str, Any]]) -> None:
    missed = []
    for event in yaml.safe_load(EXPECTED.read_text("utf-8"))["must"]:
        if (event["company"], event["event"]) in NOT_YET:
            continue
        latest = datetime.fromisoformat(event["latest"]) + POLL
        names = [event["event"], *event.get("also", [])]
        if not any(_tells(alert, event["company"], names, latest) for alert in told):
            missed.append(f"{event['company']}: {event['event']} by {latest:%a %H:%M}")
    assert not missed


def test_no_old_story_and_no_routine_is_told(told: list[dict[str, Any]]) -> None:
    ids = {item.id: item for item in load_items()}
    wrong = []
    for event in yaml.safe_load(EXPECTED.read_text("utf-8"))["must_not"]:
        names = EVENTS.get(event["event"])
        titles = {ids[guid].title for guid in event["items"] if guid in ids}
        for alert in told:
            about = alert["title"].split(":")[0] == event["company"] and alert["kind"] == "story"
            if about and (names is None or _event(alert) in names):
                proof = {item["title"] for item in alert["evidence"] if item["mark"] == ""}
                if proof & titles or names is not None:
                    wrong.append(f"{alert['title']}: {event['why']}")
    assert not wrong


def test_few_alerts_each_with_evidence(told: list[dict[str, Any]]) -> None:
    assert 8 <= len(told) <= 25
    for alert in told:
        assert alert["evidence"], alert["title"]
        assert alert["items"] >= 1 and alert["publishers"] >= 1
        assert "rule" in alert["details"]


def test_one_alert_per_event(told: list[dict[str, Any]]) -> None:
    prints = [alert["fingerprint"] for alert in told]
    repeated = {name for name in prints if prints.count(name) > 1}
    # The recall of the first week and its widening in the second are days apart: two events.
    assert repeated <= {"story|tarnwick-home|operations"}


def _tells(alert: dict[str, Any], company: str, names: list[str], latest: datetime) -> bool:
    if alert["title"].split(":")[0] != company:
        return False
    if "surge" in names:
        return alert["kind"] == "surge" and datetime.fromisoformat(alert["started_at"]) <= latest
    events = set().union(*(EVENTS.get(name, set()) for name in names))
    published = {item["article_id"]: item["published_at"] for item in alert["evidence"]}
    return alert["kind"] == "story" and any(
        told["change"] in TOLD
        and str(told["event"]).replace("_", " ") in events
        and datetime.fromisoformat(published[told["article_id"]]) <= latest
        for told in alert["history"]
    )


def _event(alert: dict[str, Any]) -> str:
    return str(alert["event"]).replace("_", " ")
