"""Reading a routes file: YAML, every mistake named with file, line, key and what to change."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from monitor.domain import digest
from monitor.errors import ConfigError
from monitor.notify.hours import Daily as DigestAt
from monitor.notify.hours import Hours, read_clock, read_days, read_duration, read_zone
from monitor.notify.match import LABELS, Matcher, read_matcher
from monitor.notify.routes import Inhibition, Route, Routing, Step
from monitor.yamlfile import read_yaml

_TOP = ("hours", "route", "inhibit")
_HOURS = ("days", "from", "to", "zone")
_ROUTE = (
    *("name", "match", "channels", "group_by", "group_wait", "group_interval"),
    *("repeat_interval", "active_hours", "quiet_hours", "breaks_through", "min_severity"),
    *("digest", "escalate", "send_resolved", "continue", "routes"),
)
_INHIBIT = ("source", "target", "equal")
_STEP = ("after", "channels")
#: While people know of a company's story, its surge is no news of its own.
STORY_EXPLAINS_SURGE = Inhibition(
    (read_matcher("kind", "story"),), (read_matcher("kind", "surge"),), ("key",)
)
_PART = re.compile(r"[^.\[\]]+")  # of a place as it is told: route.routes[0].match
ROOT = {"group_by": ["company"], "group_wait": "30s", "group_interval": "5m"}


def plain_routing(channels: Iterable[str]) -> Routing:
    """Return what counts without a file: every channel hears at once of everything."""
    return Routing(Route(channels=tuple(channels)), (STORY_EXPLAINS_SURGE,))


def read_routes(path: Path, channels: frozenset[str]) -> Routing:
    """Read a routes file.

    Parameters
    ----------
    channels
        The names that ``[[notify.channels]]`` gives.

    Raises
    ------
    ConfigError
        With file, line, key and what to change.
    """
    return _File(path, channels).read()


class _File:
    def __init__(self, path: Path, channels: frozenset[str]) -> None:
        self.file = read_yaml(path, "the routes", "check [notify] routes")
        self.channels = channels
        self.hours: dict[str, Hours] = {}
        self.named: dict[str, str] = {}  # names of routes, and where they are given

    def read(self) -> Routing:
        top = self._mapping("", self.file.data, _TOP)
        for name, raw in self._mapping("hours", top.get("hours") or {}, None).items():
            self.hours[str(name)] = self._hours(f"hours.{name}", raw)
        if "route" not in top:
            self._fail("", "`route` is missing: the root of the tree, with its `channels`")
        root = self._mapping("route", top["route"], _ROUTE)
        if "match" in root:
            self._fail("route.match", "the root takes every alert; put `match` on a route below it")
        inhibit: tuple[Inhibition, ...] = (STORY_EXPLAINS_SURGE,)
        if "inhibit" in top:
            inhibit = tuple(
                self._inhibition(f"inhibit[{at}]", raw)
                for at, raw in enumerate(self._list("inhibit", top["inhibit"]))
            )
        return Routing(self._route("route", root, Route(), ROOT), inhibit, digest(self.file.text))

    def _route(
        self, where: str, raw: object, parent: Route, defaults: Mapping[str, Any] | None = None
    ) -> Route:
        cells = {**(defaults or {}), **self._mapping(where, raw, _ROUTE)}
        inherited = {
            each.name: getattr(parent, each.name)
            for each in fields(Route)
            if each.name not in ("name", "matchers", "go_on", "routes")
        }
        given: dict[str, Any] = {"name": self._name(where, cells)}
        read: Mapping[str, tuple[str, Callable[[str, Any], Any]]] = {
            "match": ("matchers", self._matchers),
            "channels": ("channels", self._channels),
            "group_by": ("group_by", self._labels),
            "group_wait": ("group_wait", self._of(read_duration)),
            "group_interval": ("group_interval", self._of(read_duration)),
            "repeat_interval": ("repeat_interval", self._optional(self._of(read_duration))),
            "active_hours": ("active", self._optional(self._named_hours)),
            "quiet_hours": ("quiet", self._optional(self._named_hours)),
            "breaks_through": ("breaks_through", partial(self._severity, 6)),
            "min_severity": ("min_severity", self._optional(partial(self._severity, 5))),
            "digest": ("digest", self._optional(self._of(_daily))),
            "escalate": ("escalate", self._steps),
            "send_resolved": ("send_resolved", self._flag),
            "continue": ("go_on", self._flag),
        }
        for key, (name, reader) in read.items():
            if key in cells:
                given[name] = reader(f"{where}.{key}", cells[key])
        route = Route(**{**inherited, **given})
        if not route.ever_opens:
            place = "quiet_hours" if "quiet_hours" in cells else "active_hours"
            self._fail(
                f"{where}.{place}", "the quiet hours leave none of the active hours; change either"
            )
        children = tuple(
            self._route(f"{where}.routes[{at}]", child, route)
            for at, child in enumerate(self._list(f"{where}.routes", cells.get("routes") or []))
        )
        return Route(**{**inherited, **given, "routes": children})

    def _name(self, where: str, cells: Mapping[str, Any]) -> str:
        """What waits, and digests, go by the name of their route: two of one name would be mixed."""
        name = str(cells.get("name", where))
        place = f"{where}.name" if "name" in cells else where
        if name in self.named:
            line = self.file.line(_place(self.named[name]))
            self._fail(place, f"{name!r} is the name of the route on line {line}; choose another")
        self.named[name] = place
        return name

    def _matchers(self, where: str, raw: Any) -> tuple[Matcher, ...]:
        cells = self._mapping(where, raw, LABELS)
        return tuple(
            self._of(partial(read_matcher, label))(f"{where}.{label}", wanted)
            for label, wanted in cells.items()
        )

    def _channels(self, where: str, raw: Any) -> tuple[str, ...]:
        names = tuple(str(each) for each in self._list(where, raw))
        for name in names:
            if name not in self.channels:
                known = ", ".join(sorted(self.channels)) or "none"
                self._fail(where, f"no channel {name!r} is configured; channels are {known}")
        return names

    def _labels(self, where: str, raw: Any) -> tuple[str, ...]:
        labels = tuple(str(each) for each in self._list(where, raw))
        for label in labels:
            if label not in LABELS:
                self._fail(where, f"unknown label `{label}`; labels are {', '.join(LABELS)}")
        return labels

    def _hours(self, where: str, raw: object) -> Hours:
        cells = self._mapping(where, raw, _HOURS)
        for key in ("from", "to", "zone"):
            if key not in cells:
                self._fail(where, f"`{key}` is missing")
        return Hours(
            self._of(read_days)(f"{where}.days", cells.get("days", "mon-sun")),
            self._of(read_clock)(f"{where}.from", cells["from"]),
            self._of(read_clock)(f"{where}.to", cells["to"]),
            self._of(read_zone)(f"{where}.zone", cells["zone"]),
        )

    def _named_hours(self, where: str, raw: Any) -> Hours:
        if str(raw) not in self.hours:
            known = ", ".join(sorted(self.hours)) or "none"
            self._fail(where, f"no hours {str(raw)!r}; `hours` at the top has {known}")
        return self.hours[str(raw)]

    def _steps(self, where: str, raw: Any) -> tuple[Step, ...]:
        steps = []
        for at, each in enumerate(self._list(where, raw)):
            place = f"{where}[{at}]"
            cells = self._mapping(place, each, _STEP)
            for key in _STEP:
                if key not in cells:
                    self._fail(place, f"`{key}` is missing")
            after = self._of(read_duration)(f"{place}.after", cells["after"])
            steps.append(Step(after, self._channels(f"{place}.channels", cells["channels"])))
        return tuple(sorted(steps, key=lambda step: step.after))

    def _inhibition(self, where: str, raw: object) -> Inhibition:
        cells = self._mapping(where, raw, _INHIBIT)
        for key in ("source", "target"):
            if key not in cells:
                self._fail(where, f"`{key}` is missing")
        return Inhibition(
            self._matchers(f"{where}.source", cells["source"]),
            self._matchers(f"{where}.target", cells["target"]),
            self._labels(f"{where}.equal", cells.get("equal", ["key"])),
        )

    def _severity(self, most: int, where: str, raw: Any) -> int:
        if type(raw) is not int or not 1 <= raw <= most:
            never = ", or 6 for never" if most > 5 else ""
            self._fail(where, f"{raw!r} must be a severity from 1 to 5{never}")
        return int(raw)

    def _flag(self, where: str, raw: Any) -> bool:
        if not isinstance(raw, bool):
            self._fail(where, f"{raw!r} must be true or false")
        return bool(raw)

    def _optional(self, reader: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
        """A child takes back what its parent has by `null`."""
        return lambda where, raw: None if raw is None else reader(where, raw)

    def _of(self, reader: Callable[[Any], Any]) -> Callable[[str, Any], Any]:
        def read(where: str, raw: Any) -> Any:
            try:
                return reader(raw)
            except ValueError as error:
                self._fail(where, str(error))

        return read

    def _mapping(self, where: str, raw: object, known: tuple[str, ...] | None) -> Mapping[str, Any]:
        if not isinstance(raw, dict):
            self._fail(where, "must be a mapping of keys")
        assert isinstance(raw, dict)
        for key in raw:
            if known is not None and key not in known:
                place = f"{where}.{key}".lstrip(".")
                self._fail(place, f"no such key; keys here are {', '.join(known)}")
        return raw

    def _list(self, where: str, raw: object) -> list[Any]:
        if not isinstance(raw, list):
            self._fail(where, "must be a list")
        assert isinstance(raw, list)
        return raw

    def _fail(self, where: str, what: str) -> None:
        raise ConfigError(
            f"{self.file.where(_place(where))}: {where + ': ' if where else ''}{what}"
        )


def _place(where: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in _PART.findall(where)]


def _daily(raw: Any) -> DigestAt:
    clock, _, zone = str(raw).strip().partition(" ")
    return DigestAt(read_clock(clock), read_zone(zone.strip() or "UTC"))
