"""From articles to bucket rows, with pandas, a batch at a time.

All sums are over integers, so the rows of a set of articles do not depend on their order or batching.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from monitor.domain import ClassifiedArticle, Dimension, Grain, to_micros
from monitor.store.buckets import SUMS
from monitor.store.schema import SCORE_UNIT

MARKET_KEY = "all"


def contributions(
    counted: Iterable[ClassifiedArticle], displaced: Iterable[ClassifiedArticle] = ()
) -> pd.DataFrame:
    """Return one row per (article, dimension, key).

    Articles in ``displaced`` (revisions that no longer count) enter with the opposite sign. Articles whose
    date cannot be believed enter nothing.

    Returns
    -------
    DataFrame
        Columns dimension, key, published_us, publisher and the sums of `monitor.store.buckets.SUMS`.
    """
    rows: list[tuple[str, str, int, str, int, int, int, int, int, int]] = []
    for sign, items in ((1, counted), (-1, displaced)):
        for item in items:
            if not item.article.date_status.believable:
                continue
            score = 0 if item.score is None else round(item.score * SCORE_UNIT)
            tail = (
                to_micros(item.article.published_at),
                item.article.publisher,
                sign,
                sign * (item.sentiment == "positive"),
                sign * (item.sentiment == "neutral"),
                sign * (item.sentiment == "negative"),
                sign * score,
                sign * (score * score // SCORE_UNIT),
            )
            rows += [(dimension.value, key, *tail) for dimension, key in keys_of(item)]
    return pd.DataFrame(rows, columns=["dimension", "key", "published_us", "publisher", *SUMS])


def keys_of(item: ClassifiedArticle) -> list[tuple[Dimension, str]]:
    """Return every (dimension, key) that an article counts in."""
    keys = [(Dimension.MARKET, MARKET_KEY)]
    if item.topic is not None:
        keys.append((Dimension.TOPIC, item.topic))
    for company_id in item.company_ids:
        keys.append((Dimension.COMPANY, company_id))
        if item.topic is not None:
            keys.append((Dimension.COMPANY_TOPIC, f"{company_id}|{item.topic}"))
    return keys


def bucket_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Sum contributions into buckets of every grain: grain, dimension, key, start_us and the sums."""
    # Coarser grains are summed from the finer ones: far fewer rows.
    parts: list[pd.DataFrame] = []
    fine = frame.rename(columns={"published_us": "start_us"})
    for grain in Grain:
        width_us = grain.seconds * 1_000_000
        fine = fine.assign(start_us=fine["start_us"] // width_us * width_us)
        fine = _sum(fine, ["dimension", "key", "start_us"], SUMS)
        parts.append(fine.assign(grain=grain.value))
    return pd.concat(parts, ignore_index=True)


def publisher_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Count contributions per publisher: dimension, key, hour_us, publisher, items."""
    hour_us = Grain.HOUR.seconds * 1_000_000
    frame = frame.assign(hour_us=frame["published_us"] // hour_us * hour_us)
    return _sum(frame, ["dimension", "key", "hour_us", "publisher"], ("items",))


def _sum(frame: pd.DataFrame, keys: list[str], sums: Sequence[str]) -> pd.DataFrame:
    return frame.groupby(keys, sort=False, observed=True)[list(sums)].sum().reset_index()
