"""What people do about alerts: acknowledge, assign, snooze, resolve, reopen, comment, judge.

Every act is one transaction that looks at the alert as it is now, changes it if it may, and writes what
happened three times over: to the alert's history (from where the `alerts` stream carries it), to the audit,
and, for a verdict, to the verdicts. Two people at once: the second is told what the first did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select, update

from monitor.domain import OPEN_STATES, VERDICTS, AlertState, from_micros, to_micros
from monitor.errors import ForeshockError
from monitor.store import outbox
from monitor.store.alerts import AlertEvent, by_fingerprint, record_event
from monitor.store.audit import AuditEntry, audited
from monitor.store.database import Store
from monitor.store.schema import alerts, verdicts

OPEN = tuple(state.value for state in OPEN_STATES)
SEEN = (*OPEN, AlertState.RESOLVED.value)


class ActRefused(ForeshockError):
    """An act that the alert does not allow as it is now; the message says how it is."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person says of an alert: one of `monitor.domain.VERDICTS`."""

    alert_id: str
    verdict: str
    who: str
    note: str
    at: datetime


def acknowledge(
    connection: Connection, alert_id: str, who: str, now: datetime, comment: str = ""
) -> None:
    """Say that somebody looks after an alert; reminders and escalations end.

    Raises
    ------
    ActRefused
        It is not firing (any more).
    """
    values = {
        "state": AlertState.ACKNOWLEDGED.value,
        "acknowledged_by": who,
        "acknowledged_us": to_micros(now),
    }
    firing = (AlertState.FIRING.value,)
    _act(connection, alert_id, who, now, "acknowledged", firing, values, comment)


def assign(
    connection: Connection,
    alert_id: str,
    who: str,
    now: datetime,
    to: str | None,
    comment: str = "",
    over: bool = False,
) -> None:
    """Give an open alert to somebody, or back to nobody (``None``).

    Raises
    ------
    ActRefused
        Somebody else has it, and it is not to be given ``over`` their head; or it is not open.
    """
    has_it = _locked(connection, alert_id)["assigned_to"]
    if has_it not in (None, who, to) and not over:
        raise ActRefused(f"alert {alert_id[:8]}: {has_it} has it already")
    act = "unassigned" if to is None else "assigned"
    _act(connection, alert_id, who, now, act, OPEN, {"assigned_to": to}, comment)


def snooze(
    connection: Connection,
    alert_id: str,
    who: str,
    now: datetime,
    until: datetime | None,
    comment: str = "",
) -> None:
    """Hold back the messages of an open alert until a time; ``None`` ends a snooze, and lets them go.

    Raises
    ------
    ActRefused
        The time is past, there is no snooze to end, or the alert is not open.
    """
    if until is not None and until <= now:
        raise ActRefused(f"cannot snooze until {until:%Y-%m-%d %H:%M}: that is past")
    if until is None and _locked(connection, alert_id)["snoozed_until_us"] is None:
        raise ActRefused(f"alert {alert_id[:8]}: it is not snoozed")
    act = "unsnoozed" if until is None else "snoozed"
    values = {"snoozed_until_us": None if until is None else to_micros(until)}
    _act(connection, alert_id, who, now, act, OPEN, values, comment)
    outbox.look_again(connection, "snooze", now, alert_id)


def resolve(
    connection: Connection, alert_id: str, who: str, now: datetime, comment: str = ""
) -> None:
    """Say that an open alert is over; only what people would be told of takes it up again."""
    values = {
        "state": AlertState.RESOLVED.value,
        "resolved_us": to_micros(now),
        "snoozed_until_us": None,
        "closed_by": who,
    }
    _act(connection, alert_id, who, now, "resolved", OPEN, values, comment)


def reopen(
    connection: Connection, alert_id: str, who: str, now: datetime, comment: str = ""
) -> None:
    """Take up a resolved alert again.

    Raises
    ------
    ActRefused
        It is open, or there is a newer alert of the same event.
    """
    row = _locked(connection, alert_id)
    # Locks the newest of the event: of two who reopen, or of the alert stage, one is first.
    newest = by_fingerprint(connection, row["fingerprint"])
    if newest is not None and newest.id != alert_id:
        raise ActRefused(f"alert {alert_id[:8]}: the event goes on as alert {newest.id[:8]}")
    values = {"state": AlertState.FIRING.value, "resolved_us": None, "closed_by": None}
    # Quiet is counted from here.
    values["updated_us"] = max(row["updated_us"], to_micros(now))
    resolved = (AlertState.RESOLVED.value,)
    _act(connection, alert_id, who, now, "reopened", resolved, values, comment)


