"""The notify stage: what happened to alerts becomes messages, and messages reach people.

`monitor.notify.path` says what becomes of each; the outbox keeps it; `monitor.notify.dispatch` lets go what
waited; `monitor.notify.delivery` sends it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from monitor.clock import Clock
from monitor.domain import EPOCH
from monitor.metrics import Metrics, from_zero
from monitor.notify.delivery import Delivery
from monitor.notify.dispatch import Dispatch
from monitor.notify.heartbeat import Heartbeat
from monitor.notify.path import HOLDING, Path
from monitor.notify.reminders import reminders
from monitor.notify.routes import Routing
from monitor.pipeline import Effects, Input
from monitor.store import Connection, Store, leases, outbox
from monitor.stream.codec import AlertChange

STAGE = "notify"
LEASE_S = 30.0
TICK = timedelta(seconds=1)  # how often it is looked whether time alone has made something due
REMIND_EVERY = timedelta(seconds=15)


class NotifyStage:
    """Writes the outbox and empties it.

    Parameters
    ----------
    path
        Decides what becomes of a message.
    routing
        Returns the route tree in use. Where it names no channel, nothing is written.
    delivery, heartbeat
        Send; ``None`` for a heartbeat where none is configured.
    """

    def __init__(
        self,
        store: Store,
        path: Path,
        routing: Callable[[], Routing],
        delivery: Delivery,
        heartbeat: Heartbeat | None,
        holder: str,
        wall: Clock,
        metrics: Metrics,
    ) -> None:
        self.store = store
        self.path = path
        self.routing = routing
        self.dispatch = Dispatch(metrics)
        self.delivery = delivery
        self.heartbeat = heartbeat
        self.holder = holder
        self.wall = wall
        self.metrics = metrics
        from_zero(metrics.held, HOLDING)
        self._ticked_at = self._reminded_at = EPOCH

    def watch(self, path: Path) -> None:
        """Decide by another watchlist from now on."""
        self.path = path

    def process(self, batch: Sequence[Input]) -> Effects:
        changes: list[AlertChange] = [entry.body for entry in batch]
        routing = self.routing()

        def write(connection: Connection) -> None:
            now = self.wall.now()
            for change in changes:
                for draft, stage in self.path.drafts(connection, change, routing, now):
                    if outbox.add(connection, draft, now):
                        self.metrics.notifications.labels(draft.state).inc()
                        if stage:
                            self.metrics.held.labels(stage).inc()

        wanted = bool(changes) and bool(routing.channels)
        after = partial(self._tick, routing, bool(changes)) if self.path.send else None
        return Effects(write=write if wanted else None, after=after)

    def close(self) -> None:
        """Begin no other message, wait for those that are on their way, and let another process send."""
        self.delivery.close()
        with self.store.write() as connection:
            leases.release(connection, STAGE, self.holder)

    def _tick(self, routing: Routing, at_once: bool) -> None:
        """Do what time makes due: one process at a time does."""
        now = self.wall.now()
        if not at_once and timedelta(0) <= now - self._ticked_at < TICK:
            return
        self._ticked_at = now
        if self.heartbeat is not None:
            self.heartbeat.beat()
        remind = routing.reminds and not timedelta(0) <= now - self._reminded_at < REMIND_EVERY
        with self.store.read() as connection:
            if not remind and not outbox.is_due(connection, now):
                return
        with self.store.write() as connection:
            if not leases.hold(connection, STAGE, self.holder, now, LEASE_S):
                return
            self.dispatch.flush(connection, self.path, routing, now)
            if remind:
                self._reminded_at = now
                for draft in reminders(connection, self.path, routing, now):
                    if outbox.add(connection, draft, now):
                        self.metrics.notifications.labels(draft.state).inc()
        self.delivery.send(routing, before=now + timedelta(seconds=LEASE_S / 2))
