"""Articles and the companies they name: the record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    RowMapping,
    and_,
    case,
    func,
    or_,
    select,
    text,
    tuple_,
    update,
)

from monitor.domain import (
    ERASED,
    Article,
    ClassifiedArticle,
    DateStatus,
    Dimension,
    from_micros,
    to_micros,
)
from monitor.store import words
from monitor.store.article_rows import (
    deleted,
    items_of,
    mention_rows,
    naming,
    newest_readings,
    revisions,
    row_of,
)
from monitor.store.database import Store
from monitor.store.schema import articles, mentions
from monitor.store.upsert import among, among_rows, by_column, insert_rows

if TYPE_CHECKING:
    import pandas as pd

COARSE_US = 600 * 1_000_000  # ten minutes


@dataclass(frozen=True, slots=True)
class Added:
    """What `add` did; see there."""

    fresh: list[ClassifiedArticle]
    counted: list[ClassifiedArticle]
    displaced: list[ClassifiedArticle]


def add(connection: Connection, items: Sequence[ClassifiedArticle]) -> Added:
    """Insert articles; keys that are there already, and ids that retention has deleted, are left alone.

    Of all revisions of an id, the one ingested last is *current* and the only one that counts in buckets.
    A repeat of a revision changes nothing, however late it was ingested: the first one stored stands.

    Returns
    -------
    Added
        ``fresh``: what was inserted, in the order given. ``counted`` of those: what is now current.
        ``displaced``: what was current before and is no more.
    """
    unique = newest_readings(items)
    lock(connection)
    ids = list({id_ for id_, _ in unique})
    known, before = revisions(connection, ids)
    gone = deleted(connection, ids)
    fresh = [item for key, item in unique.items() if key not in known and key[0] not in gone]
    if not fresh:
        return Added([], [], [])
    winners: dict[str, ClassifiedArticle] = {}
    for item in fresh:
        best = winners.get(item.article.id)
        if best is None or _age(item) > _age(best):
            winners[item.article.id] = item
    counted = [
        item
        for item in winners.values()
        if item.article.id not in before or _age(item) > before[item.article.id]
    ]
    current = {(item.article.id, item.article.revision) for item in counted}
    old = [(id_, before[id_][1]) for id_, _ in current if id_ in before]
    displaced = get(connection, old)
    for id_, revision in old:
        connection.execute(
            update(articles)
            .where(articles.c.id == id_, articles.c.revision == revision)
            .values(current=False)
        )
    rows = [
        row_of(item, current=(item.article.id, item.article.revision) in current) for item in fresh
    ]
    insert_rows(connection, articles, by_column(rows))
    named = [row for item in fresh for row in mention_rows(item)]
    if named:
        insert_rows(connection, mentions, by_column(named), ignoring=True)
    words.remove(
        connection, ((each.article.id, to_micros(each.article.published_at)) for each in displaced)
    )
    words.add(connection, counted)
    return Added(fresh, counted, displaced)


def get(connection: Connection, keys: Sequence[tuple[str, str]]) -> list[ClassifiedArticle]:
    """Return the stored articles with these (id, revision) keys, in the order of the keys."""
    of_these = among_rows(connection, (articles.c.id, articles.c.revision), keys)
    found = {(item.article.id, item.article.revision): item for item in _load(connection, of_these)}
    return [found[key] for key in keys if key in found]


def current(connection: Connection, ids: Sequence[str]) -> list[ClassifiedArticle]:
    """Return the current revision of these articles."""
    return _load(connection, and_(articles.c.current, among(connection, articles.c.id, ids)))


def history(connection: Connection, id_: str) -> list[ClassifiedArticle]:
    """Return all stored revisions of an article in the order in which they came."""
    return sorted(_load(connection, articles.c.id == id_), key=_age)


def of_key(
    connection: Connection, dimension: Dimension, key: str, start_us: int, end_us: int
) -> pd.DataFrame:
    """Return the current articles of a company or topic published in ``[start, end)`` that count.

    Returns
    -------
    DataFrame
        Columns id, revision, title, published_us, sentiment, score: the last two towards the company, and
        ``None`` where the model did not read the article.
    """

    import pandas as pd

    sentiment: ColumnElement[Any] = articles.c.sentiment
    score: ColumnElement[Any] = articles.c.score
    place: FromClause = articles
    where = [
        articles.c.current,
        articles.c.published_us >= start_us,
        articles.c.published_us < end_us,
        articles.c.date_status.in_([status.value for status in DateStatus if status.believable]),
    ]
    if dimension is Dimension.TOPIC:
        where.append(articles.c.topic == key)
    elif dimension is Dimension.COMPANY:
        place = articles.join(mentions, is_of())
        where += [
            mentions.c.company_id == key,
            mentions.c.published_us >= start_us,
            mentions.c.published_us < end_us,
        ]
        towards = mentions.c.score.is_not(None)
        sentiment = case((towards, mentions.c.sentiment), else_=articles.c.sentiment)
        score = func.coalesce(mentions.c.score, articles.c.score)
    query = select(
        articles.c.id,
        articles.c.revision,
        articles.c.title,
        articles.c.published_us,
        sentiment.label("sentiment"),
        score.label("score"),
    )
    rows = connection.execute(query.select_from(place).where(*where)).all()
    columns = ["id", "revision", "title", "published_us", "sentiment", "score"]
    return pd.DataFrame([tuple(row) for row in rows], columns=columns)


def latest(
    store: Store,
    limit: int,
    *,
    company_id: str | None = None,
    topic: str | None = None,
    watched_only: bool = False,
) -> pd.DataFrame:
    """Return the newest current articles, newest first.

    Columns: published_at, publisher, title, url, topic, sentiment, score, language, date_status, companies.
    """

    import pandas as pd

    query = select(articles).where(articles.c.current)
    if company_id is not None or watched_only:
        named = select(mentions.c.article_id).where(is_of())
        if company_id is not None:
            named = named.where(mentions.c.company_id == company_id)
        query = query.where(named.exists())
    if topic is not None:
        query = query.where(articles.c.topic == topic)
    query = query.order_by(articles.c.published_us.desc()).limit(limit)
    with store.read() as connection:
        rows = connection.execute(query).mappings().all()
        names = _names(connection, rows)
    return pd.DataFrame(
        [
            {
                "published_at": from_micros(row["published_us"]),
                "publisher": row["publisher"],
                "title": row["title"],
                "url": row["url"],
                "topic": row["topic"],
                "sentiment": row["sentiment"],
                "score": row["score"],
                "language": row["language"],
                "date_status": row["date_status"],
                "companies": names.get((row["id"], row["revision"]), []),
            }
            for row in rows
        ],
        columns=[
            "published_at",
            "publisher",
            "title",
            "url",
            "topic",
            "sentiment",
            "score",
            "language",
            "date_status",
            "companies",
        ],
    )


def chunks(connection: Connection, size: int) -> Iterator[list[tuple[ClassifiedArticle, bool]]]:
    """Yield all stored revisions as they were published, ``size`` at a time.

    Each comes with whether it is current.
    """
    key = articles.primary_key.columns
    query = select(articles).order_by(*key).limit(size)
    after = query
    while rows := connection.execute(after).mappings().all():
        yield [
            (item, bool(row["current"]))
            for row, item in zip(rows, items_of(connection, rows), strict=True)
        ]
        after = query.where(tuple_(*key) > tuple(rows[-1][column.name] for column in key))


@dataclass(frozen=True, slots=True)
class Arrival:
    """Something new came from a source, written by a publisher; ``at`` is ingest time."""

    source: str
    publisher: str
    at: datetime


def arrivals(
    connection: Connection, after: datetime, until: datetime, coarse: bool = False
) -> list[Arrival]:
    """Return who sent something new when, ingested in ``(after, until]``, oldest first.

    With ``coarse``, of each source and publisher the last of every ten minutes: enough for a long past.
    """
    at: ColumnElement[Any] = articles.c.ingested_us
    columns: list[ColumnElement[Any]] = [articles.c.source, articles.c.publisher]
    if coarse:
        query = select(*columns, func.max(at).label("at"))
        query = query.group_by(*columns, at - at % COARSE_US)
    else:
        query = select(*columns, at.label("at")).distinct()
    query = query.where(at > to_micros(after), at <= to_micros(until))
    rows = connection.execute(query.order_by("at", *columns))
    return [Arrival(row.source, row.publisher, from_micros(row.at)) for row in rows]


def newest_collected(connection: Connection, since: datetime, most: int) -> list[Article]:
    """Return what was ingested since, at most so many of the newest, oldest first; without bodies."""
    at = articles.c.ingested_us
    query = select(articles).where(at >= to_micros(since)).order_by(at.desc()).limit(most)
    found = [
        Article(
            *(row.id, row.revision, row.source, row.publisher, row.url, row.title, row.lead),
            row.language,
            from_micros(row.published_us),
            from_micros(row.ingested_us),
            DateStatus(row.date_status),
        )
        for row in connection.execute(query)
    ]
    return found[::-1]


def first_arrival(connection: Connection) -> datetime | None:
    """Return the ingest time of the first article, or ``None`` on an empty store."""
    micros = connection.execute(select(func.min(articles.c.ingested_us))).scalar_one()
    return None if micros is None else from_micros(micros)


def count_ingested(connection: Connection, start: datetime, end: datetime) -> int:
    """Return the number of revisions ingested in ``[start, end)``."""
    at = articles.c.ingested_us
    query = select(func.count()).where(at >= to_micros(start), at < to_micros(end))
    return int(connection.execute(query).scalar_one())


def by_ingest(
    connection: Connection, start: datetime, end: datetime, size: int
) -> Iterator[list[ClassifiedArticle]]:
    """Yield all revisions ingested in ``[start, end)`` as they came, about ``size`` at a time.

    Articles ingested at one time are never split.
    """
    at = articles.c.ingested_us
    begin, last = to_micros(start), to_micros(end)
    while begin < last:
        times = select(at).where(at >= begin, at < last).order_by(at).offset(size).limit(1)
        until = connection.execute(times).scalar() or last
        until = last if until == last else until + 1
        order = (at, articles.c.published_us, articles.c.id, articles.c.revision)
        query = select(articles).where(at >= begin, at < until).order_by(*order)
        rows = connection.execute(query).mappings().all()
        if rows:
            yield items_of(connection, rows)
        begin = until


def published(
    connection: Connection, start: datetime, end: datetime, company_id: str | None = None
) -> list[ClassifiedArticle]:
    """Return the current articles published in ``[start, end)``, of one company or of all."""
    where = [
        articles.c.current,
        articles.c.published_us >= to_micros(start),
        articles.c.published_us < to_micros(end),
    ]
    if company_id is not None:
        key = (mentions.c.published_us, mentions.c.article_id, mentions.c.revision)
        named = select(*key).where(
            mentions.c.company_id == company_id,
            mentions.c.published_us >= to_micros(start),
            mentions.c.published_us < to_micros(end),
        )
        where.append(tuple_(*articles.primary_key.columns).in_(named))
    return _load(connection, and_(*where))


def newest_naming(
    connection: Connection, start: datetime, end: datetime, company_id: str | None, limit: int
) -> list[ClassifiedArticle]:
    """Return the current articles published last in ``[start, end)`` that name a company, or any at all."""
    key = (mentions.c.published_us, mentions.c.article_id, mentions.c.revision)
    query = select(*key).where(
        mentions.c.published_us >= to_micros(start), mentions.c.published_us < to_micros(end)
    )
    if company_id is not None:
        query = query.where(mentions.c.company_id == company_id)
    order = (mentions.c.published_us.desc(), mentions.c.article_id)
    # Of a company each article is there once; of all, once for each that it names.
    rows = connection.execute(query.order_by(*order).limit(limit * (1 if company_id else 2)))
    keys = list(dict.fromkeys(map(tuple, rows)))[:limit]
    of_these = among_rows(connection, articles.primary_key.columns.values(), keys)
    found = _load(connection, and_(articles.c.current, of_these))
    return sorted(found, key=lambda item: (item.article.published_at, item.article.id))


def newest_of_topic(
    connection: Connection, topic: str, start: datetime, limit: int
) -> list[ClassifiedArticle]:
    """Return the current articles of a topic published last, none before ``start``, newest first."""
    where = (articles.c.topic == topic, articles.c.published_us >= to_micros(start))
    query = select(articles).where(articles.c.current, *where)
    query = query.order_by(articles.c.published_us.desc()).limit(limit)
    return items_of(connection, connection.execute(query).mappings().all())


def beginning_with(connection: Connection, beginning: str, limit: int = 3) -> list[str]:
    """Return the ids of articles that begin with some digits."""
    where = articles.c.id.startswith(beginning, autoescape=True)
    query = select(articles.c.id).where(where, articles.c.current).order_by(articles.c.id)
    return list(connection.execute(query.limit(limit)).scalars())


def newest_read(connection: Connection, limit: int) -> list[ClassifiedArticle]:
    """Return the current articles published last that the model read and whose dates can be believed."""
    where = and_(
        articles.c.current,
        articles.c.date_status.in_([status.value for status in DateStatus if status.believable]),
        or_(articles.c.topic.is_not(None), articles.c.sentiment.is_not(None)),
        articles.c.title != ERASED,
    )
    order = (articles.c.published_us.desc(), articles.c.id.desc())  # as the key has them
    query = select(articles).where(where).order_by(*order).limit(limit)
    return items_of(connection, connection.execute(query).mappings().all())


def count(store: Store) -> int:
    """Return the number of stored revisions."""
    with store.read() as connection:
        return int(connection.execute(select(func.count()).select_from(articles)).scalar_one())


def newest(store: Store) -> datetime | None:
    """Return the newest published time, or ``None`` on an empty store."""
    with store.read() as connection:
        micros = connection.execute(select(func.max(articles.c.published_us))).scalar_one()
    return None if micros is None else from_micros(micros)


def is_of() -> ColumnElement[bool]:
    """Return the condition that joins mentions to their article."""
    return and_(
        mentions.c.published_us == articles.c.published_us,
        mentions.c.article_id == articles.c.id,
        mentions.c.revision == articles.c.revision,
    )


def lock(connection: Connection) -> None:
    """Let nobody else add articles until the transaction ends."""
    if connection.dialect.name == "postgresql":
        # Two writers would each see no revision of an id yet, and make two of them current.
        connection.execute(text("LOCK TABLE articles IN SHARE ROW EXCLUSIVE MODE"))


def _age(item: ClassifiedArticle) -> tuple[datetime, str]:
    return item.article.ingested_at, item.article.revision


def _load(connection: Connection, where: Any) -> list[ClassifiedArticle]:
    return items_of(connection, connection.execute(select(articles).where(where)).mappings().all())


def _names(connection: Connection, rows: Sequence[RowMapping]) -> dict[tuple[str, str], list[str]]:
    names: dict[tuple[str, str], list[str]] = {}
    query = select(mentions.c.article_id, mentions.c.revision, mentions.c.company_id).where(
        naming(connection, rows)
    )
    for row in connection.execute(query.order_by(mentions.c.field.desc(), mentions.c.start)):
        names.setdefault((row.article_id, row.revision), []).append(row.company_id)
    return names
