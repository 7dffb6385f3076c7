"""Lists to leaf through: newest first, from a place on, so that what comes in meanwhile moves no page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, and_, func, or_, select

from monitor.domain import (
    Alert,
    AlertState,
    ClassifiedArticle,
    DateStatus,
    from_micros,
    to_micros,
)
from monitor.store import alerts as stored_alerts
from monitor.store.article_rows import items_of
from monitor.store.articles import is_of
from monitor.store.schema import alert_events, alerts, articles, mentions

Place = tuple[int, str]
"""Where a page ended: time in microseconds, and id."""


def article_page(
    connection: Connection,
    limit: int,
    *,
    before: Place | None = None,
    company_id: str | None = None,
    topic: str | None = None,
    sentiment: str | None = None,
    publisher: str | None = None,
    language: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[ClassifiedArticle]:
    """Return current articles that pass every filter given, by (published, id) downwards."""
    where: list[ColumnElement[bool]] = [articles.c.current]
    same = {"topic": topic, "sentiment": sentiment, "publisher": publisher, "language": language}
    where += [articles.c[name] == value for name, value in same.items() if value is not None]
    if since is not None:
        where.append(articles.c.published_us >= to_micros(since))
    if until is not None:
        where.append(articles.c.published_us < to_micros(until))
    if before is not None:
        where.append(_behind(articles, "published_us", before))
    if company_id is not None:
        named = select(mentions.c.article_id).where(mentions.c.company_id == company_id, is_of())
        where.append(named.exists())
    order = (articles.c.published_us.desc(), articles.c.id.desc())
    query = select(articles).where(*where).order_by(*order).limit(limit)
    return items_of(connection, connection.execute(query).mappings().all())


def alert_page(
    connection: Connection,
    limit: int,
    *,
    before: Place | None = None,
    states: Sequence[AlertState] = (),
    kinds: Sequence[str] = (),
    key: str | None = None,
    min_severity: int = 1,
    since: datetime | None = None,
) -> list[Alert]:
    """Return alerts that people were told of, with evidence, by (started, id) downwards."""
    where: list[ColumnElement[bool]] = [
        alerts.c.state != AlertState.PENDING.value,
        alerts.c.severity >= min_severity,
    ]
    if states:
        where.append(alerts.c.state.in_([state.value for state in states]))
    if kinds:
        where.append(alerts.c.kind.in_(kinds))
    if key is not None:
        where.append(alerts.c.key == key)
    if since is not None:
        where.append(alerts.c.started_us >= to_micros(since))
    if before is not None:
        where.append(_behind(alerts, "started_us", before))
    order = (alerts.c.started_us.desc(), alerts.c.id.desc())
    query = select(alerts.c.id).where(*where).order_by(*order).limit(limit)
    found = [stored_alerts.get(connection, id_) for id_ in connection.execute(query).scalars()]
    return [alert for alert in found if alert is not None]


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that happened to an alert, with its number among all that happened."""

    seq: int
    change: str
    actor: str
    at: datetime
    alert: Alert


def happened_after(connection: Connection, seq: int, limit: int) -> list[Happened]:
    """Return what happened to alerts after the event ``seq``, in order, with the alerts as they are now."""
    query = (
        select(alert_events)
        .join(alerts, alerts.c.id == alert_events.c.alert_id)
        .where(alert_events.c.seq > seq, alerts.c.state != AlertState.PENDING.value)
        .order_by(alert_events.c.seq)
    )
    found = []
    for row in connection.execute(query.limit(limit)).all():
        alert = stored_alerts.get(connection, row.alert_id)
        if alert is not None:
            moment = from_micros(row.at_us)
            found.append(Happened(row.seq, row.change, row.actor, moment, alert))
    return found


def last_happened(connection: Connection) -> int:
    """Return the number of the newest event; 0 before there was one."""
    return int(connection.execute(select(func.max(alert_events.c.seq))).scalar_one() or 0)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a source brought since a time, and when it last brought something."""

    source: str
    articles: int
    last_at: datetime


def heard_since(connection: Connection, since: datetime) -> list[Heard]:
    """Return every source that brought something since, by name."""
    query = (
        select(articles.c.source, func.count(), func.max(articles.c.ingested_us))
        .where(articles.c.ingested_us >= to_micros(since))
        .group_by(articles.c.source)
        .order_by(articles.c.source)
    )
    return [Heard(row[0], row[1], from_micros(row[2])) for row in connection.execute(query)]


HOUR_US = 3_600_000_000


def heard_by_hour(connection: Connection, since: datetime) -> list[tuple[str, datetime, int]]:
    """Return (source, hour, articles) of what was ingested since, by source and hour."""
    at = articles.c.ingested_us
    hour = (at - at % HOUR_US).label("hour")
    query = (
        select(articles.c.source, hour, func.count())
        .where(at >= to_micros(since))
        .group_by(articles.c.source, hour)
        .order_by(articles.c.source, hour)
    )
    return [(row[0], from_micros(row[1]), row[2]) for row in connection.execute(query)]


def newest_lags(connection: Connection, limit: int) -> list[tuple[str, float]]:
    """Return (source, seconds from published to ingested) of the articles ingested last."""
    believable = [status.value for status in DateStatus if status.believable]
    query = (
        select(articles.c.source, articles.c.ingested_us - articles.c.published_us)
        .where(articles.c.date_status.in_(believable))
        .order_by(articles.c.ingested_us.desc())
        .limit(limit)
    )
    return [(row[0], row[1] / 1e6) for row in connection.execute(query)]


def _behind(table: Table, time: str, place: Place) -> ColumnElement[bool]:
    moment_us, id_ = place
    same = and_(table.c[time] == moment_us, table.c.id < id_)
    return or_(table.c[time] < moment_us, same)
