"""How far each stage has come, and the watermark that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from monitor.domain import EPOCH, from_micros, to_micros
from monitor.store.database import Store
from monitor.store.schema import progress
from monitor.store.upsert import insert


@dataclass(frozen=True, slots=True)
class Progress:
    """One stage on one partition. ``origin`` is the highest ``news.articles`` offset counted so far."""

    stage: str
    stream: str
    partition: int
    origin: int = -1
    through_at: datetime = EPOCH  # ingest time reached
    articles: int = 0
    repeats: int = 0
    replay: bool = False
    beat_at: datetime = EPOCH  # wall clock of the last write


def save(connection: Connection, state: Progress) -> None:
    """Insert or replace one stage's progress on one partition."""
    row = {
        "stage": state.stage,
        "stream": state.stream,
        "partition": state.partition,
        "origin": state.origin,
        "through_us": to_micros(state.through_at),
        "articles": state.articles,
        "repeats": state.repeats,
        "replay": state.replay,
        "beat_us": to_micros(state.beat_at),
    }
    statement = insert(connection, progress)
    values = {name: statement.excluded[name] for name in row}
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(progress.primary_key.columns), set_=values
        ),
        row,
    )


def load(connection: Connection, stage: str) -> dict[tuple[str, int], Progress]:
    """Return one stage's progress by (stream, partition)."""
    query = select(progress).where(progress.c.stage == stage)
    return {
        (row.stream, row.partition): Progress(
            stage=row.stage,
            stream=row.stream,
            partition=row.partition,
            origin=row.origin,
            through_at=from_micros(row.through_us),
            articles=row.articles,
            repeats=row.repeats,
            replay=row.replay,
            beat_at=from_micros(row.beat_us),
        )
        for row in connection.execute(query)
    }


def totals(store: Store) -> tuple[int, int]:
    """Return (articles, repeats) counted by the aggregate stage since the store began."""
    query = select(
        func.coalesce(func.sum(progress.c.articles), 0),
        func.coalesce(func.sum(progress.c.repeats), 0),
    ).where(progress.c.stage == "aggregate")
    with store.read() as connection:
        articles, repeats = connection.execute(query).one()
    return int(articles), int(repeats)
