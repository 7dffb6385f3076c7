"""Articles that are past their time: deleted, but known, so that none of them comes in as news again.

What people were told or said keeps its articles: those that are evidence of an alert, or have a label, stay
whatever their age.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, exists, func, select

from monitor.domain import EPOCH, from_micros, to_micros
from monitor.store import articles as article_store
from monitor.store import progress, weights, words
from monitor.store.article_rows import naming
from monitor.store.database import Store
from monitor.store.progress import Progress
from monitor.store.schema import articles, evidence, labels, mentions, seen
from monitor.store.upsert import among, insert

STAGE, WHAT = "retention", "articles"
BATCH = 500  # ids, well below what a database takes in one statement
DAY_US = 86_400_000_000


def expire(store: Store, before: datetime) -> int:
    """Delete articles published before a time (the midnight UTC before it); return how many ids.

    Buckets of those days stay as they are: they can no longer be counted again, and `counted_from` says so.
    Every batch is a transaction of its own, so that the stages go on meanwhile.
    """
    cut_us = to_micros(before) // DAY_US * DAY_US
    with store.write() as connection:
        cut_us = max(cut_us, to_micros(_reached(connection)))
        progress.save(connection, Progress(STAGE, WHAT, 0, through_at=from_micros(cut_us)))
    deleted = 0
    while True:
        with store.write() as connection:
            article_store.lock(connection)
            past = _past(connection, cut_us)
            ids = [id_ for id_, _ in past]
            if ids:
                known = insert(connection, seen).on_conflict_do_nothing()  # one may be erased
                connection.execute(known, [{"id": id_} for id_ in ids])
                of_these = among(connection, articles.c.id, ids)
                places = select(articles.c.published_us, articles.c.id).where(of_these)
                revisions = connection.execute(places).mappings().all()
                connection.execute(delete(mentions).where(naming(connection, revisions)))
                weights.drop(connection, [(at_us, id_) for id_, at_us in past])
                words.remove(connection, past)
                connection.execute(delete(articles).where(of_these))
        deleted += len(ids)
        if len(ids) < BATCH:
            return deleted


def past(connection: Connection, before: datetime) -> int:
    """Return how many ids `expire` would delete."""
    query = _old(to_micros(before) // DAY_US * DAY_US).with_only_columns(func.count())
    return int(connection.execute(query).scalar_one())


def counted_from(connection: Connection) -> datetime | None:
    """Return from when on all articles are still there; ``None`` where none was ever deleted."""
    reached = _reached(connection)
    return None if reached == EPOCH else reached


def _reached(connection: Connection) -> datetime:
    state = progress.load(connection, STAGE).get((WHAT, 0))
    return EPOCH if state is None else state.through_at


def _past(connection: Connection, cut_us: int) -> list[tuple[str, int]]:
    """Return (id, published_us) of the next articles that go."""
    query = _old(cut_us).order_by(articles.c.published_us).limit(BATCH)
    return [(row.id, row.published_us) for row in connection.execute(query)]


def _old(cut_us: int) -> Select[Any]:
    told = exists().where(evidence.c.article_id == articles.c.id)
    said = exists().where(labels.c.article_id == articles.c.id)
    old = articles.c.published_us < cut_us
    columns = (articles.c.id, articles.c.published_us)
    return select(*columns).where(articles.c.current, old, ~told, ~said)
