"""What articles weigh in the sentiment index: one row for every article that counts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Text, delete, func, select

from monitor.domain import to_micros
from monitor.store.schema import weights
from monitor.store.upsert import among, among_rows, by_column, insert_rows

Place = tuple[int, str]
"""When an article was published (Unix microseconds), and its id."""

_DAY = 8  # digits of a report's day
_AFTER_HEX = "g"  # by any collation behind what begins alike and goes on with hex digits


@dataclass(frozen=True, slots=True)
class Weight:
    """An article's weight as it was when it was counted.

    ``report`` names what it is a copy of. ``lists`` holds the sector and the groups of each named company
    that has any.
    """

    article_id: str
    report: str  # the UTC day, then `monitor.stories.copies.text_key`
    published_us: int
    weight: int  # units of 1 / WEIGHT_UNIT
    lists: Mapping[str, tuple[str | None, tuple[str, ...]]]

    @property
    def place(self) -> Place:
        """Of the articles of a report, the least by this holds the weight."""
        return self.published_us, self.article_id


def of(connection: Connection, places: Sequence[Place]) -> dict[str, Weight]:
    """Return what these articles weigh, by id."""
    of_these = among_rows(connection, weights.primary_key.columns.values(), places)
    query = select(weights).where(of_these)
    return {row.article_id: _weight(row) for row in connection.execute(query)}


def holders(connection: Connection, reports: Iterable[str]) -> dict[str, Weight]:
    """Return the article that holds each of these reports, the first published; by report."""
    found: dict[str, Weight] = {}
    query = select(weights).where(among(connection, weights.c.report, sorted(set(reports))))
    for row in connection.execute(query):
        weight = _weight(row)
        if weight.report not in found or weight.place < found[weight.report].place:
            found[weight.report] = weight
    return found


def of_text(connection: Connection, key: str, before: datetime) -> list[str]:
    """Return the ids of the articles with this `monitor.stories.copies.text_key` published before a time.

    A report begins with its day, so it is looked for on every day that there is, each found from the one
    before.
    """
    first_day = func.substr(func.min(weights.c.report), 1, _DAY, type_=Text)
    days = select(first_day.label("day")).cte("days", recursive=True)
    next_day = select(first_day).where(weights.c.report > days.c.day + _AFTER_HEX)
    days = days.union_all(select(next_day.scalar_subquery()).where(days.c.day.is_not(None)))
    query = select(weights.c.article_id).where(
        weights.c.report.in_(select(days.c.day + key)),
        weights.c.published_us < to_micros(before),
    )
    return list(
        connection.execute(query.order_by(weights.c.published_us, weights.c.article_id)).scalars()
    )


def put(connection: Connection, rows: Iterable[Weight]) -> None:
    """Insert weights of articles that have none."""
    values = [
        {
            "article_id": row.article_id,
            "report": row.report,
            "published_us": row.published_us,
            "weight": row.weight,
            "lists": json.dumps(row.lists) if row.lists else None,
        }
        for row in rows
    ]
    if values:
        insert_rows(connection, weights, by_column(values))


def drop(connection: Connection, places: Sequence[Place]) -> None:
    """Delete the weights of these articles."""
    if places:
        of_these = among_rows(connection, weights.primary_key.columns.values(), places)
        connection.execute(delete(weights).where(of_these))


def _weight(row: object) -> Weight:
    lists = {
        company: (sector, tuple(groups))
        for company, (sector, groups) in (row.lists or {}).items()  # type: ignore[attr-defined]
    }
    return Weight(row.article_id, row.report, row.published_us, row.weight, lists)  # type: ignore[attr-defined]
