"""Articles and their companies as rows of the database, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, RowMapping, select

from monitor.domain import (
    Article,
    ClassifiedArticle,
    DateStatus,
    Mention,
    Relevance,
    RiskMatch,
    from_micros,
    to_micros,
)
from monitor.store.schema import articles, mentions, seen
from monitor.store.upsert import among, among_rows

# Bound parameters are limited (32,766 in SQLite); lists of keys are cut into pieces of this size.
KEYS_PER_QUERY = 10_000

K = TypeVar("K")
_RISK = tuple(field.name for field in fields(RiskMatch))


def parts(keys: Sequence[K], most: int = KEYS_PER_QUERY) -> Iterator[Sequence[K]]:
    """Yield keys in their order, so many at a time as one query takes.

    Examples
    --------
    >>> list(parts([1, 2, 3], 2))
    [[1, 2], [3]]
    """
    for begin in range(0, len(keys), most):
        yield keys[begin : begin + most]


def naming(connection: Connection, rows: Sequence[RowMapping]) -> ColumnElement[bool]:
    """Return the condition that a mention is of one of some articles, of whichever revision.

    It has to say when they were published: mentions are not kept by id alone.
    """
    places = list({(row["published_us"], row["id"]) for row in rows})
    return among_rows(connection, (mentions.c.published_us, mentions.c.article_id), places)


def row_of(item: ClassifiedArticle, *, current: bool) -> dict[str, Any]:
    """Return the row of an article, its risks as JSON."""
    article = item.article
    risks = [{name: getattr(risk, name) for name in _RISK} for risk in item.risks]
    return {
        "id": article.id,
        "revision": article.revision,
        "current": current,
        "source": article.source,
        "publisher": article.publisher,
        "author": article.author,
        "url": article.url,
        "title": article.title,
        "lead": article.lead,
        "language": article.language,
        "published_us": to_micros(article.published_at),
        "ingested_us": to_micros(article.ingested_at),
        "classified_us": to_micros(item.classified_at),
        "date_status": article.date_status.value,
        "topic": item.topic,
        "topic_probability": item.topic_probability,
        "sentiment": item.sentiment,
        "sentiment_probability": item.sentiment_probability,
        "score": item.score,
        "risks": json.dumps(risks) if risks else "[]",
        "model_version": item.model_version,
        "bundle_hash": item.bundle_hash,
        "unsure": ",".join(item.unsure),
        "watchlist": item.watchlist,
    }


def mention_rows(item: ClassifiedArticle) -> list[dict[str, Any]]:
    """Return a row for each company that an article names: its first mention."""
    first: dict[str, Mention] = {}
    for mention in item.mentions:
        first.setdefault(mention.company_id, mention)
    return [
        {
            "company_id": mention.company_id,
            "published_us": to_micros(item.article.published_at),
            "article_id": item.article.id,
            "revision": item.article.revision,
            "alias": mention.alias,
            "field": mention.field,
            "start": mention.start,
            "end": mention.end,
            "sentiment": mention.sentiment,
            "score": mention.score,
            "relevance": mention.relevance,
        }
        for mention in first.values()
    ]


def _item(row: RowMapping, named: list[Mention]) -> ClassifiedArticle:
    article = Article(
        id=row["id"],
        revision=row["revision"],
        source=row["source"],
        publisher=row["publisher"],
        url=row["url"],
        title=row["title"],
        lead=row["lead"],
        language=row["language"],
        published_at=from_micros(row["published_us"]),
        ingested_at=from_micros(row["ingested_us"]),
        date_status=DateStatus(row["date_status"]),
        author=row["author"],
    )
    # Mentions in the title come first, as they read.
    named = sorted(named, key=lambda mention: (mention.field != "title", mention.start))
    return ClassifiedArticle(
        article=article,
        topic=row["topic"],
        topic_probability=row["topic_probability"],
        sentiment=row["sentiment"],
        sentiment_probability=row["sentiment_probability"],
        score=row["score"],
        mentions=tuple(named),
        risks=tuple(RiskMatch(**risk) for risk in row["risks"]),
        model_version=row["model_version"],
        bundle_hash=row["bundle_hash"],
        classified_at=from_micros(row["classified_us"]),
        unsure=tuple(filter(None, row["unsure"].split(","))),
        watchlist=row["watchlist"],
    )


def items_of(connection: Connection, rows: Sequence[RowMapping]) -> list[ClassifiedArticle]:
    """Return the articles that some rows are, with their companies."""
    named: dict[tuple[str, str], list[Mention]] = {}
    for row in connection.execute(select(mentions).where(naming(connection, rows))):
        mention = Mention(
            *(row.company_id, row.alias, row.field, row.start, row.end),
            *(row.sentiment, row.score, Relevance(row.relevance) if row.relevance else None),
        )
        named.setdefault((row.article_id, row.revision), []).append(mention)
    return [_item(row, named.get((row["id"], row["revision"]), [])) for row in rows]


def newest_readings(items: Iterable[ClassifiedArticle]) -> dict[tuple[str, str], ClassifiedArticle]:
    """Return one reading of each revision: the first of those by the latest watchlist."""
    unique: dict[tuple[str, str], ClassifiedArticle] = {}
    for item in items:
        key = (item.article.id, item.article.revision)
        if key not in unique or item.watchlist > unique[key].watchlist:
            unique[key] = item
    return unique


def revisions(
    connection: Connection, ids: Sequence[str]
) -> tuple[dict[tuple[str, str], int], dict[str, tuple[datetime, str]]]:
    """Return the watchlist of every stored key of these ids, and the age of each id's current revision."""
    table = articles.c
    columns = (table.id, table.revision, table.ingested_us, table.current, table.watchlist)
    known: dict[tuple[str, str], int] = {}
    current: dict[str, tuple[datetime, str]] = {}
    for row in connection.execute(select(*columns).where(among(connection, table.id, ids))):
        known[(row.id, row.revision)] = row.watchlist
        if row.current:
            current[row.id] = (from_micros(row.ingested_us), row.revision)
    return known, current


def deleted(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Return those of these ids that retention has deleted, or whose text was erased."""
    query = select(seen.c.id).where(among(connection, seen.c.id, ids))
    return set(connection.execute(query).scalars())
