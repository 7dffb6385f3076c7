"""Notifications: written once per (alert, change, channel), sent at least once.

A message that has to wait (for its group, for the end of a snooze or of quiet hours, for a digest) is
``waiting``; when its time has come it is ``pending`` by itself, or ``grouped``: sent within another message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from monitor.domain import Notification, from_micros, to_micros
from monitor.store.database import Store
from monitor.store.schema import notifications
from monitor.store.upsert import insert

WAITING = "waiting"
PENDING = "pending"
SENT = "sent"
REFUSED = "refused"  # the channel will never take it
SUPPRESSED = "suppressed"  # a stage held it back; the reason says why
GROUPED = "grouped"  # sent as part of another message, which the reason names
RECORDED = "recorded"  # a replay or backfill: kept, not sent


@dataclass(frozen=True, slots=True)
class Draft:
    """A notification to write.

    ``state`` is one of the constants above, ``reason`` says why; ``due_at`` is when it may be told, now when
    ``None``. ``route``, ``group`` and ``change`` say by which route it goes, with which others, and why it
    is told.
    """

    idempotency_key: str
    channel: str
    alert_id: str
    subject: str
    body: str
    payload: Mapping[str, object]
    state: str
    reason: str
    due_at: datetime | None = None
    route: str = ""
    group: str = ""
    change: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notification whose time to be told has come."""

    id: int
    channel: str
    route: str
    group: str
    alert_id: str
    change: str
    subject: str
    body: str
    payload: Mapping[str, object]

    @property
    def stage(self) -> str:
        """What it waited for: as the second part of ``group`` says, or nothing but its group."""
        return self.group.partition(".")[2]


