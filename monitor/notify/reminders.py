"""What only time makes due: reminders of what nobody acknowledged, and escalations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.domain import Alert, AlertState
from monitor.notify.path import Path, fitting
from monitor.notify.routes import Labels, Route, Routing
from monitor.store import Connection, alerts, outbox, silences
from monitor.store.outbox import Draft, Written
from monitor.store.silences import Silence

ANNOUNCING = ("fired", "escalated")  # changes that begin an escalation


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

    A reminder is due ``repeat_interval`` after people were last told of the alert. The first step of an
    escalation is due so long after people could have heard that it fired or got worse, each other so long
    after the one before was told. Neither goes out while the alert is silenced, inhibited or snoozed; a
    reminder waits for the route's hours, an escalation does not.
    """
    firing = alerts.unresolved(connection, [AlertState.FIRING])
    oldest = min((each.decided_at for each in firing), default=now)
    over = silences.ended(connection, oldest, now)
    for alert in firing:
        if alert.snoozed_until is not None and alert.snoozed_until > now:
            continue
        labels = path.labels(alert)
        written = outbox.written(connection, alert.id)
        keys = {each.idempotency_key for each in written}
        for route in routing.root.taken_by(labels):
            due = list(_repeats(connection, alert, route, now))
            if route.escalate:
                since = alerts.fired_at(connection, alert.id) or alert.decided_at
                peace = _peace_until(alert, labels, over, since, now)
                due += _escalations(alert, route, written, since, peace, now)
            # What was told stays due for as long as nobody acknowledges.
            fresh = [each for each in due if each.key not in keys]
            if not fresh or path.held(connection, alert, labels, route, routing, now) is not None:
                continue
            whole = alerts.get(connection, alert.id) or alert  # with its evidence
            for each in fresh:
                yield Draft(
                    *(each.key, each.channel, alert.id, *path.render(whole, each.why, route)),
                    *(outbox.PENDING, "", None),
                    *(route.name, route.group_of(labels), each.change),
                )


def _escalations(
    alert: Alert,
    route: Route,
    written: Sequence[Written],
    since: datetime,
    peace: datetime,
    now: datetime,
) -> Iterator[_Due]:
    """The steps up to the first whose time has not come.

    Parameters
    ----------
    written
        What was written of the alert.
    since, peace
        When it fired or got worse; until when it was silenced or snoozed since then.
    """
    # Nobody acknowledges what nobody could hear of: while the service stood still, or there was peace. It
    # counts from there although a channel may be down: that is what an escalation is for.
    announced = (
        each.at
        for each in written
        if each.route == route.name and each.change in ANNOUNCING and each.at >= since
    )
    told_at = {each.idempotency_key: each.at for each in written}
    began, former = max(next(announced, since), peace), timedelta(0)
    why = f"nobody has acknowledged it for {_span(now - since)}"
    for number, step in enumerate(route.escalate, 1):
        if now - began < step.after - former:
            return
        stem = f"{alert.id}:escalation:{number}:{since.timestamp():.0f}"
        keys = [f"{stem}:{channel}" for channel in step.channels]
        for key, channel in zip(keys, step.channels, strict=True):
            yield _Due(key, channel, why, "escalation")
        if keys:
            told = min(told_at.get(key, now) for key in keys)
            began, former = max(told, peace), step.after


def _peace_until(
    alert: Alert, labels: Labels, over: Iterable[Silence], since: datetime, now: datetime
) -> datetime:
    """Return when the last silence or snooze of an alert ended since a time; else that time."""
    ends = [since, *(each.ends_at for each in fitting(over, labels))]
    if alert.snoozed_until is not None and alert.snoozed_until <= now:
        ends.append(alert.snoozed_until)
    return max(ends)


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
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.3g} h"
