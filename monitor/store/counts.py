"""What gauges show of the store: small counts, each answered from an index."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, func, select, text

from monitor.domain import OPEN_STATES, AlertKind
from monitor.store.dead import WAITING
from monitor.store.schema import alerts, dead_letters


def open_alerts(connection: Connection) -> Mapping[tuple[str, int], int]:
    """Return how many alerts are open, by (state, severity)."""
    query = (
        select(alerts.c.state, alerts.c.severity, func.count())
        .where(alerts.c.state.in_([state.value for state in OPEN_STATES]))
        .group_by(alerts.c.state, alerts.c.severity)
    )
    return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def silent_keys(connection: Connection) -> frozenset[str]:
    """Return the keys (sources, publishers) whose silence is an open alert."""
    query = select(alerts.c.key).where(
        alerts.c.state.in_([state.value for state in OPEN_STATES]),
        alerts.c.kind == AlertKind.ABSENCE.value,
    )
    return frozenset(connection.execute(query).scalars())


def waiting_letters(connection: Connection) -> Mapping[str, int]:
    """Return how many dead letters nobody has dealt with, by stage."""
    query = (
        select(dead_letters.c.stage, func.count())
        .where(dead_letters.c.state == WAITING)
        .group_by(dead_letters.c.stage)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def size_bytes(connection: Connection) -> int:
    """Return how large the database is on its disk, free pages included, in bytes."""
    if connection.dialect.name == "sqlite":
        query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    else:
        query = "SELECT pg_database_size(current_database())"
    return int(connection.execute(text(query)).scalar_one())
