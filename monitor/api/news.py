"""Routes on news: articles, stories, trends, companies, and their export."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import Response

from monitor.aggregate.trends import key_trend
from monitor.api.asking import Opened, Reader, Work
from monitor.api.cursors import cursor, place
from monitor.api.export import exported
from monitor.api.shapes import ArticleOut, Moment, Page, RevisionOut, Word
from monitor.changes import with_changes
from monitor.domain import ClassifiedArticle, Dimension, Grain, from_micros, to_micros
from monitor.store import Connection, articles, companies, listing
from monitor.store import alerts as stored_alerts

news = APIRouter(tags=["news"])

Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=400, description="next_cursor of the page before")]
MAX_EXPORT = 20_000
Filter = Annotated[Word | None, Query()]


class ArticleFilter:
    """The filters of articles, which list and export share."""

    def __init__(
        self,
        company: Filter = None,
        topic: Filter = None,
        sentiment: Literal["negative", "neutral", "positive"] | None = None,
        publisher: Filter = None,
        language: Filter = None,
        since: Moment | None = None,
        until: Moment | None = None,
    ) -> None:
        self.values: dict[str, Any] = {
            "company_id": company,
            "topic": topic,
            "sentiment": sentiment,
            "publisher": publisher,
            "language": language,
            "since": since,
            "until": until,
        }

    def page(
        self, connection: Connection, limit: int, before: listing.Place | None
    ) -> list[ClassifiedArticle]:
        return listing.article_page(connection, limit, before=before, **self.values)


@news.get("/articles")
def list_articles(
    _: Reader,
    store: Opened,
    chosen: Annotated[ArticleFilter, Depends(ArticleFilter)],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ArticleOut]:
    """Articles, the newest published first, with what was read of them."""
    with store.read() as connection:
        found = chosen.page(connection, limit + 1, place(cursor))
    shown = found[:limit]
    return Page(
        items=[ArticleOut.of(item) for item in shown],
        next_cursor=_next(shown[-1]) if len(found) > limit else None,
    )


@news.get("/articles/export")
def export_articles(
    _: Reader,
    store: Opened,
    chosen: Annotated[ArticleFilter, Depends(ArticleFilter)],
    format: Literal["csv", "parquet"] = "csv",
    limit: Annotated[int, Query(ge=1, le=MAX_EXPORT)] = 1_000,
) -> Response:
    """The newest articles as a table. In CSV no cell is a formula: such text has an apostrophe before it."""
    with store.read() as connection:
        rows = [_row(item) for item in chosen.page(connection, limit, None)]
    return exported(rows, ROW, format, "articles")


@news.get("/articles/search")
def search_articles(
    _: Reader,
    store: Opened,
    q: Annotated[Word, Query(description="Words, all of them; see the documentation.")],
    limit: Limit = 50,
) -> list[ArticleOut]:
    """Articles that hold every word of ``q``, the newest first; as the Search page by words."""
    from monitor.search.ask import by_words

    with store.read() as connection:
        return [ArticleOut.of(hit.item) for hit in by_words(connection, q, limit)]


@news.get("/articles/{article_id}")
def get_article(_: Reader, store: Opened, article_id: Word) -> ArticleOut:
    """One article, its current revision."""
    with store.read() as connection:
        found = articles.current(connection, [article_id])
    if not found:
        raise HTTPException(404, "there is no such article")
    return ArticleOut.of(found[0])


@news.get("/articles/{article_id}/revisions")
def get_revisions(_: Reader, store: Opened, article_id: Word) -> list[RevisionOut]:
    """The revisions of an article as they came, each with what it changed of the one before."""
    with store.read() as connection:
        found = [item.article for item in articles.history(connection, article_id)]
    if not found:
        raise HTTPException(404, "there is no such article")
    return [RevisionOut.of(article, changed) for article, changed in with_changes(found)]


@news.get("/stories")
def list_stories(
    _: Reader,
    store: Opened,
    work: Work,
    company: Filter = None,
    hours: Annotated[float, Query(gt=0, le=168)] = 48,
    least: Annotated[int, Query(ge=1, le=1000)] = 2,
    limit: Limit = 50,
) -> list[dict[str, Any]]:
    """The reports of the last hours put together to events, the gravest first; as `foreshock stories`."""
    from monitor.stories.report import gravest_first, joined, plain

    end = articles.newest(store)
    if end is None:
        return []
    end += timedelta(microseconds=1)
    start = end - timedelta(hours=hours)
    with store.read() as connection:
        items = articles.published(connection, start, end, company)
        told = stored_alerts.updated_since(connection, start)
    alerts = {proof.article_id: each.id for each in told for proof in each.evidence}
    found = joined(items, work.settings.story.pack, work.model.router(store))
    several = [story for story in found if len(story.articles) >= least and story.company_ids]
    return [plain(story, end, alerts) for story in gravest_first(several)[:limit]]


@news.get("/trends")
def get_trend(
    _: Reader,
    store: Opened,
    key: Annotated[Word, Query(examples=["acme"])],
    dimension: Dimension = Dimension.COMPANY,
    grain: Literal["hour", "day"] = "hour",
    hours: Annotated[int, Query(ge=1, le=24 * 90)] = 168,
) -> list[dict[str, Any]]:
    """The sentiment index of a company, topic, sector or list, for every hour or day; null: no data."""
    newest = articles.newest(store)
    if newest is None:
        return []
    width_us = Grain(grain).seconds * 1_000_000
    end = from_micros((to_micros(newest) // width_us + 1) * width_us)
    start = from_micros((to_micros(end) - hours * 3_600_000_000) // width_us * width_us)
    with store.read() as connection:
        frame = key_trend(connection, dimension, key, Grain(grain), start, end)
    return [
        {
            str(name): None if isinstance(value, float) and math.isnan(value) else value
            for name, value in row.items()
        }
        for row in frame.to_dict("records")
    ]


@news.get("/companies")
def list_companies(_: Reader, store: Opened) -> list[dict[str, Any]]:
    """The watched companies, by name."""
    return [asdict(company) for company in companies.load(store)]


ROW = (
    *("id", "published_at", "publisher", "title", "url", "language", "topic", "sentiment", "score"),
    *("companies", "events", "date_status", "model_version"),
)


def _row(item: ClassifiedArticle) -> dict[str, Any]:
    article = item.article
    return {
        "id": article.id,
        "published_at": article.published_at,
        "publisher": article.publisher,
        "title": article.title,
        "url": article.url,
        "language": article.language,
        "topic": item.topic,
        "sentiment": item.sentiment,
        "score": item.score,
        "companies": " ".join(item.company_ids),
        "events": " ".join(risk.event for risk in item.risks),
        "date_status": article.date_status.value,
        "model_version": item.model_version,
    }


def _next(item: ClassifiedArticle) -> str:
    return cursor(to_micros(item.article.published_at), item.article.id)
