"""Which bundle is to classify, and what every process runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select

from monitor.domain import from_micros, to_micros
from monitor.store.audit import AuditEntry, audited
from monitor.store.schema import promotions, serving
from monitor.store.upsert import insert

GONE_AFTER = timedelta(seconds=75)  # a process that has said nothing for so long is no more


@dataclass(frozen=True, slots=True)
class Promotion:
    """A bundle that somebody chose; ``configured`` is the folder that the settings named then."""

    number: int
    folder: str
    hash: str
    model_version: str
    configured: str
    rollback: bool
    who: str
    comment: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Serving:
    """What a process runs, and what became of the promotion ``number`` there.

    ``outcome`` is "serving", or one of `models.challenger.REASONS`, with its ``detail``.
    """

    holder: str
    number: int
    outcome: str
    detail: str
    hash: str
    model_version: str
    beat_at: datetime


def promote(
    connection: Connection,
    folder: str,
    hash_: str,
    model_version: str,
    configured: str,
    who: str,
    now: datetime,
    comment: str = "",
    rollback: bool = False,
) -> int:
    """Choose a bundle; return the number of the promotion. It goes into the audit."""
    row = {
        "folder": folder,
        "hash": hash_,
        "model_version": model_version,
        "configured": configured,
        "rollback": rollback,
        "who": who,
        "comment": comment,
        "at_us": to_micros(now),
    }
    before = next(iter(latest(connection)), None)
    number = connection.execute(promotions.insert().values(row)).inserted_primary_key
    assert number is not None
    was = {} if before is None else {"model": before.model_version, "hash": before.hash}
    after = {"model": model_version, "hash": hash_, "folder": folder}
    act = "rolled back" if rollback else "promoted"
    audited(connection, AuditEntry(now, who, act, f"promotion {number[0]}", was, after, comment))
    return int(number[0])


def latest(connection: Connection, limit: int = 1) -> list[Promotion]:
    """Return the last promotions, the newest first."""
    query = select(promotions).order_by(promotions.c.number.desc()).limit(limit)
    return [
        Promotion(
            *(row.number, row.folder, row.hash, row.model_version, row.configured, row.rollback),
            *(row.who, row.comment, from_micros(row.at_us)),
        )
        for row in connection.execute(query)
    ]


def report(connection: Connection, state: Serving) -> None:
    """Say what a process runs; forget those that are gone."""
    before = to_micros(state.beat_at - GONE_AFTER)
    connection.execute(delete(serving).where(serving.c.beat_us < before))
    statement = insert(connection, serving)
    row = {
        "holder": state.holder,
        "number": state.number,
        "outcome": state.outcome,
        "detail": state.detail,
        "hash": state.hash,
        "model_version": state.model_version,
        "beat_us": to_micros(state.beat_at),
    }
    values = {name: statement.excluded[name] for name in row}
    connection.execute(
        statement.on_conflict_do_update(index_elements=[serving.c.holder], set_=values), row
    )


def reports(connection: Connection, now: datetime) -> Sequence[Serving]:
    """Return what every live process runs, by holder."""
    query = select(serving).where(serving.c.beat_us >= to_micros(now - GONE_AFTER))
    return [
        Serving(
            *(row.holder, row.number, row.outcome, row.detail, row.hash, row.model_version),
            from_micros(row.beat_us),
        )
        for row in connection.execute(query.order_by(serving.c.holder))
    ]
