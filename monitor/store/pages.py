"""Page-shaped queries: what the dashboards ask for and no other module needs.

Every query reads thousands of rows at most, whatever the number of articles: sums come from hour and day
buckets, lists carry a limit and follow an index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    case,
    func,
    or_,
    select,
)

from monitor.domain import (
    OPEN_STATES,
    AlertKind,
    AlertState,
    Dimension,
    Grain,
    from_micros,
    to_micros,
)
from monitor.store.article_rows import naming
from monitor.store.buckets import at_starts, with_score
from monitor.store.database import Store
from monitor.store.schema import alerts, articles, buckets, evidence, mentions, progress
from monitor.store.upsert import among, among_rows

if TYPE_CHECKING:
    import pandas as pd

ITEM_COLUMNS = (
    "published_at",
    "publisher",
    "title",
    "url",
    "topic",
    "sentiment",
    "score",
    "language",
    "date_status",
    "unsure",
    "companies",
    "id",
)
# Of an item that names one company: what was read towards it.
TOWARDS = ("towards", "towards_score")
ALERT_COLUMNS = (
    "id",
    "kind",
    "state",
    "dimension",
    "key",
    "event",
    "severity",
    "title",
    "started_at",
    "updated_at",
    "items",
    "publishers",
    "acknowledged_by",
)
# A page of items looks at no more mentions than this many times its length.
MENTIONS_PER_ITEM = 4


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the pipeline is, in its own time, and when it last gave a sign of life (wall clock)."""

    collected_at: datetime | None
    decided_at: datetime | None  # everything ingested up to then has been looked at by the rules
    newest_at: datetime | None  # published time of the newest item
    beat_at: datetime | None
    replay: bool

    @property
    def as_of(self) -> datetime | None:
        """The pipeline's time: what the pages call now."""
        return self.collected_at or self.newest_at

    @property
    def behind_s(self) -> float | None:
        """Collected time not yet decided on, in seconds; ``None`` when it cannot be known."""
        if self.collected_at is None or self.decided_at is None:
            return None
        return max(0.0, (self.collected_at - self.decided_at).total_seconds())


def standing(store: Store) -> Standing:
    """Return how far the pipeline is.

    Decided is how far the alert stage has come; where that stage does not run, how far the newest
    aggregated item is. (A partition without news does not move, so the furthest one counts.)
    """
    stage = select(
        progress.c.stage,
        func.max(progress.c.through_us),
        func.max(progress.c.beat_us),
        func.max(case((progress.c.replay, 1), else_=0)),
    )
    with store.read() as connection:
        rows = {row[0]: row for row in connection.execute(stage.group_by(progress.c.stage))}
        newest_us = connection.execute(select(func.max(articles.c.published_us))).scalar_one()
    collect, decide = rows.get("collect"), rows.get("alert") or rows.get("aggregate")
    beats = [row[2] for row in rows.values() if row[2] > 0]
    return Standing(
        collected_at=_moment(collect[1]) if collect else None,
        decided_at=_moment(decide[1]) if decide else None,
        newest_at=_moment(newest_us),
        beat_at=_moment(max(beats)) if beats else None,
        replay=any(bool(row[3]) for row in rows.values()),
    )


