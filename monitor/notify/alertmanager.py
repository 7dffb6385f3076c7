"""Prometheus Alertmanager: its webhook's body, and a channel that hands alerts to one.

Two ways, for two wishes. What reads Alertmanager's webhook already (a pager, a bridge to a chat) reads ours
with ``format = "alertmanager"``. Who has an Alertmanager and wants it to route, group and silence gives its
address to a channel of kind ``alertmanager``.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

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

    ``groupKey`` names the route and the labels of the group: each message of a group has the same. See
    https://prometheus.io/docs/alerting/latest/configuration/#webhook_config.
    """
    group = {name: str(value) for name, value in _mapping(payload.get("group_labels")).items()}
    told = [_alert(each) for each in _alerts(payload)]
    for each in told:
        each["labels"] = {**group, **_mapping(each["labels"])}
    firing = any(each["status"] == "firing" for each in told)
    matched = ",".join(f"{name}={json.dumps(group[name])}" for name in sorted(group))
    return {
        "version": "4",
        "groupKey": f"{payload.get('route') or ''}:{{{matched}}}",
        "truncatedAlerts": 0,  # all of a message are in it
        "status": "firing" if firing else "resolved",
        "receiver": receiver,
        "groupLabels": group,
        "commonLabels": _common([_mapping(each["labels"]) for each in told]),
        "commonAnnotations": _common([_mapping(each["annotations"]) for each in told]),
        "externalURL": str(payload.get("dashboard_url") or ""),
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
        told = _alerts(notification.payload)
        body = [*self._former(told), *(_posted(each, kept_until) for each in told)]
        self._answer("POST", content=orjson.dumps(body))

    def _former(self, told: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
        """What fires there as one of these alerts still, by labels that it has no more: each is over.

        Severity is a label, so an alert that gets worse is another one there.
        """
        known = {each["fingerprint"]: each for each in told if each.get("fingerprint")}
        if not known:
            return []
        answer = self._answer("GET", params={"filter": _any_of(known.values())})
        try:
            firing = [_mapping(each) for each in orjson.loads(answer.content)]
        except (orjson.JSONDecodeError, TypeError):
            raise ChannelRefused(
                f"channel {self.name!r}: its answer is no list of alerts; "
                "is its `url` that of an Alertmanager?"
            ) from None
        over = []
        for each in firing:
            alert = known.get(_mapping(each.get("annotations")).get("fingerprint"))
            if alert is not None and each.get("labels") != _labels(alert):
                kept = {name: each.get(name) for name in ("labels", "annotations", "startsAt")}
                over.append({**kept, "endsAt": alert.get("updated_at") or each.get("startsAt")})
        return over

    def _answer(self, method: str, **request: Any) -> httpx.Response:
        """What it answers; or its trouble, said as a channel's."""
        headers = {"Content-Type": "application/json", "User-Agent": "foreshock"}
        try:
            answer = self._client.request(method, self._url, headers=headers, **request)
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
        return answer

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()


def _alerts(payload: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The alerts of a payload of one or of several."""
    many = payload.get("alerts")
    if isinstance(many, Sequence) and not isinstance(many, str):
        return [_mapping(each) for each in many]
    alert = _mapping(payload.get("alert"))
    return [{**alert, "reason": payload.get("reason"), "link": payload.get("link")}]


def _alert(alert: Mapping[str, object]) -> dict[str, object]:
    resolved = alert.get("state") == "resolved"
    ended = alert.get("resolved_at") or alert.get("updated_at")
    return {
        "status": "resolved" if resolved else "firing",
        "labels": _labels(alert),
        "annotations": _annotations(alert),
        "startsAt": alert.get("started_at") or _ZERO,
        "endsAt": (ended if resolved else None) or _ZERO,
        "generatorURL": str(alert.get("link") or ""),
        "fingerprint": digest(str(alert.get("fingerprint")))[:16],
    }


def _posted(alert: Mapping[str, object], kept_until: datetime) -> dict[str, object]:
    whole = _alert(alert)
    ends = kept_until.isoformat() if whole["status"] == "firing" else whole["endsAt"]
    posted = {name: whole[name] for name in ("labels", "annotations", "startsAt")}
    link = whole["generatorURL"]
    return {**posted, "endsAt": ends, **({"generatorURL": link} if link else {})}


def _labels(alert: Mapping[str, object]) -> dict[str, str]:
    """What names the alert: the same for every message of it, but for a severity that rises."""
    found = {name: str(alert[name]) for name in _LABELS if alert.get(name) not in (None, "")}
    return {"alertname": f"foreshock_{alert.get('event')}", **found}


def _any_of(alerts: Iterable[Mapping[str, object]]) -> list[str]:
    """Matchers that fit each of these alerts, whatever its severity."""
    labels = [_labels(each) for each in alerts]
    lasting = [name for name in ("alertname", "key") if all(name in each for each in labels)]
    values = {name: sorted({re.escape(each[name]) for each in labels}) for name in lasting}
    return [
        f"{name}=~{json.dumps('|'.join(found), ensure_ascii=False)}"
        for name, found in values.items()
    ]


def _annotations(alert: Mapping[str, object]) -> dict[str, str]:
    proof = alert.get("evidence")
    first = _mapping(proof[0]) if isinstance(proof, Sequence) and proof else {}
    found = {
        "summary": alert.get("title"),
        "reason": alert.get("reason"),
        "quote": first.get("quote"),
        "url": first.get("url"),
        "publishers": alert.get("publishers"),
        "fingerprint": alert.get("fingerprint"),
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
