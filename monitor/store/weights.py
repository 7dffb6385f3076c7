"""What articles weigh in the sentiment index: one row for every article that counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select

from monitor.domain import to_micros
from monitor.store.article_rows import parts
from monitor.store.schema import weights


@dataclass(frozen=True, slots=True)
class Weight:
    """An article's weight as it was when it was counted.

    ``report`` names what it is a copy of. ``lists`` holds the sector and the groups of each named company
    that has any.
    """

    article_id: str
    report: str  # `monitor.stories.copies.text_key`, then the UTC day
    published_us: int
    weight: int  # units of 1 / WEIGHT_UNIT
    lists: Mapping[str, tuple[str | None, tuple[str, ...]]]

    @property
    def place(self) -> tuple[int, str]:
        """Of the articles of a report, the least by this holds the weight."""
        return self.published_us, self.article_id


def of(connection: Connection, ids: Sequence[str]) -> dict[str, Weight]:
    """Return what these articles weigh, by id."""
    found: dict[str, Weight] = {}
    for part in parts(ids):
        for row in connection.execute(select(weights).where(weights.c.article_id.in_(part))):
            found[row.article_id] = _weight(row)
    return found


def holders(connection: Connection, reports: Iterable[str]) -> dict[str, Weight]:
    """Return the article that holds each of these reports, the first published; by report."""
    found: dict[str, Weight] = {}
    wanted = sorted(set(reports))
    for part in parts(wanted):
        for row in connection.execute(select(weights).where(weights.c.report.in_(part))):
            weight = _weight(row)
            if weight.report not in found or weight.place < found[weight.report].place:
                found[weight.report] = weight
    return found


def of_text(connection: Connection, key: str, before: datetime) -> list[str]:
    """Return the ids of the articles with this `monitor.stories.copies.text_key` published before a time."""
    query = select(weights.c.article_id).where(
        weights.c.report > key,
        weights.c.report < key + "~",
        weights.c.published_us < to_micros(before),
    )
    return list(connection.execute(query.order_by(weights.c.published_us)).scalars())


def put(connection: Connection, rows: Iterable[Weight]) -> None:
    """Insert weights of articles that have none."""
    values = [
        {
            "article_id": row.article_id,
            "report": row.report,
            "published_us": row.published_us,
            "weight": row.weight,
            "lists": {key: [sector, list(groups)] for key, (sector, groups) in row.lists.items()}
            or None,
        }
        for row in rows
    ]
    if values:
        connection.execute(weights.insert(), values)


def drop(connection: Connection, ids: Sequence[str]) -> None:
    """Delete the weights of these articles."""
    for part in parts(ids):
        connection.execute(delete(weights).where(weights.c.article_id.in_(part)))


def _weight(row: object) -> Weight:
    lists = {
        company: (sector, tuple(groups))
        for company, (sector, groups) in (row.lists or {}).items()  # type: ignore[attr-defined]
    }
    return Weight(row.article_id, row.report, row.published_us, row.weight, lists)  # type: ignore[attr-defined]
