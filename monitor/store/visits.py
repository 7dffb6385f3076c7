"""How the visits of sources went: the last try, the last success, the last that brought something new."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, case, func, select

from monitor.domain import from_micros, storable, to_micros
from monitor.store.schema import visits
from monitor.store.upsert import insert

MAX_FAILURE = 500  # characters


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit that ended; ``failure`` says why it failed and is empty where it did not."""

    source: str
    at: datetime
    new: int
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Visited:
    """A source, by its visits up to now; ``None``: there was none of that kind."""

    source: str
    tried_at: datetime
    succeeded_at: datetime | None
    new_at: datetime | None
    failures: int  # in a row
    failure: str


def save(connection: Connection, ended: Iterable[Visit]) -> None:
    """Add visits to what is known of their sources, in the order in which they ended."""
    for visit in ended:
        at_us = to_micros(visit.at)
        statement = insert(connection, visits)
        new = statement.excluded
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[visits.c.source],
                set_={
                    "tried_us": new.tried_us,
                    "succeeded_us": func.coalesce(new.succeeded_us, visits.c.succeeded_us),
                    "new_us": func.coalesce(new.new_us, visits.c.new_us),
                    "failures": case((new.failures == 0, 0), else_=visits.c.failures + 1),
                    "failure": new.failure,
                },
            ),
            {
                "source": visit.source,
                "tried_us": at_us,
                "succeeded_us": None if visit.failure else at_us,
                "new_us": at_us if visit.new else None,
                "failures": int(bool(visit.failure)),
                "failure": storable(visit.failure)[:MAX_FAILURE],
            },
        )


def load(connection: Connection) -> dict[str, Visited]:
    """Return what is known of every source that was ever visited."""
    return {
        row.source: Visited(
            row.source,
            from_micros(row.tried_us),
            None if row.succeeded_us is None else from_micros(row.succeeded_us),
            None if row.new_us is None else from_micros(row.new_us),
            row.failures,
            row.failure,
        )
        for row in connection.execute(select(visits).order_by(visits.c.source))
    }
