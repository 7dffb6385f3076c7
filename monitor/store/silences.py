"""Silences: what people asked not to hear of, from when to when, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from monitor.domain import from_micros, to_micros
from monitor.store import outbox
from monitor.store.database import Store
from monitor.store.schema import silences


@dataclass(frozen=True, slots=True)
class Silence:
    """``matchers`` holds labels and the values that fit, as `monitor.notify.match` reads them."""

    id: int
    matchers: Mapping[str, object]
    starts_at: datetime
    ends_at: datetime
    who: str
    comment: str
    created_at: datetime


def add(
    connection: Connection,
    matchers: Mapping[str, object],
    starts_at: datetime,
    ends_at: datetime,
    who: str,
    comment: str,
    now: datetime,
) -> int:
    """Write a silence; return its id."""
    row = {
        "matchers": dict(matchers),
        "starts_us": to_micros(starts_at),
        "ends_us": to_micros(ends_at),
        "who": who,
        "comment": comment,
        "created_us": to_micros(now),
    }
    return int(connection.execute(silences.insert().returning(silences.c.id), row).scalar_one())


def expire(connection: Connection, id_: int, now: datetime) -> bool:
    """End a silence now, and let what it held go on; ``False`` when none of this id is not over."""
    statement = update(silences).where(silences.c.id == id_, silences.c.ends_us > to_micros(now))
    ended = bool(connection.execute(statement.values(ends_us=to_micros(now))).rowcount)
    if ended:
        outbox.look_again(connection, "silence", now)
    return ended


def active(connection: Connection, now: datetime) -> list[Silence]:
    """Return the silences that hold, oldest first."""
    at = to_micros(now)
    query = select(silences).where(silences.c.starts_us <= at, silences.c.ends_us > at)
    return [_silence(row) for row in connection.execute(query.order_by(silences.c.id))]


def ended(connection: Connection, since: datetime, now: datetime) -> list[Silence]:
    """Return the silences that held after a time and are over now, oldest first."""
    query = select(silences).where(
        silences.c.ends_us > to_micros(since),
        silences.c.ends_us <= to_micros(now),
        silences.c.starts_us < silences.c.ends_us,
    )
    return [_silence(row) for row in connection.execute(query.order_by(silences.c.id))]


def latest(store: Store, limit: int) -> list[Silence]:
    """Return silences, over or not, newest first."""
    query = select(silences).order_by(silences.c.id.desc()).limit(limit)
    with store.read() as connection:
        return [_silence(row) for row in connection.execute(query)]


def _silence(row: Row[Any]) -> Silence:
    return Silence(
        id=row.id,
        matchers=row.matchers,
        starts_at=from_micros(row.starts_us),
        ends_at=from_micros(row.ends_us),
        who=row.who,
        comment=row.comment,
        created_at=from_micros(row.created_us),
    )
