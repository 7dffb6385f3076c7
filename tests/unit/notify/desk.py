"""A desk that is told of alerts on a clock that tests move: what happens when, and what arrives when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from monitor.domain import (
    Alert,
    AlertKind,
    AlertState,
    Company,
    Evidence,
    Notification,
)
from monitor.metrics import Metrics
from monitor.notify.delivery import Delivery
from monitor.notify.heartbeat import Heartbeat
from monitor.notify.path import Path as NotifyPath
from monitor.notify.port import Channel, ChannelRetriable
from monitor.notify.routes import Routing
from monitor.notify.routesfile import plain_routing, read_routes
from monitor.notify.stage import NotifyStage
from monitor.pipeline import Input
from monitor.store import Store, acts, alerts
from monitor.store.alerts import AlertEvent
from monitor.stream.codec import AlertChange
from monitor.stream.port import Record
from tests.support.make import T0
from tests.support.make import alert as alert_of

COMPANIES = (
    Company("acme", "Acme", sector="Lamps", groups=("rates",)),
    Company("brown", "Brown Motor", sector="Cars", groups=("credit",)),
)
TICK = timedelta(seconds=10)


class MovedClock:
    """The wall clock of a test."""

    def __init__(self, now: datetime = T0) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time


@dataclass
class Told:
    """Something that arrived: when, on which channel, and what."""

    after: timedelta  # since the beginning
    channel: str
    notification: Notification

    @property
    def reason(self) -> object:
        return self.notification.payload.get("reason")


@dataclass
class Inbox:
    """A channel that keeps what it is given."""

    name: str
    clock: MovedClock
    told: list[Told] = field(default_factory=list)

    def send(self, notification: Notification) -> None:
        self.told.append(Told(self.clock.now() - T0, self.name, notification))


@dataclass
class Down:
    """A channel that does not answer."""

    name: str

    def send(self, notification: Notification) -> None:
        raise ChannelRetriable(f"channel {self.name!r}: no answer")


class Desk:
    """The real notify stage over a real store; time passes second by second."""

    def __init__(
        self,
        folder: Path,
        routes: str | None = None,
        channels: Iterable[str] = ("desk", "pager", "boss"),
        send: bool = True,
        real: Mapping[str, Channel] | None = None,
        heartbeat: Heartbeat | None = None,
        step: timedelta = TICK,
        patience_s: float = 60.0,
    ) -> None:
        self.clock = MovedClock()
        self.step = step
        self.patience_s = patience_s
        self.store = Store(f"sqlite:///{folder / 'desk.db'}")
        self.inboxes = {name: Inbox(name, self.clock) for name in channels}
        self.channels: dict[str, Channel] = {**self.inboxes, **(real or {})}
        self.routing = self._routing(folder, routes)
        self.heartbeat = heartbeat
        self.stage = self.new_stage(send)
        self._seq = 0

    def _routing(self, folder: Path, routes: str | None) -> Routing:
        if routes is None:
            return plain_routing(list(self.channels))
        file = folder / "routes.yaml"
        file.write_text(routes)
        return read_routes(file, frozenset(self.channels))

    def new_stage(self, send: bool = True, holder: str = "one") -> NotifyStage:
        """A stage that knows nothing but the store: as after a restart, or in another process."""
        metrics = Metrics()
        families = {"recall": "product", "fraud": "fraud"}
        return NotifyStage(
            self.store,
            NotifyPath(3, {each.id: each for each in COMPANIES}, families, None, send),
            lambda: self.routing,
            Delivery(self.store, self.channels, self.clock, metrics, self.patience_s),
            self.heartbeat,
            holder,
            self.clock,
            metrics,
        )

    def happens(self, alert: Alert, change: str) -> Alert:
        """Something happens to an alert: it is stored, and the notify stage hears of it."""
        self._seq += 1
        with self.store.write() as connection:
            alerts.save(connection, alert)
            alerts.record_event(connection, alert.id, AlertEvent(self.clock.now(), change, "test"))
        body = AlertChange(self._seq, change, int(self.clock.now().timestamp() * 1e6), alert)
        self.hear(body)
        return alert

    def hear(self, *changes: AlertChange) -> None:
        record = Record("alerts", 0, 0, "", b"", 0)
        effects = self.stage.process([Input(change, record) for change in changes])
        if effects.write is not None:
            with self.store.write() as connection:
                effects.write(connection)
        if effects.after is not None:
            effects.after()

    def acknowledge(self, alert: Alert) -> None:
        with self.store.write() as connection:
            acts.acknowledge(connection, alert.id, "ann", self.clock.now())

    def passes(self, span: timedelta) -> None:
        """Time passes, and the stage gets its turns."""
        until = self.clock.time + span
        while self.clock.time < until:
            self.clock.time = min(self.clock.time + self.step, until)
            self.hear()

    @property
    def told(self) -> list[tuple[float, str, object]]:
        """What arrived: minutes since the beginning, channel, reason."""
        all_of_it = [each for inbox in self.inboxes.values() for each in inbox.told]
        all_of_it.sort(key=lambda each: (each.after, each.channel, each.notification.id))
        return [
            (round(each.after.total_seconds() / 60, 2), each.channel, each.reason)
            for each in all_of_it
        ]


def alert(
    key: str = "acme",
    event: str = "recall",
    severity: int = 4,
    kind: AlertKind = AlertKind.STORY,
    at: datetime = T0,
    state: AlertState = AlertState.FIRING,
) -> Alert:
    name = {each.id: each.name for each in COMPANIES}.get(key, key)
    proof = Evidence("a" * 32, "r", at, "Wire", f"{name}: {event}", None, "q", -0.8, "")
    return alert_of(
        *(key, event, severity),
        at=at,
        kind=kind,
        state=state,
        name=name,
        details={"rule": event},
        evidence=(proof,),
    )


def surge(key: str = "acme", at: datetime = T0) -> Alert:
    return replace(alert(key, "negative_surge", 3, AlertKind.SURGE, at))
