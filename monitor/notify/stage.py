"""The notify stage: what happened to alerts becomes messages, and messages reach people.

Stages of a notification, in order: route, inhibit, record, dedup (its idempotency key is unique), retry.
Every one that is not sent carries the reason.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping, Sequence
from datetime import timedelta

from monitor.clock import Clock
from monitor.domain import OPEN_STATES, Alert, AlertKind, AlertState, Notification
from monitor.metrics import Metrics
from monitor.notify.channels import Channel, ChannelRefused, ChannelRetriable
from monitor.notify.message import render
from monitor.pipeline import Effects, Input
from monitor.store import Connection, Store, alerts, leases, outbox
from monitor.store.outbox import Draft
from monitor.stream.codec import AlertChange

log = logging.getLogger(__name__)

STAGE = "notify"
LEASE_S = 60.0
PER_TURN = 20
RETRY_S = (2.0, 900.0)  # first and longest wait between two tries
# What people are told. Acknowledged and resolved alerts are shown, not sent.
TOLD = {
    "fired": "new alert",
    "escalated": "it is worse than was known",
    "confirmed": "the rumour is confirmed",
    "developed": "something new is reported of it",
    "corrected": "a report of it is corrected",
    "withdrawn": "a report of it is withdrawn",
    "denied": "it is denied",
    "over": "it is reported to be over",
}


class NotifyStage:
    """Writes the outbox and empties it.

    Parameters
    ----------
    channels
        By name. With none, nothing is written.
    min_severity
        Alerts below are not sent.
    companies
        Names by id.
    send
        False in a replay: notifications are recorded and not sent.
    """

    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        min_severity: int,
        dashboard_url: str | None,
        companies: Mapping[str, str],
        send: bool,
        holder: str,
        wall: Clock,
        metrics: Metrics,
    ) -> None:
        self.store = store
        self.channels = channels
        self.min_severity = min_severity
        self.dashboard_url = dashboard_url
        self.companies = companies
        self.send = send
        self.holder = holder
        self.wall = wall
        self.metrics = metrics

    def process(self, batch: Sequence[Input]) -> Effects:
        changes: list[AlertChange] = [entry.body for entry in batch if entry.body.change in TOLD]

        def write(connection: Connection) -> None:
            for change in changes:
                for channel in self.channels:
                    draft = self._draft(connection, change, channel)
                    if outbox.add(connection, draft, self.wall.now()):
                        self.metrics.notifications.labels(draft.state).inc()

        return Effects(write=write if changes else None, after=self._deliver if self.send else None)

    def _draft(self, connection: Connection, change: AlertChange, channel: str) -> Draft:
        alert = change.alert
        state, reason = self._route(connection, alert)
        subject, body, payload = render(
            alert, TOLD[change.change], self.dashboard_url, self.companies.get(alert.key)
        )
        key = f"{alert.id}:{change.change}:{change.seq}:{channel}"
        return Draft(key, channel, alert.id, subject, body, payload, state, reason)

    def _route(self, connection: Connection, alert: Alert) -> tuple[str, str]:
        if alert.severity < self.min_severity:
            return outbox.SUPPRESSED, f"severity {alert.severity} is below {self.min_severity}"
        if alert.kind is AlertKind.SURGE and (cause := self._inhibitor(connection, alert)):
            return outbox.SUPPRESSED, f"inhibited: explained by the story alert {cause}"
        if not self.send:
            return outbox.RECORDED, "replay: recorded, not sent"
        return outbox.PENDING, ""

    def _inhibitor(self, connection: Connection, surge: Alert) -> str | None:
        """Return a story alert on the same company that people knew of when the surge began."""
        for alert in alerts.of_key(connection, surge.key):
            if (
                alert.kind is AlertKind.STORY
                and alert.state in (*OPEN_STATES, AlertState.RESOLVED)
                and alert.started_at <= surge.started_at
                and (alert.resolved_at is None or alert.resolved_at > surge.started_at)
            ):
                return f"{alert.title} ({alert.id[:8]})"
        return None

    def _deliver(self) -> None:
        """Send what is due; a channel that is down keeps its messages for later."""
        now = self.wall.now()
        with self.store.read() as connection:
            waiting = outbox.due(connection, now, PER_TURN)
        if not waiting:
            return
        with self.store.write() as connection:
            if not leases.hold(connection, STAGE, self.holder, now, LEASE_S):
                return
        down: set[str] = set()
        for notification in waiting:
            if notification.channel not in down and not self._try(notification):
                down.add(notification.channel)

    def _try(self, notification: Notification) -> bool:
        """Send one message; ``False`` when its channel seems down."""
        channel = self.channels.get(notification.channel)
        try:
            if channel is None:
                raise ChannelRefused(f"no channel {notification.channel!r} is configured any more")
            channel.send(notification)
        except ChannelRetriable as error:
            wait_s = min(RETRY_S[0] * 2**notification.attempts, RETRY_S[1])
            wait_s = max(wait_s * random.uniform(0.8, 1.2), error.retry_after_s or 0.0)
            log.warning("channel %s: %s; next try in %.0f s", notification.channel, error, wait_s)
            self.metrics.notifications.labels("retried").inc()
            with self.store.write() as connection:
                later = self.wall.now() + timedelta(seconds=wait_s)
                outbox.postpone(connection, notification.id, str(error), later)
            return False
        except ChannelRefused as error:
            log.error("channel %s refuses a notification: %s", notification.channel, error)
            self._settle(notification, outbox.REFUSED, str(error))
            return True
        self._settle(notification, outbox.SENT, "")
        return True

    def _settle(self, notification: Notification, state: str, reason: str) -> None:
        now = self.wall.now()
        with self.store.write() as connection:
            created_at = outbox.settle(connection, notification.id, state, reason, now)
        self.metrics.notifications.labels(state).inc()
        if state == outbox.SENT:
            self.metrics.spans.labels("notify").observe(
                max(0.0, (now - created_at).total_seconds())
            )
