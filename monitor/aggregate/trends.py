"""Trends: where the sentiment of a key stands, against its own past and its sector, from buckets.

With w a report's weight (`monitor.aggregate.weights`) and s its score, in a bucket:

- index: sum(w s) / sum(w), in [-1, 1];
- dispersion: root of sum(w s^2) / sum(w) - index^2, how far the reports disagree, in [0, 1];
- volume z: items against the hour-of-week baseline, `monitor.aggregate.deviations.z_score`;
- index z: distance from the median of the indices of the `HISTORY` before it, in scaled median absolute
  deviations (Rousseeuw and Croux 1993, *JASA* 88, 1273-1283);
- momentum: the index exponentially weighted by age with a half-life of `FAST`, less the same with `SLOW`.
  Both decay with time and not with items: sum(w s 2^(-age/h)) / sum(w 2^(-age/h)).

NaN is "no data" or "warming up", never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from monitor.aggregate.baselines import Baselines
from monitor.aggregate.deviations import z_score
from monitor.aggregate.swings import HOUR_US
from monitor.domain import Dimension, Grain, to_micros
from monitor.store import Connection, buckets
from monitor.store.schema import SCORE_UNIT, WEIGHT_UNIT

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

HISTORY = timedelta(days=28)
WARMUP_DAYS = 7.0  # of stream, before anything has a volume z
LEAST_BUCKETS = 10  # with an index, before a bucket has an index z
LEAST_REPORTS = 3.0  # in a bucket: fewer say too little to be called unusual
FAST, SLOW = timedelta(days=1), timedelta(days=7)
BAND = 2.0  # deviations on either side of what is usual
COLUMNS = (
    *("start", "items", "reports", "index", "dispersion", "usual", "low", "high", "index_z"),
    *("fast", "slow", "momentum", "expected", "volume_z"),
)


def trend(
    rows: pd.DataFrame,
    grain: Grain,
    start: datetime,
    end: datetime,
    known: Baselines | None = None,
) -> pd.DataFrame:
    """Return one key's trend in ``[start, end)``, a row for every bucket, also the empty ones.

    Parameters
    ----------
    rows
        Raw buckets of the key (`monitor.store.buckets.between`) from `HISTORY` before ``start`` on.
    start, end
        Bounds of buckets of the grain.
    known
        The baselines for volume, or ``None`` while they are warming up.

    Returns
    -------
    DataFrame
        `COLUMNS`: start (aware UTC), items, reports (sum of weights), index, dispersion, the index's usual
        value with the bounds of `BAND`, index_z, fast, slow, momentum, expected items, volume_z.
    """

    import pandas as pd

    width = timedelta(seconds=grain.seconds)
    starts = pd.date_range(start - HISTORY, end, freq=width, inclusive="left")
    found = rows.set_index("start_us").reindex([to_micros(at) for at in starts])
    items = found["items"].fillna(0).to_numpy(dtype=np.int64)
    weight = found["weight"].fillna(0).to_numpy(dtype=np.float64) / WEIGHT_UNIT
    total = _whole(found["weighted_sum"])
    index = _ratio(total, weight)
    squares = _ratio(_whole(found["weighted_squares"]), weight)
    table = pd.DataFrame({"start": starts, "items": items, "reports": weight, "index": index})
    table["dispersion"] = np.sqrt(np.maximum(squares - index**2, 0.0))
    table["usual"], spread = _usual(index, round(HISTORY / width))
    table["low"] = np.maximum(table["usual"] - BAND * spread, -1.0)
    table["high"] = np.minimum(table["usual"] + BAND * spread, 1.0)
    away = _ratio(index - table["usual"].to_numpy(), spread)
    table["index_z"] = np.where(weight >= LEAST_REPORTS, away, np.nan)
    table["fast"] = _decayed(total, weight, FAST / width)
    table["slow"] = _decayed(total, weight, SLOW / width)
    table["momentum"] = table["fast"] - table["slow"]
    table["expected"] = table["volume_z"] = np.nan
    if known is not None and known.days >= WARMUP_DAYS and not rows.empty:
        place = rows.iloc[0]
        _volume(table, known, Dimension(place["dimension"]), str(place["key"]), grain)
    return table[table["start"] >= start].reset_index(drop=True)[list(COLUMNS)]


def key_trend(
    connection: Connection,
    dimension: Dimension,
    key: str,
    grain: Grain,
    start: datetime,
    end: datetime,
    known: Baselines | None = None,
) -> pd.DataFrame:
    """Read one key's buckets and return its `trend`."""
    rows = buckets.between(
        connection, grain, to_micros(start - HISTORY), to_micros(end), [dimension], key
    )
    return trend(rows, grain, start, end, known)


