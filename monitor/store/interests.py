"""What each person follows on a page of their own: companies and topics."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, delete, select

from monitor.domain import to_micros
from monitor.store.audit import AuditEntry, audited
from monitor.store.schema import interests
from monitor.store.upsert import insert

MOST = 200  # of one person


class Kind(StrEnum):
    """What can be followed."""

    COMPANY = "company"
    TOPIC = "topic"


def of(connection: Connection, person: str) -> dict[Kind, list[str]]:
    """Return the company ids and topics that somebody follows, each in the order they were added."""
    query = select(interests).where(interests.c.person == person)
    found: dict[Kind, list[str]] = {kind: [] for kind in Kind}
    for row in connection.execute(query.order_by(interests.c.since_us, interests.c.key)):
        found[Kind(row.kind)].append(row.key)
    return found


def follow(connection: Connection, person: str, kind: Kind, keys: list[str], now: datetime) -> None:
    """Make these, and no others of the kind, what somebody follows; it is in the audit."""
    wanted = list(dict.fromkeys(keys))[:MOST]
    known = of(connection, person)[kind]
    if set(wanted) == set(known):
        return
    mine = (interests.c.person == person, interests.c.kind == kind.value)
    connection.execute(delete(interests).where(*mine, interests.c.key.not_in(wanted)))
    rows = [
        {"person": person, "kind": kind.value, "key": key, "since_us": to_micros(now)}
        for key in wanted
        if key not in known
    ]
    if rows:
        connection.execute(insert(connection, interests).on_conflict_do_nothing(), rows)
    before, after = {kind.value: sorted(known)}, {kind.value: sorted(wanted)}
    audited(connection, AuditEntry(now, person, "followed", person, before, after, ""))
