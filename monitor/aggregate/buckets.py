"""From articles to bucket rows, a batch at a time.

All sums are over integers, so the rows of a set of articles do not depend on their order or batching. They
are added up in plain dictionaries: a batch of live news is some dozens of articles, for which a data frame
takes longer to make than to fill.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from monitor.aggregate.weights import Lists, Moved
from monitor.domain import ClassifiedArticle, Dimension, Grain, to_micros
from monitor.store.buckets import SUMS, WEIGHTED, BucketRows, PublisherRows, Sums
from monitor.store.schema import SCORE_UNIT

MARKET_KEY = "all"
_NOTHING = (0,) * (len(SUMS) - len(WEIGHTED))
Contribution = tuple[str, str, int, str, Sums]  # dimension, key, published_us, publisher
Mood = tuple[str | None, int | None]  # sentiment, and score in units of 1 / SCORE_UNIT


def contributions(
    counted: Iterable[ClassifiedArticle],
    displaced: Iterable[ClassifiedArticle] = (),
    moved: Moved | None = None,
) -> list[Contribution]:
    """Return one row per (article, dimension, key), and one more where only its weight comes or goes.

    Articles in ``displaced`` (revisions that no longer count) enter with the opposite sign. Articles whose
    date cannot be believed enter nothing. Without ``moved`` nothing weighs, and no company is on a list.
    """
    moved = moved or Moved()
    # An article that gains weight as it is counted has both in one row.
    weighed = {
        (sign, item.article.id, item.article.revision): (item, weight)
        for sign, pairs in ((1, moved.gained), (-1, moved.lost))
        for item, weight in pairs
    }
    rows: list[Contribution] = []
    for sign, items in ((1, counted), (-1, displaced)):
        for item in items:
            article = item.article
            if not article.date_status.believable:
                continue
            published_us, publisher = to_micros(article.published_at), article.publisher
            lists = moved.lists.get((article.id, article.revision), {})
            held = weighed.pop((sign, article.id, article.revision), None)
            weight = sign * held[1].weight if held else 0
            rows += [
                (dimension.value, key, published_us, publisher, _sums(sign, weight, *mood))
                for dimension, key, mood in sides(item, lists)
            ]
    for (sign, *_), (item, held_by) in weighed.items():
        place = (held_by.published_us, item.article.publisher)
        rows += [
            (dimension.value, key, *place, (*_NOTHING, *_weighted(sign * held_by.weight, units)))
            for dimension, key, (_, units) in sides(item, held_by.lists)
            if units is not None
        ]
    return rows


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


def _sums(sign: int, weight: int, sentiment: str | None, units: int | None) -> Sums:
    """Return what one article adds to a bucket: `monitor.store.buckets.SUMS`."""
    units_or_0 = units or 0
    return (
        sign,
        sign * (sentiment == "positive"),
        sign * (sentiment == "neutral"),
        sign * (sentiment == "negative"),
        sign * units_or_0,
        sign * (units_or_0 * units_or_0 // SCORE_UNIT),
        *_weighted(weight, units),
    )


def _weighted(weight: int, units: int | None) -> tuple[int, int, int]:
    """Return the sums of `monitor.store.buckets.WEIGHTED`; what the model did not read weighs nothing."""
    if units is None:
        return 0, 0, 0
    return weight, weight * units, weight * (units * units // SCORE_UNIT)


def bucket_rows(given: Iterable[Contribution]) -> BucketRows:
    """Sum contributions into buckets of every grain."""
    rows: BucketRows = {}
    fine = [((dimension, at_us, key), sums) for dimension, key, at_us, _, sums in given]
    for grain in Grain:
        width_us = grain.seconds * 1_000_000
        coarse: dict[tuple[str, int, str], list[int]] = {}
        for (dimension, at_us, key), sums in fine:
            place = (dimension, at_us // width_us * width_us, key)
            held = coarse.get(place)
            if held is None:
                coarse[place] = list(sums)
            else:
                for at, value in enumerate(sums):
                    held[at] += value
        # Coarser grains are summed from the finer ones: far fewer rows.
        fine = [(place, tuple(held)) for place, held in coarse.items()]
        rows |= {(grain.value, *place): sums for place, sums in fine}
    return rows


def publisher_rows(given: Iterable[Contribution]) -> PublisherRows:
    """Count contributions per publisher."""
    hour_us = Grain.HOUR.seconds * 1_000_000
    counted: Counter[tuple[int, str, str, str]] = Counter()
    for dimension, key, at_us, publisher, (items, *_) in given:
        if items:  # weight that moves is no item
            counted[at_us // hour_us * hour_us, dimension, key, publisher] += items
    return {place: (items,) for place, items in counted.items()}
