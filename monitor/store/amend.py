"""Companies of stored articles, looked for again with another watchlist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, select, tuple_, update

from monitor.domain import ClassifiedArticle, to_micros
from monitor.store.article_rows import (
    items_of,
    mention_rows,
    newest_readings,
    revisions,
)
from monitor.store.articles import get, lock
from monitor.store.schema import articles, mentions
from monitor.store.upsert import by_column, insert_rows


@dataclass(frozen=True, slots=True)
class Amended:
    """Two readings of one stored revision."""

    before: ClassifiedArticle
    after: ClassifiedArticle


def amend(connection: Connection, items: Sequence[ClassifiedArticle]) -> list[Amended]:
    """Give stored revisions the companies that a later watchlist finds in them.

    Whatever else was read of them stays as it is. Those that are not stored, or whose companies are of the
    same watchlist or a later one, are left alone: it makes no difference in which order readings come.

    Returns
    -------
    list of Amended
        The current revisions among them, before and after.
    """
    unique = newest_readings(items)
    lock(connection)
    numbers, newest = revisions(connection, list({id_ for id_, _ in unique}))
    later = [
        key for key, item in unique.items() if key in numbers and item.watchlist > numbers[key]
    ]
    if not later:
        return []
    amended = []
    for before in get(connection, later):
        read = unique[(before.article.id, before.article.revision)]
        after = replace(
            before, mentions=read.mentions, unsure=read.unsure, watchlist=read.watchlist
        )
        amended.append(Amended(before, after))
    connection.execute(
        delete(mentions).where(
            mentions.c.published_us == bindparam("b_published_us"),
            mentions.c.article_id == bindparam("b_id"),
            mentions.c.revision == bindparam("b_revision"),
        ),
        [
            {
                "b_published_us": to_micros(each.before.article.published_at),
                "b_id": each.before.article.id,
                "b_revision": each.before.article.revision,
            }
            for each in amended
        ],
    )
    named = [row for each in amended for row in mention_rows(each.after)]
    if named:
        insert_rows(connection, mentions, by_column(named))
    connection.execute(
        update(articles)
        .where(articles.c.id == bindparam("b_id"), articles.c.revision == bindparam("b_revision"))
        .values(watchlist=bindparam("b_watchlist"), unsure=bindparam("b_unsure")),
        [
            {
                "b_id": each.after.article.id,
                "b_revision": each.after.article.revision,
                "b_watchlist": each.after.watchlist,
                "b_unsure": ",".join(each.after.unsure),
            }
            for each in amended
        ],
    )
    return [
        each
        for each in amended
        if newest.get(each.after.article.id, (None, None))[1] == each.after.article.revision
    ]


def of_earlier_watchlists(
    connection: Connection,
    number: int,
    since: datetime,
    limit: int,
    after: tuple[datetime, str] | None = None,
) -> list[ClassifiedArticle]:
    """Return current articles whose companies are of a watchlist before this one, the newest first.

    Parameters
    ----------
    since
        Only what was ingested then or later.
    after
        Ingest time and id of the last one of the page before.
    """
    where = [
        articles.c.watchlist < number,
        articles.c.ingested_us >= to_micros(since),
        articles.c.current,
    ]
    place = tuple_(articles.c.ingested_us, articles.c.id)
    if after is not None:
        where.append(place < (to_micros(after[0]), after[1]))
    order = (articles.c.ingested_us.desc(), articles.c.id.desc())
    query = select(articles).where(*where).order_by(*order).limit(limit)
    return items_of(connection, connection.execute(query).mappings().all())


def count_of_earlier_watchlists(connection: Connection, number: int, since: datetime) -> int:
    """Return how many articles `of_earlier_watchlists` has."""
    query = select(func.count()).where(
        articles.c.watchlist < number,
        articles.c.ingested_us >= to_micros(since),
        articles.c.current,
    )
    return int(connection.execute(query).scalar_one())
