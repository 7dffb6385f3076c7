"""The audit: everything that people did, in a chain that shows whether a row was changed.

Every row has the SHA-256 of the hash before it and of its own content, and ``audit_head`` has the hash and
the number of the last row. Who changes, deletes or inserts a row breaks the chain there; who cuts off the end
is found out by the head. Somebody who may write everything in the database can forge all of it anew: keep
the head that ``foreshock audit verify`` prints somewhere else, and compare.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from monitor.domain import from_micros, to_micros
from monitor.store.database import Store
from monitor.store.schema import audit, audit_head
from monitor.store.upsert import insert

START = "0" * 64  # what the first row follows
_CONTENT = ("id", "at_us", "who", "act", "subject", "before", "after", "comment")


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what, when, to what, and what it changed."""

    at: datetime
    who: str
    act: str
    subject: str
    before: Mapping[str, object]
    after: Mapping[str, object]
    comment: str


@dataclass(frozen=True, slots=True)
class Written:
    """An entry as it stands in the audit: its number and its link of the chain."""

    id: int
    entry: AuditEntry
    hash: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What a look at the whole chain found: its length, its end, and what is wrong with it."""

    entries: int
    head: str
    troubles: tuple[str, ...]


def link(before: str, row: Mapping[str, Any]) -> str:
    """Return the hash of a row that follows a hash: hex SHA-256 over both, as JSON with sorted keys."""
    content = [row[name] for name in _CONTENT]
    text = json.dumps([before, *content], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def audited(connection: Connection, entry: AuditEntry) -> None:
    """Append what somebody did, to whatever it was; the chain is locked until the transaction ends.

    Append last, after every other lock of the transaction: all appends of all processes queue here.
    """
    connection.execute(
        insert(connection, audit_head).on_conflict_do_nothing(),
        {"one": 1, "last_id": 0, "hash": START},
    )
    head = connection.execute(select(audit_head).with_for_update()).one()
    row = {
        "id": head.last_id + 1,
        "at_us": to_micros(entry.at),
        "who": entry.who,
        "act": entry.act,
        "subject": entry.subject,
        "before": dict(entry.before),
        "after": dict(entry.after),
        "comment": entry.comment,
    }
    row["hash"] = link(head.hash, row)
    connection.execute(audit.insert(), row)
    connection.execute(update(audit_head).values(last_id=row["id"], hash=row["hash"]))


def trail(store: Store, subject: str, limit: int = 200) -> list[AuditEntry]:
    """Return what people did to something, oldest first."""
    query = select(audit).where(audit.c.subject == subject).order_by(audit.c.id).limit(limit)
    with store.read() as connection:
        return [_entry(row) for row in connection.execute(query).mappings()]


def newest(
    store: Store, limit: int, *, before: int | None = None, who: str | None = None
) -> list[Written]:
    """Return entries, the newest first; ``before`` is the number of the last one of the page before."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.id < before)
    if who is not None:
        query = query.where(audit.c.who == who)
    with store.read() as connection:
        rows = connection.execute(query).mappings().all()
    return [Written(row["id"], _entry(row), row["hash"]) for row in rows]


def verify(store: Store) -> Verified:
    """Follow the chain from its first row to its head, and name every row where it breaks."""
    troubles: list[str] = []
    before, last, count = START, 0, 0
    with store.read() as connection:
        head = connection.execute(select(audit_head)).first()
        for row in connection.execute(select(audit).order_by(audit.c.id)).mappings():
            if row["hash"] != link(before, dict(row)):
                troubles.append(_break(row["id"], last))
            before, last, count = row["hash"], row["id"], count + 1
    ends, through = (head.hash, head.last_id) if head is not None else (START, 0)
    if last < through:
        troubles.append(f"entries {last + 1} to {through} are missing at the end")
    elif last > through:
        troubles.append(f"entries {through + 1} to {last} were added behind the end of the chain")
    elif before != ends and not troubles:
        troubles.append(f"the chain ends with another hash than it had after entry {last}")
    return Verified(count, ends, tuple(troubles))


def holds(store: Store, head: str) -> bool:
    """Say whether a hash is in the chain: what was its head once, or its start."""
    with store.read() as connection:
        found = connection.execute(select(audit.c.id).where(audit.c.hash == head)).first()
    return found is not None or head == START


def chain_stored(connection: Connection) -> None:
    """Chain the rows that an earlier version wrote; for the migration that brings the chain."""
    columns = [audit.c[name] for name in _CONTENT]
    before, last = START, 0
    for row in connection.execute(select(*columns).order_by(audit.c.id)).mappings().all():
        before, last = link(before, dict(row)), row["id"]
        connection.execute(update(audit).where(audit.c.id == last).values(hash=before))
    connection.execute(audit_head.insert(), {"one": 1, "last_id": last, "hash": before})


def _break(at: int, last: int) -> str:
    if at - last == 2:
        return f"entry {at - 1} is missing"
    if at - last > 2:
        return f"entries {last + 1} to {at - 1} are missing"
    return f"entry {at} was changed, or put in the place of another"


def _entry(row: RowMapping) -> AuditEntry:
    names: Sequence[str] = ("who", "act", "subject", "before", "after", "comment")
    return AuditEntry(at=from_micros(row["at_us"]), **{name: row[name] for name in names})
