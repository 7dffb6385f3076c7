"""What the drift monitors said, each time they were asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from monitor.domain import from_micros, to_micros
from monitor.store.schema import drifts


@dataclass(frozen=True, slots=True)
class Looked:
    """One look: what every monitor said, as JSON."""

    at: datetime
    speaks: bool
    monitors: Sequence[Mapping[str, Any]]


def add(
    connection: Connection, now: datetime, speaks: bool, monitors: Sequence[Mapping[str, Any]]
) -> None:
    """Write what the monitors said."""
    row = {"at_us": to_micros(now), "speaks": speaks, "monitors": [dict(each) for each in monitors]}
    connection.execute(drifts.insert(), row)


def last(connection: Connection) -> Looked | None:
    """Return the newest look."""
    query = select(drifts).order_by(drifts.c.id.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else Looked(from_micros(row.at_us), row.speaks, row.monitors)