@dataclass(frozen=True, slots=True)
class Written:
    """That a notification was written: by which route, why it is told, and when."""

    idempotency_key: str
    route: str
    change: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a notification: the row that ``foreshock notify log`` shows."""

    id: int
    created_at: datetime
    settled_at: datetime | None
    channel: str
    route: str
    alert_id: str
    change: str
    state: str
    attempts: int
    reason: str
    subject: str


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
        "next_try_us": to_micros(draft.due_at or now),
        "due_us": to_micros(draft.due_at or now),
        "created_us": to_micros(now),
        "route": draft.route,
        "group_key": draft.group,
        "change": draft.change,
    }
    statement = insert(connection, notifications).on_conflict_do_nothing()
    return connection.execute(statement.returning(notifications.c.id), row).first() is not None


def written(connection: Connection, alert_id: str) -> list[Written]:
    """Return what has been written of an alert, whatever became of it, oldest first."""
    n = notifications.c
    query = select(n.idempotency_key, n.route, n.change, n.created_us).where(n.alert_id == alert_id)
    return [
        Written(row.idempotency_key, row.route, row.change, from_micros(row.created_us))
        for row in connection.execute(query.order_by(n.created_us, n.id))
    ]


def is_due(connection: Connection, now: datetime) -> bool:
    """Say whether anything waits or is pending whose time has come."""
    n = notifications.c
    query = select(n.id).where(n.state.in_([WAITING, PENDING]), n.next_try_us <= to_micros(now))
    return connection.execute(query.limit(1)).first() is not None


def waits_since(connection: Connection) -> datetime | None:
    """Return since when the longest has been due of what is not told yet; ``None`` where nothing is left."""
    n = notifications.c
    query = select(func.min(n.due_us)).where(n.state.in_([WAITING, PENDING]))
    return _moment(connection.execute(query).scalar_one())


def due_channels(connection: Connection, now: datetime) -> list[str]:
    """Return the channels of pending notifications whose next try has come, by name."""
    n = notifications.c
    query = select(n.channel).where(n.state == PENDING, n.next_try_us <= to_micros(now))
    return list(connection.execute(query.distinct().order_by(n.channel)).scalars())


def due(
    connection: Connection, now: datetime, limit: int, channel: str | None = None
) -> list[Notification]:
    """Return pending notifications whose next try has come, oldest first; of one channel, or of all."""
    query = select(notifications).where(
        notifications.c.state == PENDING, notifications.c.next_try_us <= to_micros(now)
    )
    if channel is not None:
        query = query.where(notifications.c.channel == channel)
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
            route=row.route,
            group=row.group_key,
            change=row.change,
        )
        for row in rows
    ]


def ripe(connection: Connection, now: datetime) -> list[Waiting]:
    """Return the waiting notifications whose time has come, in the order they were written.

    They are locked until the transaction ends: for writers only.
    """
    n = notifications.c
    query = select(notifications).where(n.state == WAITING, n.next_try_us <= to_micros(now))
    return [
        Waiting(
            id=row.id,
            channel=row.channel,
            route=row.route,
            group=row.group_key,
            alert_id=row.alert_id,
            change=row.change,
            subject=row.subject,
            body=row.body,
            payload=row.payload,
        )
        for row in connection.execute(query.order_by(n.id).with_for_update())
    ]


def waits_until(connection: Connection, channel: str, group: str) -> datetime | None:
    """Return when the next message of a group is due, or ``None`` when none waits."""
    n = notifications.c
    query = select(func.min(n.next_try_us)).where(
        n.channel == channel, n.group_key == group, n.state == WAITING
    )
    return _moment(connection.execute(query).scalar_one())


def told_at(
    connection: Connection, channel: str, group: str | None = None, alert_id: str | None = None
) -> datetime | None:
    """Return when people were last told on a channel: of a group, or of an alert; ``None`` for never."""
    n = notifications.c
    # What went out within another message was released with it.
    query = select(func.max(n.next_try_us)).where(
        n.channel == channel, n.state.in_([PENDING, SENT, GROUPED])
    )
    if group is not None:
        query = query.where(n.group_key == group)
    if alert_id is not None:
        query = query.where(n.alert_id == alert_id)
    return _moment(connection.execute(query).scalar_one())


def told_after(connection: Connection, message: Waiting) -> bool:
    """Say whether people were told of an alert on a channel by a message that was written after this one."""
    n = notifications.c
    query = select(n.id).where(
        n.alert_id == message.alert_id,
        n.channel == message.channel,
        n.id > message.id,
        n.state.in_([PENDING, SENT, GROUPED]),
    )
    return connection.execute(query.limit(1)).first() is not None


def release(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    """Let waiting notifications go out now."""
    _move(connection, ids, PENDING, "", now)


def end(connection: Connection, ids: Sequence[int], state: str, reason: str, now: datetime) -> None:
    """Say that waiting notifications will not go out by themselves, and why."""
    _move(connection, ids, state, reason, now)


def _move(
    connection: Connection, ids: Sequence[int], state: str, reason: str, now: datetime
) -> None:
    if ids:
        values = {"state": state, "reason": reason, "next_try_us": to_micros(now)}
        values["due_us"] = values["next_try_us"]
        connection.execute(update(notifications).where(notifications.c.id.in_(ids)).values(values))


def keep(connection: Connection, id_: int, until: datetime) -> None:
    """Let a pending notification be due later: nobody is to be told now, and nothing is wrong."""
    later = to_micros(until)
    statement = update(notifications).where(
        notifications.c.id == id_, notifications.c.state == PENDING
    )
    connection.execute(statement.values(next_try_us=later, due_us=later))


def put_off(connection: Connection, id_: int, reason: str, due_at: datetime, group: str) -> None:
    """Let a notification that waits, or is not sent yet, wait longer, in a group that holds up no other."""
    _move(connection, [id_], WAITING, reason, due_at)
    statement = update(notifications).where(notifications.c.id == id_)
    connection.execute(statement.values(group_key=group))


def reword(
    connection: Connection, id_: int, subject: str, body: str, payload: Mapping[str, object]
) -> None:
    """Let a waiting notification say something else."""
    values = {"subject": subject, "body": body, "payload": dict(payload)}
    connection.execute(
        update(notifications).where(notifications.c.id == id_, notifications.c.state == WAITING),
        values,
    )


def look_again(
    connection: Connection, stage: str, now: datetime, alert_id: str | None = None
) -> None:
    """Make due now what waits for something that ended early: what still holds it is asked then."""
    n = notifications.c
    statement = update(notifications).where(
        n.state == WAITING, n.group_key.endswith(f".{stage}"), n.next_try_us > to_micros(now)
    )
    if alert_id is not None:
        statement = statement.where(n.alert_id == alert_id)
    connection.execute(statement.values(next_try_us=to_micros(now), due_us=to_micros(now)))


def hurry(connection: Connection, channel: str, now: datetime) -> int:
    """Make everything due now that waits for a channel, which works again; return how many."""
    n = notifications.c
    statement = update(notifications).where(
        n.channel == channel, n.state == PENDING, n.next_try_us > to_micros(now)
    )
    return connection.execute(statement.values(next_try_us=to_micros(now))).rowcount


def receipts(
    store: Store,
    limit: int,
    alert_id: str | None = None,
    channel: str | None = None,
    state: str | None = None,
) -> list[Receipt]:
    """Return what became of notifications, newest first; ``alert_id`` may be the beginning of an id."""
    n = notifications.c
    query = select(notifications)
    if alert_id is not None:
        query = query.where(n.alert_id.startswith(alert_id, autoescape=True))
    if channel is not None:
        query = query.where(n.channel == channel)
    if state is not None:
        query = query.where(n.state == state)
    with store.read() as connection:
        rows = connection.execute(query.order_by(n.id.desc()).limit(limit)).all()
    return [
        Receipt(
            id=row.id,
            created_at=from_micros(row.created_us),
            settled_at=_moment(row.settled_us),
            channel=row.channel,
            route=row.route,
            alert_id=row.alert_id,
            change=row.change,
            state=row.state,
            attempts=row.attempts,
            reason=row.reason,
            subject=row.subject,
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


def failures(connection: Connection, channel: str) -> int:
    """Return how often the oldest trouble of a channel was tried: 0 when all is well."""
    n = notifications.c
    query = select(func.max(n.attempts)).where(n.channel == channel, n.state == PENDING)
    return int(connection.execute(query).scalar_one() or 0)


def postpone(
    connection: Connection,
    notification: Notification,
    reason: str,
    next_try_at: datetime,
    whole_channel: bool = True,
) -> None:
    """Keep a notification for another try; of a channel that is down all that is due waits as long."""
    n = notifications.c
    later = to_micros(next_try_at)
    which = n.channel == notification.channel if whole_channel else n.id == notification.id
    connection.execute(
        update(notifications)
        .where(which, n.state == PENDING, n.next_try_us < later)
        .values(next_try_us=later)
    )
    connection.execute(
        update(notifications)
        .where(n.id == notification.id)
        .values(reason=reason, attempts=n.attempts + 1)
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


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
