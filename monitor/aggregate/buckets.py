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
    rows: list[tuple[str | int, ...]] = []
    for sign, items in ((1, counted), (-1, displaced)):
        for item in items:
            if not item.article.date_status.believable:
                continue
            head = (to_micros(item.article.published_at), item.article.publisher, sign)
            tails: dict[str | None, tuple[int, ...]] = {
                None: _mood(sign, item.sentiment, item.score)
            }
            for company_id in item.company_ids:
                tails[company_id] = _mood(sign, *item.towards(company_id))
            rows += [
                (dimension.value, key, *head, *tails[company_id])
                for dimension, key, company_id in keys_of(item)
            ]
    return pd.DataFrame(rows, columns=["dimension", "key", "published_us", "publisher", *SUMS])


def keys_of(item: ClassifiedArticle) -> list[tuple[Dimension, str, str | None]]:
    """Return every (dimension, key) that an article counts in, and the company whose side it is read from."""
    keys: list[tuple[Dimension, str, str | None]] = [(Dimension.MARKET, MARKET_KEY, None)]
    if item.topic is not None:
        keys.append((Dimension.TOPIC, item.topic, None))
    for company_id in item.company_ids:
        keys.append((Dimension.COMPANY, company_id, company_id))
        if item.topic is not None:
            keys.append((Dimension.COMPANY_TOPIC, f"{company_id}|{item.topic}", company_id))
    return keys


def _mood(sign: int, sentiment: str | None, score: float | None) -> tuple[int, ...]:
    units = 0 if score is None else round(score * SCORE_UNIT)
    return (
        sign * (sentiment == "positive"),
        sign * (sentiment == "neutral"),
        sign * (sentiment == "negative"),
        sign * units,
        sign * (units * units // SCORE_UNIT),
    )


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
