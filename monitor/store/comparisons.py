"""What champion and candidate said of the same live items, while a candidate is tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, case, delete, func, select

from monitor.domain import ClassifiedArticle, from_micros, to_micros
from monitor.store.schema import comparisons
from monitor.store.upsert import insert


@dataclass(frozen=True, slots=True)
class Reading:
    """What a bundle made of an item; ``None`` where it did not read it."""

    topic: str | None
    sentiment: str | None
    score: float | None
    unsure: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """An item that both read; ``served`` says whether the candidate's answer was the one that counted."""

    number: int
    article_id: str
    revision: str
    served: bool
    champion: Reading
    candidate: Reading
    at: datetime

    @property
    def alike(self) -> bool:
        """Whether both give the same topic and sentiment."""
        one, other = self.champion, self.candidate
        return (one.topic, one.sentiment) == (other.topic, other.sentiment)


@dataclass(frozen=True, slots=True)
class Counted:
    """How many items of a trial both read, and how many of them differently."""

    items: int = 0
    served: int = 0
    differ: int = 0


def reading(item: ClassifiedArticle) -> Reading:
    """Return what was made of an item."""
    return Reading(item.topic, item.sentiment, item.score, item.unsure)


def add(connection: Connection, found: Sequence[Comparison]) -> None:
    """Write comparisons; those that are there stay as they are."""
    rows = [
        {
            "number": each.number,
            "article_id": each.article_id,
            "revision": each.revision,
            "served": each.served,
            "champion": _plain(each.champion),
            "candidate": _plain(each.candidate),
            "alike": each.alike,
            "at_us": to_micros(each.at),
        }
        for each in found
    ]
    if rows:
        connection.execute(insert(connection, comparisons).on_conflict_do_nothing(), rows)


def of_training(
    connection: Connection, number: int, limit: int, *, differing: bool = False
) -> list[Comparison]:
    """Return comparisons of a training's candidate, the newest first."""
    query = select(comparisons).where(comparisons.c.number == number)
    if differing:
        query = query.where(comparisons.c.alike.is_(False))
    order = (comparisons.c.at_us.desc(), comparisons.c.article_id)
    rows = connection.execute(query.order_by(*order).limit(limit)).mappings()
    return [_comparison(row) for row in rows]


def counted(connection: Connection, number: int, since: datetime | None = None) -> Counted:
    """Count a trial, from a time on."""
    table = comparisons.c

    def sum_of(condition: Any) -> Any:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    query = select(
        func.count(),
        sum_of(table.served.is_(True)),
        sum_of(table.alike.is_(False)),
    ).where(table.number == number)
    if since is not None:
        query = query.where(table.at_us >= to_micros(since))
    items, served, differ = connection.execute(query).one()
    return Counted(int(items), int(served), int(differ))


def expire(connection: Connection, before: datetime) -> None:
    """Delete comparisons from before a time."""
    connection.execute(delete(comparisons).where(comparisons.c.at_us < to_micros(before)))


def _plain(each: Reading) -> Mapping[str, Any]:
    return {**asdict(each), "unsure": list(each.unsure)}


def _comparison(row: RowMapping) -> Comparison:
    def back(value: Mapping[str, Any]) -> Reading:
        return Reading(value["topic"], value["sentiment"], value["score"], tuple(value["unsure"]))

    return Comparison(
        number=row["number"],
        article_id=row["article_id"],
        revision=row["revision"],
        served=row["served"],
        champion=back(row["champion"]),
        candidate=back(row["candidate"]),
        at=from_micros(row["at_us"]),
    )
