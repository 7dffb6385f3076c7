"""What becomes of a change of an alert, route by route: told now, told later, or not, and why.

The whole path, in order: least severity, route, inhibit, silence, replay (recorded and not sent), snooze,
hours, digest, group. Dedup (an idempotency key is unique) and retry belong to the outbox. Nothing is kept
here: what waits, waits in the outbox, and another process may go on with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from monitor.domain import OPEN_STATES, Alert, AlertKind, AlertState, Company
from monitor.notify.match import fits_all, labels_of, read_matcher
from monitor.notify.message import render
from monitor.notify.routes import Inhibition, Labels, Route, Routing
from monitor.store import Connection, alerts, outbox, silences
from monitor.store.outbox import Draft
from monitor.stream.codec import AlertChange

# What people are told, and how it is said. Acknowledged alerts are shown, not sent; of the end of one those
# hear whose route asks for it.
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
RESOLVED = {"resolved": "it is over: quiet for long enough"}
APART = ("snooze", "hours", "digest")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the path says of one message: a state of the outbox, the stage that said so, why, and when."""

    state: str
    stage: str = ""
    reason: str = ""
    due_at: datetime | None = None


class Path:
    """Decides, from an alert and what the store knows.

    Parameters
    ----------
    min_severity
        Alerts below are not sent.
    companies
        The watchlist, by id.
    families
        Of each event of the risk pack.
    send
        False in a replay: notifications are recorded and not sent.
    """

    def __init__(
        self,
        min_severity: int,
        companies: Mapping[str, Company],
        families: Mapping[str, str],
        dashboard_url: str | None,
        send: bool,
    ) -> None:
        self.min_severity = min_severity
        self.companies = companies
        self.families = families
        self.dashboard_url = dashboard_url
        self.send = send

    def labels(self, alert: Alert) -> Labels:
        company = self.companies.get(alert.key)
        return labels_of(alert, company, self.families.get(alert.event))

    def drafts(
        self, connection: Connection, change: AlertChange, routing: Routing, now: datetime
    ) -> Iterator[tuple[Draft, str]]:
        """Yield what to write to the outbox about a change, and the stage that held it back, if one did."""
        alert, labels = change.alert, self.labels(change.alert)
        for route in routing.root.taken_by(labels):
            told = {**TOLD, **(RESOLVED if route.send_resolved else {})}
            if change.change not in told:
                continue
            why = told[change.change]
            held = self.held(connection, alert, labels, routing, now)
            group = route.group_of(labels)
            for channel in route.channels or ("",):
                verdict = held or self._when(connection, change, route, channel, group, now)
                yield (
                    Draft(
                        f"{alert.id}:{change.change}:{change.seq}:{channel}",
                        channel,
                        alert.id,
                        *self.render(alert, why),
                        verdict.state,
                        verdict.reason,
                        verdict.due_at,
                        route.name,
                        apart(group, verdict.stage),
                        change.change,
                    ),
                    verdict.stage,
                )

    def render(self, alert: Alert, why: str) -> tuple[str, str, dict[str, object]]:
        company = self.companies.get(alert.key)
        return render(alert, why, self.dashboard_url, company.name if company else None)

    def _silenced(self, connection: Connection, labels: Labels, now: datetime) -> str | None:
        """Return which silence holds for these labels, in words, or ``None``."""
        for silence in silences.active(connection, now):
            matchers = [read_matcher(label, each) for label, each in silence.matchers.items()]
            if fits_all(matchers, labels):
                until = f"{silence.ends_at:%Y-%m-%d %H:%M} UTC"
                return f"silence {silence.id} of {silence.who} until {until}: {silence.comment}"
        return None

    def held(
        self,
        connection: Connection,
        alert: Alert,
        labels: Labels,
        routing: Routing,
        now: datetime,
    ) -> Verdict | None:
        """Return what holds an alert back on every channel, or ``None``."""
        if alert.severity < self.min_severity:
            reason = f"severity {alert.severity} is below {self.min_severity}"
            return Verdict(outbox.SUPPRESSED, "severity", reason)
        for rule in routing.inhibit:
            if cause := self._inhibitor(connection, rule, alert, labels):
                reason = f"inhibited: explained by the {cause.kind.value} alert "
                reason += f"{cause.title} ({cause.id[:8]})"
                return Verdict(outbox.SUPPRESSED, "inhibit", reason)
        if (silence := self._silenced(connection, labels, now)) is not None:
            return Verdict(outbox.SUPPRESSED, "silence", silence)
        if not self.send:
            return Verdict(outbox.RECORDED, "replay", "replay: recorded, not sent")
        return None

    def held_by_now(
        self, connection: Connection, alert: Alert, routing: Routing, now: datetime
    ) -> Verdict | None:
        """Return what holds back an alert whose message has waited, or ``None``."""
        held = self.held(connection, alert, self.labels(alert), routing, now)
        return held or _snoozed(alert, now)

    def _when(
        self,
        connection: Connection,
        change: AlertChange,
        route: Route,
        channel: str,
        group: str,
        now: datetime,
    ) -> Verdict:
        """When a channel hears of it."""
        alert = change.alert
        if not channel:
            return Verdict(outbox.SUPPRESSED, "route", f"route {route.name} has no channel")
        if (snoozed := _snoozed(alert, now)) is not None:
            return snoozed
        opens = route.opens_at(now, alert.severity)
        if opens > now:
            return Verdict(outbox.WAITING, "hours", f"quiet until {_clock(opens)}", opens)
        if route.digest is not None:
            due = route.digest.next(now)
            return Verdict(outbox.WAITING, "digest", f"digest of {_clock(due)}", due)
        if alert.kind is AlertKind.STORY and change.change == "fired":
            return Verdict(outbox.PENDING)
        due = _group_due(connection, route, channel, group, now)
        if due > now:
            return Verdict(outbox.WAITING, "group", f"grouped until {_clock(due)}", due)
        return Verdict(outbox.PENDING)

    def _inhibitor(
        self, connection: Connection, rule: Inhibition, alert: Alert, labels: Labels
    ) -> Alert | None:
        """Return an alert that people knew of when this one began, and that explains it by a rule."""
        if not fits_all(rule.target, labels):
            return None
        for other in (
            alerts.of_key(connection, alert.key)
            if "key" in rule.equal
            else alerts.unresolved(connection, OPEN_STATES)
        ):
            theirs = self.labels(other)
            if (
                other.id != alert.id
                and other.state in (*OPEN_STATES, AlertState.RESOLVED)
                and other.started_at <= alert.started_at
                and (other.resolved_at is None or other.resolved_at > alert.started_at)
                and fits_all(rule.source, theirs)
                and all(labels.get(label) == theirs.get(label) for label in rule.equal)
            ):
                return other
        return None


def apart(group: str, stage: str) -> str:
    """Return the group to wait in: what waits for a morning holds up nobody who only waits for company."""
    return f"{group}.{stage}" if stage in APART else group


def _snoozed(alert: Alert, now: datetime) -> Verdict | None:
    until = alert.snoozed_until
    if until is None or until <= now:
        return None
    return Verdict(outbox.WAITING, "snooze", f"snoozed until {_clock(until)}", until)


def _group_due(
    connection: Connection, route: Route, channel: str, group: str, now: datetime
) -> datetime:
    """Return when the next message of a group may go: with what waits, else after wait or interval."""
    if (waiting := outbox.waits_until(connection, channel, group)) is not None:
        return max(now, waiting)
    told = outbox.told_at(connection, channel, group)
    if told is not None and now - told < route.group_interval:
        return told + route.group_interval
    return now + route.group_wait


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} {moment:%Z}".rstrip()