def comment(connection: Connection, alert_id: str, who: str, now: datetime, text: str) -> None:
    """Write something about an alert, for others."""
    _act(connection, alert_id, who, now, "commented", SEEN, {}, text)


def judge(
    connection: Connection, alert_id: str, who: str, now: datetime, verdict: str, note: str = ""
) -> None:
    """Give a verdict on an alert. The newest counts; the older ones stay.

    Raises
    ------
    ActRefused
        There is no such verdict, or the alert was never told.
    """
    if verdict not in VERDICTS:
        raise ActRefused(f"no verdict {verdict!r}; verdicts are {', '.join(VERDICTS)}")
    _act(connection, alert_id, who, now, "judged", SEEN, {}, f"{verdict}: {note}".rstrip(": "))
    row = {"alert_id": alert_id, "verdict": verdict, "who": who, "note": note}
    connection.execute(verdicts.insert(), {**row, "at_us": to_micros(now)})


def verdicts_on(store: Store, alert_id: str) -> list[Verdict]:
    """Return every verdict on an alert, oldest first."""
    query = select(verdicts).where(verdicts.c.alert_id == alert_id).order_by(verdicts.c.id)
    with store.read() as connection:
        return [_verdict(row) for row in connection.execute(query).mappings()]


def verdicts_by(connection: Connection, who: str, since: datetime) -> dict[str, str]:
    """Return by alert the last verdict of one person, of those given since a time."""
    query = select(verdicts.c.alert_id, verdicts.c.verdict)
    query = query.where(verdicts.c.who == who, verdicts.c.at_us >= to_micros(since))
    rows = connection.execute(query.order_by(verdicts.c.id))
    return {row.alert_id: row.verdict for row in rows}


def verdicts_since(store: Store, since: datetime | None = None) -> list[Verdict]:
    """Return the newest verdict on each alert that began since a time, oldest first."""
    newest = select(func.max(verdicts.c.id)).group_by(verdicts.c.alert_id)
    query = select(verdicts).where(verdicts.c.id.in_(newest)).order_by(verdicts.c.id)
    if since is not None:
        query = query.join(alerts, alerts.c.id == verdicts.c.alert_id)
        query = query.where(alerts.c.started_us >= to_micros(since))
    with store.read() as connection:
        return [_verdict(row) for row in connection.execute(query).mappings()]


def _act(
    connection: Connection,
    alert_id: str,
    who: str,
    now: datetime,
    act: str,
    allowed: Sequence[str],
    values: Mapping[str, Any],
    text: str,
) -> None:
    row = _locked(connection, alert_id)
    if row["state"] not in allowed:
        raise ActRefused(f"alert {alert_id[:8]}: {_how_it_is(row)}; it cannot be {act}")
    before = {name: row[name] for name in values}
    if values:
        connection.execute(update(alerts).where(alerts.c.id == alert_id).values(dict(values)))
    record_event(connection, alert_id, AlertEvent(now, act, who))
    audited(connection, AuditEntry(now, who, act, alert_id, before, dict(values), text))


def _locked(connection: Connection, alert_id: str) -> RowMapping:
    query = select(alerts).where(alerts.c.id == alert_id).with_for_update()
    row = connection.execute(query).mappings().first()
    if row is None or row["state"] == AlertState.PENDING.value:
        raise ActRefused(f"alert {alert_id[:8]}: there is none")
    return row


def _how_it_is(row: RowMapping) -> str:
    if row["state"] == AlertState.ACKNOWLEDGED.value:
        return f"{row['acknowledged_by']} acknowledged it at {_clock(row['acknowledged_us'])}"
    if row["state"] == AlertState.RESOLVED.value:
        by = f" by {row['closed_by']}" if row["closed_by"] else ""
        return f"it was resolved{by} at {_clock(row['resolved_us'])}"
    return f"it is {row['state']}"


def _clock(micros: int) -> str:
    return f"{from_micros(micros):%Y-%m-%d %H:%M} UTC"


def _verdict(row: RowMapping) -> Verdict:
    return Verdict(
        alert_id=row["alert_id"],
        verdict=row["verdict"],
        who=row["who"],
        note=row["note"],
        at=from_micros(row["at_us"]),
    )
