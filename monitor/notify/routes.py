"""The route tree: which channels hear of an alert, how soon, how often, and at which hours.

The vocabulary is Alertmanager's (https://prometheus.io/docs/alerting/latest/configuration/). An alert enters
at the root and goes down to the first child that matches, and on to the next where that one says
``continue``; where no child matches, the route itself is taken. A child has what its parent has, unless it
says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from monitor.domain import digest
from monitor.notify.hours import Daily, Hours
from monitor.notify.match import Matcher, fits_all

Labels = Mapping[str, frozenset[str]]
_QUIETS = 16  # quiet hours begin once a day at most: so many are more than two weeks
_LOOK_AGAIN = timedelta(days=1)  # where no hour is open


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an escalation: after so long without anybody acknowledging, tell these channels too."""

    after: timedelta
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """One node of the tree.

    Parameters
    ----------
    name
        Where it stands, for people: ``route``, ``route.routes[1]``, or the name the file gives it.
    matchers
        All have to fit.
    channels
        Who hears of it.
    group_by
        Labels whose alerts share a message.
    group_wait, group_interval
        How long the first message of a group, and each later one, waits for company. The first message of
        a story goes at once.
    repeat_interval
        How often people are reminded of what fires and nobody has acknowledged; ``None`` is never.
    active, quiet
        Hours outside which, and in which, messages wait, but for alerts of ``breaks_through`` and above.
    min_severity
        Alerts below are not told by this route; ``None`` is the ``notify.min_severity`` of the settings.
    digest
        When set, everything waits for that time of day and is one message.
    escalate
        What happens when nobody acknowledges.
    send_resolved
        Whether the end of an alert is told too.
    """

    name: str = "route"
    matchers: tuple[Matcher, ...] = ()
    channels: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    group_wait: timedelta = timedelta(0)
    group_interval: timedelta = timedelta(0)
    repeat_interval: timedelta | None = None
    active: Hours | None = None
    quiet: Hours | None = None
    breaks_through: int = 5
    min_severity: int | None = None
    digest: Daily | None = None
    escalate: tuple[Step, ...] = ()
    send_resolved: bool = False
    go_on: bool = False
    routes: tuple[Route, ...] = ()

    def taken_by(self, labels: Labels) -> list[Route]:
        """Return the routes that an alert takes below this one, which it matches."""
        taken: list[Route] = []
        for child in self.routes:
            if fits_all(child.matchers, labels):
                taken += child.taken_by(labels)
                if not child.go_on:
                    break
        return taken or [self]

    def group_of(self, labels: Labels) -> str:
        """Return the key of the group that an alert belongs to on this route."""
        parts = [f"{label}={'|'.join(sorted(labels.get(label, ())))}" for label in self.groups_by]
        return digest("\0".join([self.name, *parts]))[:16]

    @property
    def groups_by(self) -> tuple[str, ...]:
        """The labels that make a group; a digest is one group."""
        return self.group_by if self.digest is None else ()

    def opens_at(self, now: datetime, severity: int) -> datetime:
        """Return when an alert of some severity may be told, by the hours of this route: now or later."""
        if severity >= self.breaks_through:
            return now
        opens, is_open = self._opening(now)
        return opens if is_open else now + _LOOK_AGAIN

    @property
    def ever_opens(self) -> bool:
        """Whether the hours leave any time of the week, in winter or in summer."""
        return any(self._opening(datetime(2026, month, 1, tzinfo=UTC))[1] for month in (1, 7))

    def _opening(self, now: datetime) -> tuple[datetime, bool]:
        """Return the first moment that is in the active hours and not in the quiet ones; or that none is."""
        for _ in range(_QUIETS):
            opens = now if self.active is None else self.active.next(now)
            now = opens if self.quiet is None else self.quiet.ends(opens)
            if now == opens:
                return opens, True
        return now, False

    def walk(self) -> Iterator[Route]:
        yield self
        for child in self.routes:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert that fits ``source`` is open, those like it that fit ``target`` are not sent.

    Like it: with the same values of the labels ``equal``.
    """

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Routing:
    """All of a routes file: the tree, and what holds messages back. ``hash`` names its content."""

    root: Route
    inhibit: tuple[Inhibition, ...] = field(default=())
    hash: str = ""

    @property
    def digests(self) -> frozenset[str]:
        """The names of the routes whose messages wait for a digest."""
        return frozenset(route.name for route in self.root.walk() if route.digest is not None)

    def named(self, name: str) -> Route | None:
        """Return the route of a name; ``None`` where the tree has none, as another did before."""
        return next((route for route in self.root.walk() if route.name == name), None)

    @property
    def reminds(self) -> bool:
        """Whether time alone can make a message due."""
        return any(route.repeat_interval or route.escalate for route in self.root.walk())

    @property
    def channels(self) -> frozenset[str]:
        """Every channel that a route or an escalation names."""
        named: set[str] = set()
        for route in self.root.walk():
            named |= {*route.channels, *(name for step in route.escalate for name in step.channels)}
        return frozenset(named)
