"""Buckets: counts and score sums per dimension, key and grain; and the publishers behind them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, delete, func, select

from monitor.domain import Dimension, Grain, from_micros, to_micros
from monitor.store.database import Store
from monitor.store.schema import SCORE_UNIT, buckets, publishers
from monitor.store.upsert import among, insert_rows

if TYPE_CHECKING:
    import pandas as pd

WEIGHTED = ("weight", "weighted_sum", "weighted_squares")
SUMS = ("items", "positive", "neutral", "negative", "score_sum", "score_squares", *WEIGHTED)
Sums = tuple[int, ...]
BucketRows = dict[tuple[str, str, int, str], Sums]  # grain, dimension, start_us, key: `SUMS`
PublisherRows = dict[tuple[int, str, str, str], Sums]  # hour_us, dimension, key, publisher: items
# SQLite keeps buckets by time. Of one key they are looked up one by one; up to so many, then all are read.
_MOST_LOOKED_UP = 20_000


def add(connection: Connection, rows: BucketRows) -> None:
    """Add counts to buckets."""
    _accumulate(connection, buckets, rows, SUMS)


def add_publishers(connection: Connection, rows: PublisherRows) -> None:
    """Add counts to publishers."""
    _accumulate(connection, publishers, rows, ("items",))


def series(
    store: Store,
    dimension: Dimension,
    key: str,
    grain: Grain,
    start: datetime,
    end: datetime,
) -> pd.DataFrame:
    """Return one key's buckets in ``[start, end)``, gaps filled with zero items.

    The bucket that ``start`` falls into is the first, whole.

    Returns
    -------
    DataFrame
        Columns start (aware UTC), items, positive, neutral, negative, score (mean of the items read by the
        model, in [-1, 1]; NaN is "no data"), and raw, for an index of several buckets, weight and
        weighted_sum.
    """

    import pandas as pd

    first = pd.Timestamp(start).floor(_FREQUENCY[grain])
    first_us, end_us = to_micros(first.to_pydatetime()), to_micros(end)
    with store.read() as connection:
        found = between(connection, grain, first_us, end_us, [dimension], key)
    weighted = ["weight", "weighted_sum"]
    frame = with_score(found).assign(**{name: found[name] for name in weighted})
    frame = frame.drop(columns=["grain", "dimension", "key"])
    index = pd.date_range(first, end, freq=_FREQUENCY[grain], inclusive="left", name="start")
    frame = frame.set_index("start").reindex(index)
    counts = ["items", "positive", "neutral", "negative", *weighted]
    frame[counts] = frame[counts].fillna(0).astype("int64")
    return frame.reset_index()


def window(
    store: Store, dimension: Dimension, grain: Grain, start: datetime, end: datetime
) -> pd.DataFrame:
    """Return all keys' buckets of one dimension in ``[start, end)``; columns as `series`, plus key."""
    where = and_(
        buckets.c.grain == grain.value,
        buckets.c.dimension == dimension.value,
        buckets.c.start_us >= to_micros(start),
        buckets.c.start_us < to_micros(end),
    )
    with store.read() as connection:
        return with_score(read(connection, where)).drop(columns=["grain", "dimension"])


def between(
    connection: Connection,
    grain: Grain,
    start_us: int | None,
    end_us: int | None,
    dimensions: Sequence[Dimension] = tuple(Dimension),
    key: str | None = None,
) -> pd.DataFrame:
    """Return the raw rows (all columns) of a grain in ``[start_us, end_us)``; ``None`` is all."""
    where = [buckets.c.grain == grain.value]
    where.append(buckets.c.dimension.in_([dimension.value for dimension in dimensions]))
    if start_us is not None:
        where.append(buckets.c.start_us >= start_us)
    if end_us is not None:
        where.append(buckets.c.start_us < end_us)
    if key is not None:
        where.append(buckets.c.key == key)
        if start_us is not None and end_us is not None:
            where.append(at_starts(connection, grain, start_us, end_us))
    return read(connection, and_(*where))


