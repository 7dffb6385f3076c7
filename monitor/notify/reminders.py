"""What only time makes due: reminders of what nobody acknowledged, and escalations."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from monitor.domain import Alert, AlertState
from monitor.notify.path import Path
from monitor.notify.routes import Labels, Route, Routing
from monitor.store import Connection, alerts, outbox
from monitor.store.outbox import Draft


def reminders(
    connection: Connection, path: Path, routing: Routing, now: datetime
) -> Iterator[Draft]:
    """Yield what to tell again of alerts that fire and that nobody has acknowledged.

    A reminder is due ``repeat_interval`` after people were last told of the alert; a step of an
    escalation, once, so long after it fired or got worse. Neither goes out while the alert is silenced,
    inhibited or snoozed; a reminder waits for the route's hours, an escalation does not.
    """
    for alert in alerts.unresolved(connection, [AlertState.FIRING]):
        if alert.snoozed_until is not None and alert.snoozed_until > now:
            continue
        labels = path.labels(alert)
        if path.held(connection, alert, labels, routing, now) is not None:
            continue
        whole = alerts.get(connection, alert.id) or alert  # with its evidence
        since = alerts.fired_at(connection, alert.id) or alert.decided_at
        for route in routing.root.taken_by(labels):
            yield from _escalations(path, whole, route, labels, since, now)
            yield from _repeats(connection, path, whole, route, labels, now)


def _escalations(
    path: Path, alert: Alert, route: Route, labels: Labels, since: datetime, now: datetime
) -> Iterator[Draft]:
    for number, step in enumerate(route.escalate, 1):
        if now - since < step.after:
            continue
        why = f"nobody has acknowledged it for {_span(step.after)}"
        for channel in step.channels:
            key = f"{alert.id}:escalation:{number}:{since.timestamp():.0f}:{channel}"
            yield _draft(path, alert, route, labels, channel, key, why, "escalation")


def _repeats(
    connection: Connection,
    path: Path,
    alert: Alert,
    route: Route,
    labels: Labels,
    now: datetime,
) -> Iterator[Draft]:
    if route.repeat_interval is None or route.digest is not None:
        return
    if route.opens_at(now, alert.severity) > now:
        return
    for channel in route.channels:
        told = outbox.told_at(connection, channel, alert_id=alert.id)
        if told is None or now - told < route.repeat_interval:
            continue
        key = f"{alert.id}:repeat:{told.timestamp():.6f}:{channel}"
        why = "reminder: nobody has acknowledged it"
        yield _draft(path, alert, route, labels, channel, key, why, "reminder")


def _draft(
    path: Path,
    alert: Alert,
    route: Route,
    labels: Labels,
    channel: str,
    key: str,
    why: str,
    change: str,
) -> Draft:
    return Draft(
        *(key, channel, alert.id, *path.render(alert, why), outbox.PENDING, "", None),
        *(route.name, route.group_of(labels), change),
    )


def _span(duration: timedelta) -> str:
    minutes = round(duration.total_seconds() / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:g} h"