def ranking(
    connection: Connection,
    dimension: Dimension,
    grain: Grain,
    start: datetime,
    end: datetime,
    known: Baselines | None = None,
) -> pd.DataFrame:
    """Return every key of a dimension that had news in ``[start, end)``, the worst index first.

    Columns: key; items, reports, index, dispersion of the whole span; index_z, momentum and volume_z of its
    last bucket. Keys without an index come last.
    """

    import pandas as pd

    first_us = to_micros(start)
    rows = buckets.between(
        connection, grain, to_micros(start - HISTORY), to_micros(end), [dimension]
    )
    found = []
    for key, mine in rows.groupby("key", sort=True):
        span = mine[mine["start_us"] >= first_us]
        if span.empty:
            continue
        last = trend(mine, grain, start, end, known).iloc[-1]
        found.append(
            {"key": str(key), **_pooled(span)}
            | {name: float(last[name]) for name in ("index_z", "momentum", "volume_z")}
        )
    names = ["key", "items", "reports", "index", "dispersion", "index_z", "momentum", "volume_z"]
    table = pd.DataFrame(found, columns=names)
    return table.sort_values(["index", "key"], na_position="last", ignore_index=True)


def peers(ranked: pd.DataFrame, sectors: Mapping[str, str], key: str) -> pd.DataFrame:
    """Return the companies of a company's sector that had news, with their ranks.

    Parameters
    ----------
    ranked
        As `ranking` of companies returns it.
    sectors
        Sector of each company that has one.
    key
        The company.

    Returns
    -------
    DataFrame
        The rows of ``ranked``, with ``index_rank`` (1 is the worst index) and ``volume_rank`` (1 has the most
        reports); equal ones share the better rank; NaN where there is no index. Empty without a sector.
    """

    import pandas as pd

    sector = sectors.get(key)
    same = [sector is not None and sectors.get(each) == sector for each in ranked["key"]]
    table = ranked[pd.Series(same, index=ranked.index, dtype=bool)].reset_index(drop=True)
    return table.assign(
        index_rank=table["index"].rank(method="min"),
        volume_rank=table["reports"].rank(method="min", ascending=False),
    )


def _pooled(rows: pd.DataFrame) -> dict[str, float]:
    weight = float(rows["weight"].sum()) / WEIGHT_UNIT
    items = {"items": int(rows["items"].sum()), "reports": weight}
    if not weight:
        return {**items, "index": np.nan, "dispersion": np.nan}
    unit = WEIGHT_UNIT * SCORE_UNIT * weight
    index = int(rows["weighted_sum"].sum()) / unit
    spread = max(int(rows["weighted_squares"].sum()) / unit - index**2, 0.0) ** 0.5
    return {**items, "index": index, "dispersion": spread}


def _whole(column: pd.Series[float]) -> Floats:
    """Return a column of weighted sums as floats, 0 where there is no bucket."""
    scale = float(WEIGHT_UNIT * SCORE_UNIT)
    return np.asarray(column.fillna(0).to_numpy(dtype=np.float64) / scale, dtype=np.float64)


def _ratio(above: Floats, below: Floats) -> Floats:
    """Divide, NaN where there is nothing to divide by."""
    found = np.full(len(above), np.nan)
    np.divide(above, below, out=found, where=below > 0)
    return found


def _usual(index: Floats, width: int) -> tuple[Floats, Floats]:
    """Return median and scaled deviation of the ``width`` values before each; NaN where too few are known."""
    middle, spread = np.full(len(index), np.nan), np.full(len(index), np.nan)
    if len(index) <= width:
        return middle, spread
    windows = sliding_window_view(index, width)[:-1]
    enough = (~np.isnan(windows)).sum(axis=1) >= LEAST_BUCKETS
    places = np.flatnonzero(enough) + width
    middle[places] = np.nanmedian(windows[enough], axis=1)
    away = np.abs(windows[enough] - middle[places, None])
    spread[places] = np.nanmedian(away, axis=1) / NormalDist().inv_cdf(0.75)
    return middle, spread


def _decayed(total: Floats, weight: Floats, half_life: float) -> Floats:
    """Return the index with weights that halve every ``half_life`` buckets; NaN before the first report."""
    fade = 0.5 ** (1.0 / half_life)
    above = below = 0.0
    found = np.full(len(total), np.nan)
    for at in range(len(total)):
        above, below = fade * above + total[at], fade * below + weight[at]
        if below > 0:
            found[at] = above / below
    return found


def _volume(
    table: pd.DataFrame, known: Baselines, dimension: Dimension, key: str, grain: Grain
) -> None:
    rate = known.rate(dimension, key)
    width_us = grain.seconds * 1_000_000
    ends = np.array([to_micros(at) for at in table["start"]], dtype=np.int64) + width_us
    expected = rate.items_per_hour * known.weight(ends, width_us)
    table["expected"] = expected
    # Dispersion is that of a day: an hour's counts clump less.
    spread = 1.0 + (rate.dispersion - 1.0) * min(1.0, width_us / (24 * HOUR_US))
    table["volume_z"] = z_score(table["items"].to_numpy(dtype=np.float64), expected, spread)
