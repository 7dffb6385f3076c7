"""Dead letters: what could not be processed, until somebody has tried it again or dropped it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select, update

from monitor.domain import DeadItem, DeadReason, digest, from_micros, storable, to_micros
from monitor.store.audit import AuditEntry, audited
from monitor.store.schema import dead_letters
from monitor.store.upsert import insert

MAX_RECORD = 256 * 1024  # bytes; a larger record is not kept beside its payload
WAITING, RETRIED, DROPPED = "waiting", "retried", "dropped"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead item. ``record`` is the whole of it where it came from ``stream``, else ``None``."""

    id: str
    item: DeadItem
    stream: str | None
    key: str | None
    record: bytes | None
    state: str


@dataclass(frozen=True, slots=True)
class Original:
    """The record that an item was."""

    stream: str
    key: str
    value: bytes


def add(connection: Connection, items: Iterable[tuple[DeadItem, Original | None]]) -> None:
    """Keep dead items; one that is known already (a redelivery, a feed visited again) changes nothing."""
    rows = {}
    for item, original in items:
        kept = original is not None and len(original.value) <= MAX_RECORD
        id_ = digest(f"{item.origin}\0{item.payload}")[:16]
        rows[id_] = {
            "id": id_,
            "stage": item.stage,
            "reason": item.reason.value,
            "detail": storable(item.detail),
            "origin": storable(item.origin),
            "payload": storable(item.payload),
            "failed_us": to_micros(item.failed_at),
            "stream": None if original is None else original.stream,
            "record_key": None
            if original is None
            else original.key.encode("utf-8", "surrogatepass"),
            "record": original.value if kept and original is not None else None,
            "state": WAITING,
        }
    if rows:
        statement = insert(connection, dead_letters).on_conflict_do_nothing()
        connection.execute(statement, list(rows.values()))


def letters(
    connection: Connection,
    states: Sequence[str] = (WAITING,),
    *,
    stage: str | None = None,
    reason: str | None = None,
    since: datetime | None = None,
    before: tuple[int, str] | None = None,
    limit: int | None = None,
) -> list[DeadLetter]:
    """Return dead letters, the newest first; ``before``: behind a place of the list, (failed_us, id)."""
    where: list[ColumnElement[bool]] = [dead_letters.c.state.in_(states)]
    if stage is not None:
        where.append(dead_letters.c.stage == stage)
    if reason is not None:
        where.append(dead_letters.c.reason == reason)
    if since is not None:
        where.append(dead_letters.c.failed_us >= to_micros(since))
    if before is not None:
        moment_us, id_ = before
        same = and_(dead_letters.c.failed_us == moment_us, dead_letters.c.id < id_)
        where.append(or_(dead_letters.c.failed_us < moment_us, same))
    order = (dead_letters.c.failed_us.desc(), dead_letters.c.id.desc())
    query = select(dead_letters).where(*where).order_by(*order).limit(limit)
    return [_letter(row) for row in connection.execute(query)]


def beginning_with(connection: Connection, beginning: str) -> list[DeadLetter]:
    """Return the letters whose id begins so, whatever was done about them."""
    where = dead_letters.c.id.startswith(beginning, autoescape=True)
    query = select(dead_letters).where(where).order_by(dead_letters.c.id).limit(3)
    return [_letter(row) for row in connection.execute(query)]


def settle(
    connection: Connection, letter: DeadLetter, state: str, who: str, now: datetime, comment: str
) -> None:
    """Say what was done about a letter; it is in the audit as well."""
    connection.execute(
        update(dead_letters)
        .where(dead_letters.c.id == letter.id)
        .values(state=state, acted_us=to_micros(now))
    )
    before, after = {"state": letter.state}, {"state": state}
    audited(connection, AuditEntry(now, who, state, letter.id, before, after, comment))


def expire(connection: Connection, before: datetime) -> int:
    """Delete letters that were dealt with before a time; return how many. Those that wait stay."""
    where = (dead_letters.c.state != WAITING, dead_letters.c.acted_us < to_micros(before))
    return connection.execute(delete(dead_letters).where(*where)).rowcount


def _letter(row: object) -> DeadLetter:
    item = DeadItem(
        DeadReason(row.reason),  # type: ignore[attr-defined]
        *(row.detail, row.origin, row.payload, row.stage, from_micros(row.failed_us)),  # type: ignore[attr-defined]
    )
    key = row.record_key  # type: ignore[attr-defined]
    key = None if key is None else key.decode("utf-8", "surrogatepass")
    return DeadLetter(row.id, item, row.stream, key, row.record, row.state)  # type: ignore[attr-defined]
