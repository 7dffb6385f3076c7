"""Our alerts in a real Prometheus Alertmanager: what its API shows, and what it tells others."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx

from monitor.domain import Alert, AlertState, Evidence, Notification
from monitor.notify.channels import Channel, ChannelConfig, build_channel
from monitor.notify.message import render, render_group
from tests.support import make
from tests.support.receiver import Receiver

WAIT_S = 20.0


def alert(event: str = "recall", severity: int = 4, key: str = "acme") -> Alert:
    when = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=30)
    proof = Evidence(
        "a" * 32, "r", when, "Wire", "Acme recalls", "https://w.example/1", "q", -1.0, ""
    )
    return make.alert(key, event, severity, at=when, id="al1", publishers=2, evidence=(proof,))


def over(alert: Alert) -> Alert:
    return replace(
        alert,
        state=AlertState.RESOLVED,
        resolved_at=datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1),
    )


def tell(channel: Channel, *alerts: Alert) -> None:
    rendered = [render(each, "new alert", "https://desk.example", "Acme") for each in alerts]
    told = rendered[0] if len(rendered) == 1 else render_group(rendered)
    channel.send(Notification(7, "key-7", "am", "al1", *told))


def shown(address: str) -> dict[tuple[str, str], Any]:
    """What its API shows as firing, by event and severity."""
    found = httpx.get(f"{address}/api/v2/alerts", params={"active": "true"}).json()
    assert all(each["status"]["state"] == "active" for each in found)
    return {(each["labels"]["event"], each["labels"]["severity"]): each for each in found}


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def heard(receiver: Receiver) -> list[tuple[str, str, str]]:
    """What its webhook told: event, severity and status, in order, once each time."""
    return [
        (each["labels"]["event"], each["labels"]["severity"], each["status"])
        for message in receiver.received
        for each in json.loads(message.body)["alerts"]
    ]


def test_alerts_fire_and_end_there_and_are_routed_to_others(
    alertmanager: str, receiver: Receiver
) -> None:
    channel = build_channel(ChannelConfig("am", "alertmanager", alertmanager))
    first = alert()
    tell(channel, first)
    until(lambda: receiver.received)
    there = shown(alertmanager)[("recall", "4")]
    assert there["labels"] == {
        "alertname": "foreshock_recall", "kind": "story", "dimension": "company", "key": "acme",
        "company": "Acme", "event": "recall", "severity": "4",
    }  # fmt: skip
    assert there["annotations"]["summary"] == "Acme: recall"
    assert there["generatorURL"] == "https://desk.example/alerts?alert=al1"
    assert datetime.fromisoformat(there["startsAt"]) == first.started_at
    # It is kept for days: nobody posts it again in the meantime.
    assert datetime.fromisoformat(there["endsAt"]) > datetime.now(UTC) + timedelta(days=6)
    tell(channel, over(first))
    until(lambda: ("recall", "4", "resolved") in heard(receiver))
    assert shown(alertmanager) == {}
    assert heard(receiver) == [("recall", "4", "firing"), ("recall", "4", "resolved")]


def test_what_gets_worse_is_there_once(alertmanager: str, receiver: Receiver) -> None:
    channel = build_channel(ChannelConfig("am", "alertmanager", alertmanager))
    key = 'Ac-me & "Co" (größer|x) \\d'  # nothing that a matcher could take for its own
    tell(channel, alert(severity=3, key=key))
    tell(channel, alert(severity=2, key="other"))
    until(lambda: {("recall", "3", "firing"), ("recall", "2", "firing")} <= set(heard(receiver)))
    tell(channel, alert(severity=5, key=key), alert("fraud", 4))
    until(lambda: ("fraud", "4", "firing") in heard(receiver))
    until(lambda: ("recall", "3", "resolved") in heard(receiver))
    assert set(shown(alertmanager)) == {("recall", "5"), ("recall", "2"), ("fraud", "4")}
    assert set(heard(receiver)) == {
        ("recall", "2", "firing"),
        ("recall", "3", "firing"),
        ("recall", "3", "resolved"),
        ("recall", "5", "firing"),
        ("fraud", "4", "firing"),
    }