def at_starts(
    connection: Connection, grain: Grain, start_us: int, end_us: int
) -> ColumnElement[bool]:
    """Return the condition that a bucket of a few keys starts in ``[start_us, end_us)``.

    In SQLite they are looked up one by one; those of all keys are found faster as a range.
    """
    width_us = grain.seconds * 1_000_000
    starts = range(-(-start_us // width_us) * width_us, end_us, width_us)
    if connection.dialect.name == "postgresql" or len(starts) > _MOST_LOOKED_UP:
        return and_(buckets.c.start_us >= start_us, buckets.c.start_us < end_us)
    return among(connection, buckets.c.start_us, starts)


def read(connection: Connection, where: object) -> pd.DataFrame:
    """Return raw bucket rows: the table's columns, ordered by key and start."""

    import pandas as pd

    query = select(buckets).where(where).order_by(buckets.c.key, buckets.c.start_us)  # type: ignore[arg-type]
    names = [column.name for column in buckets.columns]
    columns = list(zip(*connection.execute(query).all(), strict=True)) or [()] * len(names)
    return pd.DataFrame(dict(zip(names, columns, strict=True)))


def with_score(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn raw sums into ``score`` (mean; NaN where the model read nothing) and ``start``."""

    import pandas as pd

    read_items = frame["positive"] + frame["neutral"] + frame["negative"]
    frame = frame.assign(
        start=pd.to_datetime(frame["start_us"], unit="us", utc=True),
        score=(frame["score_sum"] / SCORE_UNIT / read_items.where(read_items > 0)).astype(
            "float64"
        ),
    )
    raw = ["start_us", "score_sum", "score_squares", *WEIGHTED]
    return frame.drop(columns=raw, errors="ignore")


def publisher_count(
    connection: Connection, dimension: Dimension, key: str, start_us: int, end_us: int
) -> int:
    """Return how many different publishers wrote on a key in ``[start_us, end_us)``, by whole hours."""
    hour_us = Grain.HOUR.seconds * 1_000_000
    hours = range(start_us // hour_us * hour_us, end_us, hour_us)
    query = select(func.count(func.distinct(publishers.c.publisher))).where(
        among(connection, publishers.c.hour_us, hours),
        publishers.c.dimension == dimension.value,
        publishers.c.key == key,
    )
    return int(connection.execute(query).scalar_one())


def span(connection: Connection) -> tuple[datetime, datetime] | None:
    """Return the first and last hour that hold anything, or ``None``."""
    query = select(func.min(buckets.c.start_us), func.max(buckets.c.start_us)).where(
        buckets.c.grain == Grain.HOUR.value, buckets.c.dimension == Dimension.MARKET.value
    )
    low, high = connection.execute(query).one()
    return None if low is None else (from_micros(low), from_micros(high))


def all_publishers(connection: Connection) -> pd.DataFrame:
    """Return every row of publishers, all columns."""

    import pandas as pd

    rows = connection.execute(select(publishers)).all()
    return pd.DataFrame(
        [tuple(row) for row in rows], columns=[column.name for column in publishers.columns]
    )


def clear(connection: Connection, since_us: int = 0) -> None:
    """Delete buckets and publishers since a time: they are about to be counted again."""
    connection.execute(delete(buckets).where(buckets.c.start_us >= since_us))
    connection.execute(delete(publishers).where(publishers.c.hour_us >= since_us))


def earliest(connection: Connection, grain: Grain) -> int | None:
    """Return when the first bucket of a grain that there is starts (us); ``None`` where there is none."""
    query = select(func.min(buckets.c.start_us)).where(buckets.c.grain == grain.value)
    found: int | None = connection.execute(query).scalar_one()
    return found


def expire(connection: Connection, grain: Grain, before: datetime) -> int:
    """Delete buckets of a grain that start before a time; return how many. Coarser grains stay."""
    where = and_(
        buckets.c.grain == grain.value,
        buckets.c.dimension.in_([dimension.value for dimension in Dimension]),  # as the key begins
        buckets.c.start_us < to_micros(before),
    )
    return connection.execute(delete(buckets).where(where)).rowcount


def _accumulate(
    connection: Connection,
    table: Table,
    rows: BucketRows | PublisherRows,
    names: tuple[str, ...],
) -> None:
    # Always in one order: two writers then wait for each other's rows and never in a circle.
    kept: list[tuple[tuple[str | int, ...], Sums]]
    kept = sorted((place, sums) for place, sums in rows.items() if any(sums))
    if not kept:
        return
    keys = [column.name for column in table.primary_key.columns]
    columns = zip(*((*place, *sums) for place, sums in kept), strict=True)
    insert_rows(connection, table, dict(zip((*keys, *names), columns, strict=True)), adding=names)
    # What a displaced revision leaves empty is as if it had never been.
    fewer = [place for place, (items, *_) in kept if items < 0]
    if fewer:
        where = and_(*(table.c[name] == bindparam(f"b_{name}") for name in keys))
        connection.execute(
            delete(table).where(where, table.c["items"] <= 0),
            [
                {f"b_{name}": value for name, value in zip(keys, each, strict=True)}
                for each in fewer
            ],
        )


_FREQUENCY = {Grain.MINUTE: "min", Grain.HOUR: "h", Grain.DAY: "D"}
