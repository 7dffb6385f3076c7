"""What only time makes due: reminders of what nobody acknowledged, and escalations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.domain import Alert, AlertState
from monitor.notify.path import Path
from monitor.notify.routes import Route, Routing
from monitor.store import Connection, alerts, outbox
from monitor.store.outbox import Draft


@dataclass(frozen=True, slots=True)
class _Due:
    """A message that time made due: its idempotency key, and why it is told."""

    key: str
    channel: str
    why: str
    change: str


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
        since = alerts.fired_at(connection, alert.id) or alert.decided_at
        for route in routing.root.taken_by(labels):
            for due in (
                *_escalations(alert, route, since, now),
                *_repeats(connection, alert, route, now),
            ):
                # What was told stays due for as long as nobody acknowledges.
                if not outbox.is_written(connection, due.key):
                    whole = alerts.get(connection, alert.id) or alert  # with its evidence
                    yield Draft(
                        *(due.key, due.channel, alert.id, *path.render(whole, due.why)),
                        *(outbox.PENDING, "", None),
                        *(route.name, route.group_of(labels), due.change),
                    )


def _escalations(alert: Alert, route: Route, since: datetime, now: datetime) -> Iterator[_Due]:
    for number, step in enumerate(route.escalate, 1):
        if now - since < step.after:
            continue
        why = f"nobody has acknowledged it for {_span(step.after)}"
        for channel in step.channels:
            key = f"{alert.id}:escalation:{number}:{since.timestamp():.0f}:{channel}"
            yield _Due(key, channel, why, "escalation")


def _repeats(connection: Connection, alert: Alert, route: Route, now: datetime) -> Iterator[_Due]:
    if route.repeat_interval is None or route.digest is not None:
        return
    if route.opens_at(now, alert.severity) > now:
        return
    for channel in route.channels:
        told = outbox.told_at(connection, channel, alert_id=alert.id)
        if told is None or now - told < route.repeat_interval:
            continue
        key = f"{alert.id}:repeat:{told.timestamp():.6f}:{channel}"
        yield _Due(key, channel, "reminder: nobody has acknowledged it", "reminder")


def _span(duration: timedelta) -> str:
    minutes = round(duration.total_seconds() / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:g} h"
