"""What becomes of a change of an alert, route by route: told now, told later, or not, and why.

The whole path, in order: route, least severity, inhibit, replay (recorded and not sent), silence, snooze,
hours, digest, group. Dedup (an idempotency key is unique) and retry belong to the outbox. Nothing is kept
here: what waits, waits in the outbox, and another process may go on with it. What has waited long enough
goes the path again, from least severity on, as things are by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from monitor.domain import OPEN_STATES, Alert, AlertKind, AlertState, Company
from monitor.notify.match import fits_all, labels_of, read_matcher
from monitor.notify.message import render
from monitor.notify.routes import Inhibition, Labels, Route, Routing
from monitor.store import Connection, alerts, outbox, silences
from monitor.store.outbox import Draft, Waiting
from monitor.store.silences import Silence
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
# Stages that hold a message back, in order.
HOLDING = (
    *("route", "severity", "inhibit", "replay"),
    *("silence", "snooze", "hours", "digest", "group"),
)
APART = ("silence", "snooze", "hours", "digest")


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
        Alerts below are not sent, by a route that does not say otherwise.
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
            held = self.held(connection, alert, labels, route, routing, now)
            if not route.channels:
                nobody = f"route {route.name} has no channel"
                held = Verdict(outbox.SUPPRESSED, "route", nobody)
            group = route.group_of(labels)
            for channel in route.channels or ("",):
                verdict = held or self._when(connection, change, route, channel, group, now)
                # What is too small for one route, another may tell on the same channel.
                too_small = f":{route.name}" if verdict.stage == "severity" else ""
                yield (
                    Draft(
                        f"{alert.id}:{change.change}:{change.seq}:{channel}{too_small}",
                        channel,
                        alert.id,
                        *self.render(alert, why, route),
                        verdict.state,
                        verdict.reason,
                        verdict.due_at,
                        route.name,
                        apart(group, verdict.stage),
                        change.change,
                    ),
                    verdict.stage,
                )

    def render(
        self, alert: Alert, why: str, route: Route | None
    ) -> tuple[str, str, dict[str, object]]:
        """Return subject, body and payload of a message, with the route and the group that it goes by."""
        company = self.companies.get(alert.key)
        name = company.name if company else None
        subject, body, payload = render(alert, why, self.dashboard_url, name)
        if route is not None:
            payload["route"] = route.name
            payload["group_labels"] = _group_labels(route, self.labels(alert), payload)
        return subject, body, payload

    def held(
        self,
        connection: Connection,
        alert: Alert,
        labels: Labels,
        route: Route | None,
        routing: Routing,
        now: datetime,
    ) -> Verdict | None:
        """Return what holds an alert back on every channel of a route, or ``None``.

        ``route`` is ``None`` where the tree has it no more.
        """
        least = self.min_severity
        if route is not None and route.min_severity is not None:
            least = route.min_severity
        if alert.severity < least:
            reason = f"severity {alert.severity} is below {least}"
            return Verdict(outbox.SUPPRESSED, "severity", reason)
        for rule in routing.inhibit:
            if cause := self._inhibitor(connection, rule, alert, labels):
                reason = f"inhibited: explained by the {cause.kind.value} alert "
                reason += f"{cause.title} ({cause.id[:8]})"
                return Verdict(outbox.SUPPRESSED, "inhibit", reason)
        if not self.send:
            return Verdict(outbox.RECORDED, "replay", "replay: recorded, not sent")
        silenced = fitting(silences.active(connection, now), labels)
        if not silenced:
            return None
        last = max(silenced, key=lambda each: (each.ends_at, each.id))
        until = f"{last.ends_at:%Y-%m-%d %H:%M} UTC"
        reason = f"silence {last.id} of {last.who} until {until}: {last.comment}"
        return Verdict(outbox.WAITING, "silence", reason, last.ends_at)

    def held_by_now(
        self,
        connection: Connection,
        alert: Alert,
        message: Waiting,
        routing: Routing,
        now: datetime,
    ) -> Verdict | None:
        """Return what holds back an alert whose message has waited, or ``None``."""
        route = routing.named(message.route)
        held = self.held(connection, alert, self.labels(alert), route, routing, now)
        if held is None:
            held = _snoozed(alert, now)
        if held is not None or route is None:
            return held
        # A message that waited for its digest has come to it.
        is_its_digest = message.stage == "digest" and route.opens_at(now, alert.severity) <= now
        return None if is_its_digest else _by_the_clock(route, alert.severity, now)

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
        if waits := _snoozed(alert, now) or _by_the_clock(route, alert.severity, now):
            return waits
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


def _by_the_clock(route: Route, severity: int, now: datetime) -> Verdict | None:
    """What a route's hours or digest make of a message; a digest, too, comes within the hours."""
    if route.digest is not None:
        due = route.opens_at(route.digest.next(now), severity)
        return Verdict(outbox.WAITING, "digest", f"digest of {_clock(due)}", due)
    opens = route.opens_at(now, severity)
    if opens <= now:
        return None
    return Verdict(outbox.WAITING, "hours", f"quiet until {_clock(opens)}", opens)


def fitting(asked: Iterable[Silence], labels: Labels) -> list[Silence]:
    """The silences that are about an alert."""
    return [
        each
        for each in asked
        if fits_all([read_matcher(label, what) for label, what in each.matchers.items()], labels)
    ]


def _group_labels(route: Route, labels: Labels, payload: Mapping[str, object]) -> dict[str, str]:
    """The labels that a group goes by, as the alert in its payload spells them."""
    told = payload["alert"]
    spelled = told if isinstance(told, Mapping) else {}
    return {
        label: str(spelled.get(label) or "|".join(sorted(labels[label])))
        for label in route.groups_by
        if label in labels
    }


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
