"""Compound rule: alerts of other rules on one key, put together: all of these, any of those, none of these.

A rule is *on* for a key from the moment it was first told of an alert on that key, for as long as ``within``
says. That moment is when the alert fired, or when the rule joined an alert that had fired. Only moments that
the watermark has passed are looked at, and of the parts only what does not change later is taken (when they
fired, and with which item): what a compound rule decides does not depend on when it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.alert.states import Finding, Life, rules_of
from monitor.domain import Alert, AlertKind, AlertState


@dataclass(frozen=True, slots=True)
class CompoundRule:
    """``all_of``, ``any_of`` and ``none_of`` are names of rules."""

    name: str
    description: str = ""
    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    within: timedelta = timedelta(hours=24)
    severity: int = 4
    quiet_hours: float = 24.0
    cooldown_hours: float = 24.0

    @property
    def life(self) -> Life:
        return Life(timedelta(hours=self.quiet_hours), timedelta(hours=self.cooldown_hours))

    @property
    def parts(self) -> tuple[str, ...]:
        return (*self.all_of, *self.any_of, *self.none_of)

    def findings(
        self,
        alerts: Sequence[Alert],
        decisive: Mapping[str, str],
        after: datetime,
        until: datetime,
        companies: Mapping[str, str],
    ) -> Iterator[Finding]:
        """Yield a finding for every moment in ``(after, until]`` at which the rule comes to hold.

        Parameters
        ----------
        alerts
            With their evidence, of all keys.
        decisive
            The id of the article with which each alert fired, by the alert's id.
        companies
            Names by id.
        """
        by_key: dict[tuple[str, str], list[Alert]] = {}
        for alert in alerts:
            if alert.state is not AlertState.PENDING and alert.kind is not AlertKind.COMPOUND:
                by_key.setdefault((alert.dimension.value, alert.key), []).append(alert)
        for _, parts in sorted(by_key.items()):
            times = [(at, name, alert) for alert in parts for name, at in self._on(alert)]
            times.sort(key=lambda each: (each[0], each[1], each[2].id))
            for now in sorted({at for at, _, _ in times}):
                if after < now <= until:
                    on = {n: (at, a) for at, n, a in times if now - self.within <= at <= now}
                    if self._holds(on.keys()):
                        yield self._finding(on, decisive, now, companies)

    def _on(self, alert: Alert) -> Iterator[tuple[str, datetime]]:
        """Yield each part that an alert makes true, and since when."""
        for name, at in rules_of(alert).items():
            if name in self.parts:
                yield name, max(datetime.fromisoformat(at), alert.decided_at)

    def _holds(self, on: Iterable[str]) -> bool:
        on = set(on)
        return (
            on.issuperset(self.all_of)
            and (not self.any_of or not on.isdisjoint(self.any_of))
            and on.isdisjoint(self.none_of)
        )

    def _finding(
        self,
        on: Mapping[str, tuple[datetime, Alert]],
        decisive: Mapping[str, str],
        now: datetime,
        companies: Mapping[str, str],
    ) -> Finding:
        first = next(iter(on.values()))[1]
        name = companies.get(first.key, first.key)
        proof = {
            (item.article_id, item.revision): item
            for _, alert in on.values()
            for item in alert.evidence
            if item.article_id == decisive.get(alert.id)
        }
        return Finding(
            fingerprint=f"compound|{self.name}|{first.dimension.value}|{first.key}",
            kind=AlertKind.COMPOUND,
            dimension=first.dimension,
            key=first.key,
            event=self.name.replace("-", "_"),
            severity=self.severity,
            title=f"{name}: {self.description.rstrip('.') or self.name}",
            at=now,
            decided_at=now,
            fires=True,
            mark="",
            details={
                "parts": {
                    name: {"alert_id": alert.id, "at": at.isoformat()}
                    for name, (at, alert) in sorted(on.items())
                },
                "within_hours": round(self.within / timedelta(hours=1), 2),
            },
            evidence=tuple(proof[key] for key in sorted(proof)),
            rules=(self.name,),
        )
