"""From articles to bucket rows, with pandas, a batch at a time.

All sums are over integers, so the rows of a set of articles do not depend on their order or batching.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from monitor.aggregate.weights import Lists, Moved
from monitor.domain import ClassifiedArticle, Dimension, Grain, to_micros
from monitor.store.buckets import SUMS
from monitor.store.schema import SCORE_UNIT

if TYPE_CHECKING:
    import pandas as pd

MARKET_KEY = "all"
Mood = tuple[str | None, int | None]  # sentiment, and score in units of 1 / SCORE_UNIT


def contributions(
    counted: Iterable[ClassifiedArticle],
    displaced: Iterable[ClassifiedArticle] = (),
    moved: Moved | None = None,
) -> pd.DataFrame:
    """Return one row per (article, dimension, key), and one more where only its weight comes or goes.

    Articles in ``displaced`` (revisions that no longer count) enter with the opposite sign. Articles whose
    date cannot be believed enter nothing. Without ``moved`` nothing weighs, and no company is on a list.

    Returns
    -------
    DataFrame
        Columns dimension, key, published_us, publisher and the sums of `monitor.store.buckets.SUMS`.
    """

    import pandas as pd

    moved = moved or Moved()
    # An article that gains weight as it is counted has both in one row.
    weighed = {
        (sign, item.article.id, item.article.revision): (item, weight)
        for sign, pairs in ((1, moved.gained), (-1, moved.lost))
        for item, weight in pairs
    }
    rows: list[tuple[str | int, ...]] = []
    for sign, items in ((1, counted), (-1, displaced)):
        for item in items:
            article = item.article
            if not article.date_status.believable:
                continue
            head = (to_micros(article.published_at), article.publisher, sign)
            lists = moved.lists.get((article.id, article.revision), {})
            held = weighed.pop((sign, article.id, article.revision), None)
            weight = sign * held[1].weight if held else 0
            rows += [
                (dimension.value, key, *head, *_mood(sign, *mood), *_weighted(weight, mood[1]))
                for dimension, key, mood in sides(item, lists)
            ]
    for (sign, *_), (item, held_by) in weighed.items():
        nothing = (held_by.published_us, item.article.publisher, 0, 0, 0, 0, 0, 0)
        rows += [
            (dimension.value, key, *nothing, *_weighted(sign * held_by.weight, units))
            for dimension, key, (_, units) in sides(item, held_by.lists)
            if units is not None
        ]
    return pd.DataFrame(rows, columns=["dimension", "key", "published_us", "publisher", *SUMS])


def sides(item: ClassifiedArticle, lists: Lists) -> list[tuple[Dimension, str, Mood]]:
    """Return every (dimension, key) that an article counts in, and how it reads from there.

    From a sector or a portfolio: the mean of the scores towards its companies, the sentiment that they
    share, ``neutral`` where they differ. An article that names two of them counts once.
    """
    own = _read(item.sentiment, item.score)
    found: list[tuple[Dimension, str, Mood]] = [(Dimension.MARKET, MARKET_KEY, own)]
    if item.topic is not None:
        found.append((Dimension.TOPIC, item.topic, own))
    members: dict[tuple[Dimension, str], list[Mood]] = {}
    for company_id in item.company_ids:
        mood = _read(*item.towards(company_id))
        found.append((Dimension.COMPANY, company_id, mood))
        if item.topic is not None:
            found.append((Dimension.COMPANY_TOPIC, f"{company_id}|{item.topic}", mood))
        sector, groups = lists.get(company_id, (None, ()))
        if sector:
            members.setdefault((Dimension.SECTOR, sector), []).append(mood)
        for group in groups:
            members.setdefault((Dimension.PORTFOLIO, group), []).append(mood)
    return found + [(*place, _together(moods)) for place, moods in members.items()]


def _read(sentiment: str | None, score: float | None) -> Mood:
    return sentiment, None if score is None else round(score * SCORE_UNIT)


def _together(moods: Sequence[Mood]) -> Mood:
    sentiments = {sentiment for sentiment, _ in moods if sentiment is not None}
    units = [each for _, each in moods if each is not None]
    sentiment = None if not sentiments else "neutral" if len(sentiments) > 1 else sentiments.pop()
    return sentiment, sum(units) // len(units) if units else None


def _mood(sign: int, sentiment: str | None, units: int | None) -> tuple[int, ...]:
    units = units or 0
    return (
        sign * (sentiment == "positive"),
        sign * (sentiment == "neutral"),
        sign * (sentiment == "negative"),
        sign * units,
        sign * (units * units // SCORE_UNIT),
    )


def _weighted(weight: int, units: int | None) -> tuple[int, int, int]:
    """Return the sums of `monitor.store.buckets.WEIGHTED`; what the model did not read weighs nothing."""
    if units is None:
        return 0, 0, 0
    return weight, weight * units, weight * (units * units // SCORE_UNIT)


def bucket_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Sum contributions into buckets of every grain: grain, dimension, key, start_us and the sums."""

    import pandas as pd

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
    frame = frame[frame["items"] != 0]  # weight that moves is no item
    frame = frame.assign(hour_us=frame["published_us"] // hour_us * hour_us)
    return _sum(frame, ["dimension", "key", "hour_us", "publisher"], ("items",))


def _sum(frame: pd.DataFrame, keys: list[str], sums: Sequence[str]) -> pd.DataFrame:
    return frame.groupby(keys, sort=False, observed=True)[list(sums)].sum().reset_index()
