"""Trading days: what was published before a day's close, and after the close before it.

The index of a day is made of the hours that end by its close; news of a weekend belongs to Monday. Nothing
that was published after a close is in that day.
"""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitor.domain import Dimension, Grain, to_micros
from monitor.store import Connection, buckets
from monitor.store.schema import SCORE_UNIT

HOUR_US = Grain.HOUR.seconds * 1_000_000


def closes_us(days: pd.DatetimeIndex, close: time, zone: ZoneInfo) -> NDArray[np.int64]:
    """Return the close of each trading day, Unix microseconds.

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2026-01-05"])
    >>> closes_us(days, time(16), ZoneInfo("America/New_York")).tolist()
    [1767646800000000]
    """
    found = [to_micros(datetime.combine(day.date(), close, zone)) for day in days]
    return np.array(found, dtype=np.int64)


def day_of(moments_us: NDArray[np.int64], closes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the index of the first trading day whose close is at or after each moment.

    ``len(closes)`` where it is after the last close; -1 up to the day before the first close: when that day's
    news began is not known.
    """
    first = closes[0] - 24 * HOUR_US if len(closes) else 0
    place = np.searchsorted(closes, moments_us, side="left")
    return np.where(moments_us <= first, -1, place).astype(np.int64)


def daily_index(
    connection: Connection,
    days: pd.DatetimeIndex,
    companies: list[str],
    close: time,
    zone: ZoneInfo,
) -> pd.DataFrame:
    """Return the index of companies by trading day, ``(days, companies)``; NaN is "no data"."""
    closes = closes_us(days, close, zone)
    begin_us = int(closes[0]) - 24 * HOUR_US
    rows = buckets.between(connection, Grain.HOUR, begin_us, int(closes[-1]), [Dimension.COMPANY])
    rows = rows[rows["key"].isin(companies)]
    ends = rows["start_us"].to_numpy(dtype=np.int64) + HOUR_US
    at = day_of(ends, closes)
    rows = rows.assign(at=at)[(at >= 0) & (at < len(days))]
    sums = rows.groupby(["at", "key"])[["weight", "weighted_sum"]].sum()
    sums = sums[sums["weight"] > 0]
    index = (sums["weighted_sum"] / sums["weight"] / SCORE_UNIT).unstack()
    index = index.reindex(index=range(len(days)), columns=companies)
    return index.set_axis(days, axis=0).astype("float64")