def totals(
    store: Store,
    dimension: Dimension,
    grain: Grain,
    start: datetime,
    end: datetime,
    *,
    of_company: str | None = None,
    keys: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return one row per key that got anything in ``[start, end)``; of one company: its topics only.

    With ``keys`` others are not looked at.

    Returns
    -------
    DataFrame
        Columns key, items, positive, neutral, negative, score (mean of what the model read; NaN is "no
        data").
    """

    import pandas as pd

    sums = [buckets.c[name] for name in ("items", "positive", "neutral", "negative", "score_sum")]
    query = (
        select(buckets.c.key, *(func.sum(column).label(column.name) for column in sums))
        .where(
            buckets.c.grain == grain.value,
            buckets.c.dimension == dimension.value,
            buckets.c.start_us >= to_micros(start),
            buckets.c.start_us < to_micros(end),
        )
        .group_by(buckets.c.key)
    )
    if of_company is not None:
        query = query.where(buckets.c.key.startswith(f"{of_company}|", autoescape=True))
        if store.is_sqlite:  # it compares byte by byte; so these bounds follow the index
            query = query.where(
                buckets.c.key >= f"{of_company}|", buckets.c.key < f"{of_company}}}"
            )
    names = ["key", *(column.name for column in sums)]
    with store.read() as connection:
        if of_company is not None:
            span = at_starts(connection, grain, to_micros(start), to_micros(end))
            query = query.where(span)
        if keys is not None:
            query = query.where(among(connection, buckets.c.key, keys))
        rows = [tuple(row) for row in connection.execute(query)]
    frame = pd.DataFrame(rows, columns=names)
    counts = [name for name in names if name != "key"]
    frame[counts] = frame[counts].astype("int64")  # PostgreSQL sums into decimals
    frame = with_score(frame.assign(start_us=0)).drop(columns="start")
    return frame[frame["items"] > 0].reset_index(drop=True)


def hours(
    store: Store, dimension: Dimension, keys: Sequence[str], start: datetime, end: datetime
) -> pd.DataFrame:
    """Return the hour buckets of some keys in ``[start, end)``: key, start (aware UTC), items."""

    import pandas as pd

    query = select(buckets.c.key, buckets.c.start_us, buckets.c["items"]).where(
        buckets.c.grain == Grain.HOUR.value,
        buckets.c.dimension == dimension.value,
        buckets.c.key.in_(keys),
        buckets.c.start_us >= to_micros(start),
        buckets.c.start_us < to_micros(end),
    )
    with store.read() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    frame = pd.DataFrame(rows, columns=["key", "start_us", "items"])
    return frame.assign(start=pd.to_datetime(frame.pop("start_us"), unit="us", utc=True))


def history(store: Store, start: datetime, end: datetime) -> pd.DataFrame:
    """Return what `monitor.aggregate.baselines.compute` needs, in as few rows as will do.

    The market by the hour (it sets the hour-of-week profile), companies, topics and lists by the day.
    ``start`` and ``end`` are midnights. The rates are the same as from hour buckets, because they are daily.
    """

    import pandas as pd

    span = and_(buckets.c.start_us >= to_micros(start), buckets.c.start_us < to_micros(end))
    market = and_(
        buckets.c.grain == Grain.HOUR.value, buckets.c.dimension == Dimension.MARKET.value, span
    )
    keyed = [
        and_(buckets.c.grain == Grain.DAY.value, buckets.c.dimension == dimension.value, span)
        for dimension in (
            *(Dimension.COMPANY, Dimension.TOPIC),
            *(Dimension.SECTOR, Dimension.PORTFOLIO),
        )
    ]
    names = [column.name for column in buckets.columns]
    with store.read() as connection:
        rows = [
            tuple(row)
            for where in (market, *keyed)
            for row in connection.execute(select(buckets).where(where))
        ]
    return pd.DataFrame(rows, columns=names).drop(columns=["grain", "score_squares"])


def first_hour(store: Store) -> datetime | None:
    """Return the first hour that holds anything, or ``None``."""
    query = select(func.min(buckets.c.start_us)).where(
        buckets.c.grain == Grain.HOUR.value, buckets.c.dimension == Dimension.MARKET.value
    )
    with store.read() as connection:
        return _moment(connection.execute(query).scalar_one())


def items(
    store: Store,
    limit: int,
    *,
    company_id: str | None = None,
    topic: str | None = None,
    watched_only: bool = False,
) -> pd.DataFrame:
    """Return the newest current articles, newest first; columns `ITEM_COLUMNS`.

    Of one company: with `TOWARDS`, the sentiment and the score towards it.
    """
    query = select(articles).where(articles.c.current)
    with store.read() as connection:
        if company_id is not None or watched_only:
            keys = _named(connection, limit, company_id)
            key = articles.primary_key.columns.values()
            query = query.where(among_rows(connection, key, keys))
        if topic is not None:
            query = query.where(articles.c.topic == topic)
        query = query.order_by(articles.c.published_us.desc()).limit(limit)
        rows = connection.execute(query).mappings().all()
        return _frame(connection, rows, company_id)


def items_with(store: Store, ids: Sequence[str]) -> pd.DataFrame:
    """Return the current revisions of these articles, in this order; columns `ITEM_COLUMNS`."""
    query = select(articles).where(articles.c.current, articles.c.id.in_(ids))
    with store.read() as connection:
        known = {row["id"]: row for row in connection.execute(query).mappings()}
        return _frame(connection, [known[id_] for id_ in ids if id_ in known])


def _frame(
    connection: Connection, rows: Sequence[RowMapping], company_id: str | None = None
) -> pd.DataFrame:
    import pandas as pd

    names: dict[tuple[str, str], list[str]] = {}
    towards: dict[tuple[str, str], tuple[str | None, float | None]] = {}
    named = select(mentions).where(naming(connection, rows))
    for row in connection.execute(named.order_by(mentions.c.field.desc(), mentions.c.start)):
        key = (row.article_id, row.revision)
        names.setdefault(key, []).append(row.company_id)
        if row.company_id == company_id:
            towards[key] = (row.sentiment, row.score)
    columns = list(ITEM_COLUMNS) if company_id is None else [*ITEM_COLUMNS, *TOWARDS]
    records = []
    for item in rows:
        key = (item["id"], item["revision"])
        record = {
            **{name: item[name] for name in ITEM_COLUMNS if name in item},
            "published_at": from_micros(item["published_us"]),
            "unsure": [head for head in item["unsure"].split(",") if head],
            "companies": names.get(key, []),
        }
        if company_id is not None:
            record |= dict(zip(TOWARDS, towards.get(key, (None, None)), strict=True))
        records.append(record)
    return pd.DataFrame(records, columns=columns)


def alert_rows(
    store: Store,
    *,
    states: Sequence[AlertState],
    kinds: Sequence[AlertKind] = tuple(AlertKind),
    keys: Sequence[str] = (),
    min_severity: int = 1,
    limit: int = 200,
) -> pd.DataFrame:
    """Return alerts without evidence: open ones first, then by severity and newest update.

    ``keys`` are company ids or topics; none means all. Columns `ALERT_COLUMNS`.
    """
    columns = [_column(name) for name in ALERT_COLUMNS]
    query = select(*columns).where(
        alerts.c.state.in_([state.value for state in states]),
        alerts.c.kind.in_([kind.value for kind in kinds]),
        alerts.c.severity >= min_severity,
    )
    if keys:
        topics = or_(*(alerts.c.key.like(f"{_escaped(key)}|%", escape="\\") for key in keys))
        query = query.where(or_(alerts.c.key.in_(keys), topics))
    closed = alerts.c.state == AlertState.RESOLVED.value
    order = (closed, alerts.c.severity.desc(), alerts.c.updated_us.desc(), alerts.c.id)
    with store.read() as connection:
        rows = [tuple(row) for row in connection.execute(query.order_by(*order).limit(limit))]
    return _alert_frame(rows)


def topic_alert_rows(store: Store, topic: str, since: datetime, limit: int = 200) -> pd.DataFrame:
    """Return the alerts on a topic, or with an item of it among their evidence; as `alert_rows`.

    ``since``: only alerts whose newest evidence is not older.
    """
    of_item = (
        select(evidence.c.alert_id)
        .join(
            articles,
            and_(
                articles.c.id == evidence.c.article_id,
                articles.c.revision == evidence.c.revision,
            ),
        )
        .where(evidence.c.alert_id == alerts.c.id, articles.c.topic == topic)
    )
    query = select(*(_column(name) for name in ALERT_COLUMNS)).where(
        alerts.c.state.in_([state.value for state in (*OPEN_STATES, AlertState.RESOLVED)]),
        alerts.c.updated_us >= to_micros(since),
        or_(alerts.c.key == topic, of_item.exists()),
    )
    closed = alerts.c.state == AlertState.RESOLVED.value
    order = (closed, alerts.c.severity.desc(), alerts.c.updated_us.desc(), alerts.c.id)
    with store.read() as connection:
        rows = [tuple(row) for row in connection.execute(query.order_by(*order).limit(limit))]
    return _alert_frame(rows)


def _alert_frame(rows: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(ALERT_COLUMNS))
    for name in ("started_at", "updated_at"):
        frame[name] = pd.to_datetime(frame[name], unit="us", utc=True)
    return frame


def alert_keys(store: Store) -> list[tuple[Dimension, str]]:
    """Return every (dimension, key) that ever had an alert people saw, sorted."""
    query = select(alerts.c.dimension, alerts.c.key).distinct()
    query = query.where(alerts.c.state != AlertState.PENDING.value)
    with store.read() as connection:
        return sorted((Dimension(row.dimension), row.key) for row in connection.execute(query))


def _named(connection: Connection, limit: int, company_id: str | None) -> list[tuple[Any, ...]]:
    """Return keys of the newest articles that name a company, without looking at articles."""
    query = select(mentions.c.published_us, mentions.c.article_id, mentions.c.revision)
    if company_id is not None:
        query = query.where(mentions.c.company_id == company_id)
    query = query.order_by(mentions.c.published_us.desc()).limit(limit * MENTIONS_PER_ITEM)
    return list(dict.fromkeys(map(tuple, connection.execute(query))))


def _column(name: str) -> ColumnElement[object]:
    return alerts.c[name.removesuffix("_at") + "_us" if name.endswith("_at") else name]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _moment(micros: int | None) -> datetime | None:
    return None if not micros else from_micros(micros)
