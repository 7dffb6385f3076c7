"""Prometheus Alertmanager: its webhook's body, and a channel that hands alerts to one.

Two ways, for two wishes. What reads Alertmanager's webhook already (a pager, a bridge to a chat) reads ours
with ``format = "alertmanager"``. Who has an Alertmanager and wants it to route, group and silence gives its
address to a channel of kind ``alertmanager``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import httpx2 as httpx
import orjson

from monitor.clock import Clock, SystemClock
from monitor.domain import Notification, digest
from monitor.errors import ConfigError
from monitor.notify.port import RETRIABLE, ChannelConfig, ChannelRefused, ChannelRetriable

#: How long an Alertmanager takes an alert for firing when it hears no more of it.
KEPT = timedelta(days=7)
_LABELS = ("kind", "dimension", "key", "company", "event", "severity")
_ZERO = "0001-01-01T00:00:00Z"  # what Go writes for no time


def webhook_body(payload: Mapping[str, object], receiver: str) -> dict[str, object]:
    """Return the body of Alertmanager's webhook, version 4, for a notification's payload.

    See https://prometheus.io/docs/alerting/latest/configuration/#webhook_config.
    """
    told = [_alert(each, str(payload.get("link") or "")) for each in _alerts(payload)]
    firing = any(each["status"] == "firing" for each in told)
    labels = [_mapping(each["labels"]) for each in told]
    key = digest("\0".join(str(each["fingerprint"]) for each in told))[:16]
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alerts="{key}"}}',
        "truncatedAlerts": 0,
        "status": "firing" if firing else "resolved",
        "receiver": receiver,
        "groupLabels": {"alertname": labels[0]["alertname"]} if len(labels) == 1 else {},
        "commonLabels": _common(labels),
        "commonAnnotations": _common([_mapping(each["annotations"]) for each in told]),
        "externalURL": str(payload.get("link") or ""),
        "alerts": told,
    }


class AlertmanagerChannel:
    """POST alerts to ``/api/v2/alerts`` of an Alertmanager, which then routes, groups and tells people.

    An alert is given as firing for `KEPT`; its end is told where the route has ``send_resolved``.

    Raises
    ------
    ConfigError
        The address is missing or unusable.
    """

    def __init__(self, config: ChannelConfig, clock: Clock | None = None) -> None:
        self.name = config.name
        try:
            url = httpx.URL(config.url)
        except (httpx.InvalidURL, TypeError, ValueError):
            url = httpx.URL("")
        if url.scheme not in ("http", "https") or not url.host:
            raise ConfigError(
                f"channel {config.name!r}: `url` must be the address of an Alertmanager, "
                "http(s)://HOST:9093"
            )
        logging.getLogger("httpx2").setLevel(logging.WARNING)  # its INFO line holds the address
        self._url = url.copy_with(path=url.path.rstrip("/") + "/api/v2/alerts")
        self._clock = clock or SystemClock()
        self._client = httpx.Client(timeout=config.timeout_s, follow_redirects=False)

    def __repr__(self) -> str:
        return f"AlertmanagerChannel({self.name!r})"

    def send(self, notification: Notification) -> None:
        kept_until = self._clock.now() + KEPT
        link = str(notification.payload.get("link") or "")
        body = []
        for each in _alerts(notification.payload):
            body += [*_milder(each, link), _posted(each, link, kept_until)]
        headers = {"Content-Type": "application/json", "User-Agent": "foreshock"}
        try:
            answer = self._client.post(self._url, content=orjson.dumps(body), headers=headers)
        except httpx.HTTPError as error:
            raise ChannelRetriable(
                f"channel {self.name!r}: no answer: {type(error).__name__}"
            ) from None
        status = answer.status_code
        if status in RETRIABLE or status >= 500:
            raise ChannelRetriable(f"channel {self.name!r}: HTTP {status}")
        if not 200 <= status < 300:
            raise ChannelRefused(
                f"channel {self.name!r}: HTTP {status}; is its `url` that of an Alertmanager?"
            )

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()


def _alerts(payload: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The alerts of a payload of one or of several."""
    many = payload.get("alerts")
    if isinstance(many, Sequence) and not isinstance(many, str):
        return [_mapping(each) for each in many]
    return [{**_mapping(payload.get("alert")), "reason": payload.get("reason")}]


def _alert(alert: Mapping[str, object], link: str) -> dict[str, object]:
    resolved = alert.get("state") == "resolved"
    return {
        "status": "resolved" if resolved else "firing",
        "labels": _labels(alert),
        "annotations": _annotations(alert),
        "startsAt": alert.get("started_at") or _ZERO,
        "endsAt": (alert.get("updated_at") if resolved else None) or _ZERO,
        "generatorURL": link,
        "fingerprint": digest(str(alert.get("fingerprint")))[:16],
    }


def _milder(alert: Mapping[str, object], link: str) -> list[dict[str, object]]:
    """The alert as it was while less severe, as over: severity is a label, so each is an alert of its own."""
    severity = alert.get("severity")
    return [
        _posted({**alert, "severity": less, "state": "resolved"}, link, None)
        for less in range(1, severity if isinstance(severity, int) else 1)
    ]


def _posted(
    alert: Mapping[str, object], link: str, kept_until: datetime | None
) -> dict[str, object]:
    whole = _alert(alert, link)
    ends = kept_until.isoformat() if kept_until and whole["status"] == "firing" else whole["endsAt"]
    posted = {name: whole[name] for name in ("labels", "annotations", "startsAt")}
    return {**posted, "endsAt": ends, **({"generatorURL": link} if link else {})}


def _labels(alert: Mapping[str, object]) -> dict[str, str]:
    """What names the alert: the same for every message of it, but for a severity that rises."""
    found = {name: str(alert[name]) for name in _LABELS if alert.get(name) not in (None, "")}
    return {"alertname": f"foreshock_{alert.get('event')}", **found}


def _annotations(alert: Mapping[str, object]) -> dict[str, str]:
    proof = alert.get("evidence")
    first = _mapping(proof[0]) if isinstance(proof, Sequence) and proof else {}
    found = {
        "summary": alert.get("title"),
        "reason": alert.get("reason"),
        "quote": first.get("quote"),
        "url": first.get("url"),
        "publishers": alert.get("publishers"),
    }
    return {name: str(value) for name, value in found.items() if value not in (None, "")}


def _mapping(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, Mapping) else {}


def _common(each: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """What all have, with the same value."""
    first = each[0] if each else {}
    return {
        name: value
        for name, value in first.items()
        if all(other.get(name) == value for other in each)
    }
