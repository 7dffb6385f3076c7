"""From the outbox to people: what is due is sent, at least once.

Channels are served side by side, each by one thread at a time, so that a slow one holds up no other; what is
on its way when a turn ends goes on, and its channel is left alone until it is done.

A channel that fails twice in a row is left alone (its circuit is open) until its messages are due again. The
probes are the oldest and the one tried least, so that a message which its receiver cannot take holds up no
other. When one goes out, all that waited for the channel follows at once.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from monitor.clock import Clock
from monitor.domain import Notification
from monitor.metrics import Metrics, from_zero
from monitor.notify.dispatch import TOGETHER
from monitor.notify.message import most_severe
from monitor.notify.path import apart
from monitor.notify.port import Channel, ChannelRefused, ChannelRetriable
from monitor.notify.routes import Routing
from monitor.store import Store, outbox

log = logging.getLogger(__name__)

AT_ONCE = 8  # channels
PATIENCE_S = 0.5
PER_TURN = 20  # messages of a channel
DOWN_AFTER = 2  # failures in a row
ENDS = (outbox.PENDING, outbox.SENT, outbox.REFUSED, outbox.SUPPRESSED, outbox.GROUPED, "retried")
RETRY_S = (2.0, 300.0)  # first and longest wait between two tries


class Delivery:
    """Sends, at least once."""

    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        wall: Clock,
        metrics: Metrics,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.store = store
        self.channels = channels
        self.wall = wall
        self.metrics = metrics
        from_zero(metrics.notifications, ENDS)
        from_zero(metrics.spans, ["notify"])
        self.patience_s = patience_s
        self._failing: set[str] = set()  # channels whose last try failed
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="notify")
        self._under_way: dict[str, Future[None]] = {}  # by channel
        self._closing = threading.Event()

    def send(self, routing: Routing, before: datetime) -> None:
        """Send what is due; a channel that is down keeps its messages for later, and so do a route's hours.

        It comes back when all is sent, or after a moment: a slow channel is not waited for.

        Parameters
        ----------
        before
            Nothing is begun from then on: another process may send by then.
        """
        self._collect()
        if self._closing.is_set():
            return
        now = self.wall.now()
        begun = []
        with self.store.read() as connection:
            due = {
                name: outbox.due(connection, now, PER_TURN, name)
                for name in outbox.due_channels(connection, now)
                if name not in self._under_way
            }
        for name, messages in due.items():
            if timely := self._timely(messages, routing, now):
                task = self._pool.submit(self._send_on, name, timely, before)
                self._under_way[name] = task
                begun.append(task)
        wait(begun, self.patience_s)
        self._collect()

    def _timely(
        self, messages: Sequence[Notification], routing: Routing, now: datetime
    ) -> list[Notification]:
        """Return what the hours of its route allow still: what comes late may have missed them."""
        timely = []
        for message in messages:
            route = None if message.change == "escalation" else routing.named(message.route)
            opens = now if route is None else route.opens_at(now, most_severe(message.payload))
            if opens <= now:
                timely.append(message)
                continue
            self.metrics.held.labels("hours").inc()
            with self.store.write() as connection:
                if message.change in TOGETHER:
                    outbox.keep(connection, message.id, opens)
                else:  # it goes the path again then
                    group = apart(message.group.partition(".")[0], "hours")
                    outbox.put_off(connection, message.id, "missed the hours", opens, group)
        return timely

    def close(self) -> None:
        """Begin no other message, and wait for those that are on their way."""
        self._closing.set()
        self._pool.shutdown()
        for name, task in self._under_way.items():
            if (error := task.exception()) is not None:
                log.warning("channel %s: %s; what is due is sent next time", name, error)

    def _collect(self) -> None:
        """Forget what is done; raise what made one fail."""
        done = [name for name, task in self._under_way.items() if task.done()]
        for task in [self._under_way.pop(name) for name in done]:
            task.result()

    def _send_on(self, name: str, messages: Sequence[Notification], before: datetime) -> None:
        left = list(messages)
        failed: list[tuple[Notification, ChannelRetriable]] = []
        taken = 0
        in_a_row = 0
        was_down = name in self._failing
        while left and in_a_row < DOWN_AFTER and self._may_begin(before):
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

    def _may_begin(self, before: datetime) -> bool:
        return self.wall.now() < before and not self._closing.is_set()

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
            about = {"trace": notification.alert_id, "channel": notification.channel}
            log.info("told: %s", notification.subject, extra={"stage": "notify", **about})
            self.metrics.spans.labels("notify").observe(
                max(0.0, (now - created_at).total_seconds())
            )
