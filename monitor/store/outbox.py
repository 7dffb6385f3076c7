"""Notifications: written once per (alert, change, channel), sent at least once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from monitor.domain import Notification, from_micros, to_micros
from monitor.store.database import Store
from monitor.store.schema import notifications
from monitor.store.upsert import insert

PENDING = "pending"
SENT = "sent"
REFUSED = "refused"  # the channel will never take it
SUPPRESSED = "suppressed"  # a stage held it back; the reason says why
RECORDED = "recorded"  # a replay or backfill: kept, not sent


@dataclass(frozen=True, slots=True)
class Draft:
    """A notification to write. ``state`` is one of the constants above, ``reason`` says why."""

    idempotency_key: str
    channel: str
    alert_id: str
    subject: str
    body: str
    payload: Mapping[str, object]
    state: str
    reason: str


def add(connection: Connection, draft: Draft, now: datetime) -> bool:
    """Write a notification; ``False`` when its idempotency key is there already."""
    row = {
        "idempotency_key": draft.idempotency_key,
        "channel": draft.channel,
        "alert_id": draft.alert_id,
        "subject": draft.subject,
        "body": draft.body,
        "payload": dict(draft.payload),
        "state": draft.state,
        "reason": draft.reason,
        "attempts": 0,
        "next_try_us": to_micros(now),
        "created_us": to_micros(now),
    }
    statement = insert(connection, notifications).on_conflict_do_nothing()
    return connection.execute(statement.returning(notifications.c.id), row).first() is not None


def due(connection: Connection, now: datetime, limit: int) -> list[Notification]:
    """Return pending notifications whose next try has come, oldest first."""
    query = select(notifications).where(
        notifications.c.state == PENDING, notifications.c.next_try_us <= to_micros(now)
    )
    rows = connection.execute(query.order_by(notifications.c.id).limit(limit))
    return [
        Notification(
            id=row.id,
            idempotency_key=row.idempotency_key,
            channel=row.channel,
            alert_id=row.alert_id,
            subject=row.subject,
            body=row.body,
            payload=row.payload,
            attempts=row.attempts,
        )
        for row in rows
    ]


def settle(connection: Connection, id_: int, state: str, reason: str, now: datetime) -> datetime:
    """Say how a notification ended; return when it was written."""
    statement = (
        update(notifications)
        .where(notifications.c.id == id_)
        .values(
            state=state,
            reason=reason,
            attempts=notifications.c.attempts + 1,
            settled_us=to_micros(now),
        )
        .returning(notifications.c.created_us)
    )
    return from_micros(connection.execute(statement).scalar_one())


def postpone(connection: Connection, id_: int, reason: str, next_try_at: datetime) -> None:
    """Keep a notification for another try."""
    connection.execute(
        update(notifications)
        .where(notifications.c.id == id_)
        .values(
            reason=reason,
            attempts=notifications.c.attempts + 1,
            next_try_us=to_micros(next_try_at),
        )
    )


def tally(store: Store) -> dict[str, int]:
    """Return how many notifications are in each state."""
    query = select(notifications.c.state, func.count()).group_by(notifications.c.state)
    with store.read() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def of_alert(store: Store, alert_id: str) -> list[dict[str, object]]:
    """Return the notifications of one alert, oldest first: channel, state, reason, created_at, subject."""
    query = select(notifications).where(notifications.c.alert_id == alert_id)
    with store.read() as connection:
        rows = connection.execute(query.order_by(notifications.c.id)).all()
    return [
        {
            "created_at": from_micros(row.created_us),
            "channel": row.channel,
            "state": row.state,
            "reason": row.reason,
            "subject": row.subject,
        }
        for row in rows
    ]
