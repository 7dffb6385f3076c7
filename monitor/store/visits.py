"""How the visits of sources went: the last try, the last success, the last that brought something new."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, func, select

from monitor.domain import from_micros, storable, to_micros
from monitor.store.schema import visits
from monitor.store.upsert import insert

MAX_FAILURE = 500  # characters


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit that ended; ``failure`` says why it failed and is empty where it did not.

    What is ``None`` stays as it was.
    """

    source: str
    at: datetime
    new: int
    failure: str = ""
    kind: str = ""  # of the failure, as `monitor.collect.source.Failure` has it
    took_s: float | None = None
    items: int | None = None  # brought, new or not
    unusable: int | None = None  # of those
    due_at: datetime | None = None
    cadence_s: float | None = None
    memory: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Visited:
    """A source, by its visits up to now; ``None``: there was none of that kind, or it is not known."""

    source: str
    tried_at: datetime
    succeeded_at: datetime | None
    new_at: datetime | None
    failures: int  # in a row
    failure: str
    kind: str = ""
    took_s: float | None = None
    items: int | None = None
    unusable: int | None = None
    due_at: datetime | None = None
    cadence_s: float | None = None
    memory: Mapping[str, str] = field(default_factory=dict)


def save(connection: Connection, ended: Iterable[Visit]) -> None:
    """Add visits to what is known of their sources, in the order in which they ended."""
    rows = [_row(visit) for visit in ended]
    if not rows:
        return
    statement = insert(connection, visits)
    new = statement.excluded
    kept = (
        "succeeded_us",
        "new_us",
        "took_s",
        "items",
        "unusable",
        "due_us",
        "cadence_s",
        "memory",
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[visits.c.source],
            set_={
                **{name: func.coalesce(new[name], visits.c[name]) for name in kept},
                **{name: new[name] for name in ("tried_us", "failure", "kind")},
                "failures": case((new.failures == 0, 0), else_=visits.c.failures + 1),
            },
        ),
        rows,
    )


def _row(visit: Visit) -> dict[str, Any]:
    at_us = to_micros(visit.at)
    memory = None
    if visit.memory is not None:
        memory = storable(json.dumps(dict(visit.memory), ensure_ascii=True))
    return {
        "source": visit.source,
        "tried_us": at_us,
        "succeeded_us": None if visit.failure else at_us,
        "new_us": at_us if visit.new else None,
        "failures": int(bool(visit.failure)),
        "failure": storable(visit.failure)[:MAX_FAILURE],
        "kind": visit.kind,
        "took_s": visit.took_s,
        "items": visit.items,
        "unusable": visit.unusable,
        "due_us": None if visit.due_at is None else to_micros(visit.due_at),
        "cadence_s": visit.cadence_s,
        "memory": memory,
    }


def load(connection: Connection) -> dict[str, Visited]:
    """Return what is known of every source that was ever visited."""
    return {
        row.source: Visited(
            row.source,
            from_micros(row.tried_us),
            _at(row.succeeded_us),
            _at(row.new_us),
            row.failures,
            row.failure,
            row.kind or "",
            row.took_s,
            row.items,
            row.unusable,
            _at(row.due_us),
            row.cadence_s,
            json.loads(row.memory) if row.memory else {},
        )
        for row in connection.execute(select(visits).order_by(visits.c.source))
    }


def _at(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
