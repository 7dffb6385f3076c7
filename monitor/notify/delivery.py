"""From the outbox to people: what has waited long enough is put together, and what is due is sent.

A channel that fails twice in a row is left alone (its circuit is open) until its messages are due again. The
probes are the oldest and the one tried least, so that a message which its receiver cannot take holds up no
other. When one goes out, all that waited for the channel follows at once.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from monitor.clock import Clock
from monitor.domain import Alert, AlertState, Notification, digest
from monitor.metrics import Metrics
from monitor.notify.message import render_group
from monitor.notify.path import Verdict, apart
from monitor.notify.port import Channel, ChannelRefused, ChannelRetriable
from monitor.store import Connection, Store, alerts, outbox
from monitor.store.outbox import Draft, Waiting

log = logging.getLogger(__name__)

Held = Callable[[Connection, Alert], Verdict | None]

PER_TURN = 20
DOWN_AFTER = 2  # failures in a row
RETRY_S = (2.0, 300.0)  # first and longest wait between two tries


class Delivery:
    """Sends, at least once."""

    def __init__(
        self, store: Store, channels: Mapping[str, Channel], wall: Clock, metrics: Metrics
    ) -> None:
        self.store = store
        self.channels = channels
        self.wall = wall
        self.metrics = metrics
        self._failing: set[str] = set()  # channels whose last try failed

    def flush(self, connection: Connection, digests: frozenset[str], held: Held) -> None:
        """Put together what has waited: one message for each channel and group.

        Parameters
        ----------
        digests
            Routes whose messages are digests: they hold what is over by now, too.
        held
            What holds an alert back by now: a silence, a snooze, an alert that explains it may be newer than
            the message.
        """
        now = self.wall.now()
        waiting = sorted(outbox.ripe(connection, now), key=lambda each: (each.channel, each.group))
        for _, members in groupby(waiting, key=lambda each: (each.channel, each.group)):
            together = sorted(members, key=lambda each: each.id)
            self._put_together(connection, together, together[-1].route in digests, held, now)

    def _put_together(
        self,
        connection: Connection,
        members: Sequence[Waiting],
        is_digest: bool,
        held: Held,
        now: datetime,
    ) -> None:
        newest = {each.alert_id: each for each in members}  # the last message of each alert
        for each in members:
            if each is not newest[each.alert_id]:
                self._end(connection, [each], "a newer message of the same alert is sent", now)
        for each in list(newest.values()):
            if self._held_by_now(connection, each, is_digest, held, now):
                del newest[each.alert_id]
        left = list(newest.values())
        if len(left) == 1 and not is_digest:
            outbox.release(connection, [left[0].id], now)
        elif left:
            self._together(connection, left, is_digest, now)

    def _held_by_now(
        self,
        connection: Connection,
        message: Waiting,
        is_digest: bool,
        held: Held,
        now: datetime,
    ) -> bool:
        """Say whether a message that waited does not go out now; it is ended or put off then."""
        alert = alerts.get(connection, message.alert_id)
        if alert is None:
            return False
        if not is_digest and (reason := _settled(alert, message.change)):
            self._end(connection, [message], reason, now)
            return True
        if (verdict := held(connection, alert)) is None:
            return False
        self.metrics.held.labels(verdict.stage).inc()
        if verdict.due_at is None:
            self._end(connection, [message], verdict.reason, now)
        else:
            group = apart(message.group.partition(".")[0], verdict.stage)
            outbox.put_off(connection, message.id, verdict.reason, verdict.due_at, group)
        return True

    def _together(
        self, connection: Connection, members: Sequence[Waiting], is_digest: bool, now: datetime
    ) -> None:
        first = members[0]
        key = digest("\0".join(str(each.id) for each in members))
        subject, body, payload = render_group(
            [(each.subject, each.body, each.payload) for each in members], is_digest
        )
        change = "digest" if is_digest else "group"
        draft = Draft(
            idempotency_key=f"group:{key}:{first.channel}",
            channel=first.channel,
            alert_id=first.alert_id,
            subject=subject,
            body=body,
            payload=payload,
            state=outbox.PENDING,
            reason="",
            route=first.route,
            group=first.group,
            change=change,
        )
        if outbox.add(connection, draft, now):
            self.metrics.notifications.labels(outbox.PENDING).inc()
        reason = f"sent within the {change} {key[:8]}"
        outbox.end(connection, [each.id for each in members], outbox.GROUPED, reason, now)
        self.metrics.notifications.labels(outbox.GROUPED).inc(len(members))

    def _end(
        self, connection: Connection, members: Sequence[Waiting], reason: str, now: datetime
    ) -> None:
        ids = [each.id for each in members]
        outbox.end(connection, ids, outbox.SUPPRESSED, reason, now)
        self.metrics.notifications.labels(outbox.SUPPRESSED).inc(len(members))

    def send(self, before: datetime) -> None:
        """Send what is due; a channel that is down keeps its messages for later.

        Parameters
        ----------
        before
            Nothing is begun from then on: another process may send by then.
        """
        with self.store.read() as connection:
            due = outbox.due(connection, self.wall.now(), PER_TURN)
        by_channel: dict[str, list[Notification]] = {}
        for notification in due:
            by_channel.setdefault(notification.channel, []).append(notification)
        for name, messages in by_channel.items():
            self._send_on(name, messages, before)

    def _send_on(self, name: str, messages: Sequence[Notification], before: datetime) -> None:
        left = list(messages)
        failed: list[tuple[Notification, ChannelRetriable]] = []
        taken = 0
        in_a_row = 0
        was_down = name in self._failing
        while left and in_a_row < DOWN_AFTER and self.wall.now() < before:
            place = 0
            if in_a_row:
                place = min(range(len(left)), key=lambda at: left[at].attempts)
            message = left.pop(place)
            try:
                self._try(message)
            except ChannelRetriable as error:
                failed.append((message, error))
                in_a_row += 1
            else:
                taken, in_a_row = taken + 1, 0
                was_down = was_down or message.attempts > 0
        if taken and not in_a_row:
            self._failing.discard(name)
            if was_down:
                with self.store.write() as connection:
                    outbox.hurry(connection, name, self.wall.now())
        for message, trouble in failed:
            self._postpone(message, trouble, whole_channel=not taken or in_a_row == DOWN_AFTER)

    def _try(self, notification: Notification) -> None:
        """Send one message, or raise `ChannelRetriable`."""
        name = notification.channel
        channel = self.channels.get(name)
        try:
            if channel is None:
                raise ChannelRefused(f"no channel {name!r} is configured any more")
            channel.send(notification)
        except ChannelRefused as error:
            log.error("channel %s refuses a notification: %s", name, error)
            self._settle(notification, outbox.REFUSED, str(error))
            return
        self._settle(notification, outbox.SENT, "")
        self.metrics.channel_up.labels(name).set(1)

    def _postpone(
        self, notification: Notification, error: ChannelRetriable, whole_channel: bool
    ) -> None:
        name = notification.channel
        self.metrics.notifications.labels("retried").inc()
        if whole_channel:
            self._failing.add(name)
            self.metrics.channel_up.labels(name).set(0)
        with self.store.write() as connection:
            tries = notification.attempts
            if whole_channel:
                # The wait grows with the trouble of the channel: a new message is no reason to hammer it.
                tries = outbox.failures(connection, name)
            wait_s = min(RETRY_S[0] * 2 ** min(tries, 30), RETRY_S[1])
            wait_s = max(wait_s * random.uniform(0.8, 1.2), error.retry_after_s or 0.0)
            later = self.wall.now() + timedelta(seconds=wait_s)
            outbox.postpone(connection, notification, str(error), later, whole_channel)
        log.warning("channel %s: %s; next try in %.0f s", name, error, wait_s)

    def _settle(self, notification: Notification, state: str, reason: str) -> None:
        now = self.wall.now()
        with self.store.write() as connection:
            created_at = outbox.settle(connection, notification.id, state, reason, now)
        self.metrics.notifications.labels(state).inc()
        if state == outbox.SENT:
            self.metrics.spans.labels("notify").observe(
                max(0.0, (now - created_at).total_seconds())
            )


def _settled(alert: Alert, change: str) -> str:
    """Return why a message that waited is no news any more, or nothing."""
    if alert.state is AlertState.RESOLVED and change != "resolved":
        return "the alert was over before it was told"
    if alert.state is AlertState.ACKNOWLEDGED and change == "fired":
        return f"{alert.acknowledged_by} acknowledged the alert before it was told"
    return ""
