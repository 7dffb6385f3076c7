"""From silences to alerts: who sent something when, and who has not for too long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from monitor.alert.absence import PIPELINE_KEY, AbsenceRule, Of, silences
from monitor.alert.ruleset import RuleSet
from monitor.alert.states import Finding, Step, rules_of
from monitor.domain import OPEN_STATES, Alert, AlertKind, AlertState
from monitor.store import Connection, alerts, articles
from monitor.store.articles import Arrival

DAY = timedelta(days=1)

Take = Callable[[Finding, Alert | None], None]
Save = Callable[[Step, datetime], None]
Name = tuple[Of, str]
Came = Mapping[Name, Sequence[datetime]]


class Silent:
    """Looks for silences by the absence rules.

    What a turn needs of the past is kept between turns: the last item of each name, and the limits of the
    day. Both are read from the store again after a restart.
    """

    def __init__(self) -> None:
        self._complete: datetime | None = None  # every item ingested up to then is in `_last`
        self._last: dict[Name, datetime] = {}
        self._first: datetime | None = None
        self._limits_of: tuple[tuple[AbsenceRule, ...], datetime] | None = None
        self._limits: dict[tuple[str, Name], timedelta | None] = {}

    def decide(
        self,
        connection: Connection,
        rules: RuleSet,
        after: datetime | None,
        complete: datetime,
        until: datetime,
        clock: Callable[[datetime], datetime],
        take: Take,
        save: Save,
    ) -> None:
        """Tell silences that reached their limit by ``until``, and end those that news ended.

        Parameters
        ----------
        after
            Up to when was decided before, by whichever process; ``None``: never.
        complete
            The watermark: every item ingested up to then is stored. Later ones may still come.
        until
            Up to when is decided.
        clock
            Gives the time of a decision from the time it is about.
        """
        open_alerts = {
            alert.fingerprint: alert
            for alert in alerts.unresolved(connection, OPEN_STATES)
            if alert.kind is AlertKind.ABSENCE
        }
        current = {rule.name for rule in rules.absence}
        for alert in open_alerts.values():
            if current.isdisjoint(rules_of(alert)):
                save(_over(alert, until), until)  # no rule watches it any more
        begin = self._begin(connection, rules, after)
        if not rules.absence or begin is None:
            self._complete = None
            return
        last, complete = dict(self._last), max(begin, complete)
        while begin < until:
            midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
            end = min(until, midnight + DAY)
            self._learn(connection, rules, midnight)
            came = _by_name(articles.arrivals(connection, begin, end))
            for name in sorted({*last, *came, *_named(rules)}):
                known = _Known(name, last.get(name, self._first), came.get(name, ()), end)
                self._name(connection, rules, known, open_alerts, clock, take, save)
            for name, times in came.items():
                last[name] = times[-1]
                for at in (at for at in times if at <= complete):
                    self._last[name] = max(self._last.get(name, at), at)
            begin = end
        self._complete = complete

    def _begin(
        self, connection: Connection, rules: RuleSet, after: datetime | None
    ) -> datetime | None:
        """Return from when on items are looked at: all before are in ``_last``."""
        if self._complete is not None or not rules.absence:
            return self._complete
        self._first = articles.first_arrival(connection)
        if self._first is None:
            return None
        begin = max(after or self._first, self._first)
        past = articles.arrivals(connection, begin - rules.history, begin, coarse=True)
        self._last = {name: times[-1] for name, times in _by_name(past).items()}
        return begin

    def _learn(self, connection: Connection, rules: RuleSet, midnight: datetime) -> None:
        """Set the limits of a day."""
        if self._limits_of == (rules.absence, midnight):
            return
        self._limits_of, self._limits = (rules.absence, midnight), {}
        if all(rule.silent_hours is not None for rule in rules.absence):
            return
        past = _by_name(
            articles.arrivals(connection, midnight - rules.history, midnight, coarse=True)
        )
        for rule in rules.absence:
            began = midnight - timedelta(days=rule.history_days)
            for name, times in past.items():
                if name[0] is rule.of:
                    times = [at for at in times if at > began]
                    self._limits[rule.name, name] = rule.limit(times)

    def _name(
        self,
        connection: Connection,
        rules: RuleSet,
        known: _Known,
        open_alerts: dict[str, Alert],
        clock: Callable[[datetime], datetime],
        take: Take,
        save: Save,
    ) -> None:
        """Tell and end the silences of one name, in order of time."""
        of, name = known.name
        mine = f"absence|{of.value}|{name}"
        for since, group in groupby(self._silences(rules, known), key=lambda each: each[0]):
            silence = list(group)
            for _, told_at, _, rule, limit in silence:
                alert = alerts.by_fingerprint(connection, mine)
                told_since = None if alert is None else _since(alert)
                if told_since is not None and told_since >= since:
                    assert alert is not None
                    if alert.resolved_at is not None or rule.name in rules_of(alert):
                        continue
                elif alert is not None and alert.resolved_at is None:
                    save(_over(alert, since), since)  # an item came, and silence again
                    alert = None
                take(rule.finding(name, since, limit, told_at, clock(told_at)), alert)
            over_at = silence[0][2]
            if over_at is not None:
                self._end(connection, mine, over_at, save)
        alert = open_alerts.get(mine)
        times = known.came if known.last is None else (known.last, *known.came)
        ended = next((at for at in times if alert and at > _since(alert)), None)
        if alert is not None and ended is not None:
            self._end(connection, mine, max(ended, alert.started_at), save, alert.id)

    def _silences(
        self, rules: RuleSet, known: _Known
    ) -> Iterator[tuple[datetime, datetime, datetime | None, AbsenceRule, timedelta]]:
        """Yield (since, told at, over at, rule, limit) of all rules, by time."""
        of, name = known.name
        found = []
        for order, rule in enumerate(rules.absence):
            if rule.of is not of or not rule.watches(name):
                continue
            limit = self._limits.get((rule.name, known.name))
            limit = rule.limit(()) if limit is None else limit
            if known.last is None or limit is None:
                continue
            for since, told_at, over_at in silences(known.last, known.came, limit, known.until):
                found.append((since, told_at, order, over_at, rule, limit))
        for since, told_at, _, over_at, rule, limit in sorted(found, key=lambda each: each[:3]):
            yield since, told_at, over_at, rule, limit

    @staticmethod
    def _end(
        connection: Connection, mine: str, at: datetime, save: Save, id_: str | None = None
    ) -> None:
        alert = alerts.by_fingerprint(connection, mine)
        if alert is not None and alert.resolved_at is None and id_ in (None, alert.id):
            save(_over(alert, at), at)


@dataclass(frozen=True, slots=True)
class _Known:
    """One name: when it last sent something, and when it did after that, up to a time."""

    name: Name
    last: datetime | None
    came: Sequence[datetime]
    until: datetime


def _by_name(arrivals: Iterable[Arrival]) -> dict[Name, list[datetime]]:
    """Return when items came, oldest first, of each source, each publisher and all together."""
    found: dict[Name, list[datetime]] = {}
    for arrival in arrivals:
        for name in (
            (Of.SOURCE, arrival.source),
            (Of.PUBLISHER, arrival.publisher),
            (Of.PIPELINE, PIPELINE_KEY),
        ):
            times = found.setdefault(name, [])
            if not times or times[-1] < arrival.at:
                times.append(arrival.at)
    return found


def _named(rules: RuleSet) -> Iterator[Name]:
    """Yield the names that are watched although nothing may ever have come from them."""
    for rule in rules.absence:
        yield from ((rule.of, name) for name in rule.names)


def _since(alert: Alert) -> datetime:
    return datetime.fromisoformat(str(alert.details["silent_since"]))


def _over(alert: Alert, at: datetime) -> Step:
    return Step(replace(alert, state=AlertState.RESOLVED, resolved_at=at), "resolved")
