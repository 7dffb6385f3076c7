"""Buckets and publishers counted again from the articles: to see whether they are right, and to mend them.

Where articles were deleted for their age, what was counted before stands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from monitor.aggregate.buckets import bucket_rows, contributions, publisher_rows
from monitor.aggregate.weights import Moved
from monitor.domain import ClassifiedArticle, Dimension, Grain, to_micros
from monitor.store import Connection, Store, articles, buckets, retention, weights, words
from monitor.store.buckets import SUMS, Sums

CHUNK = 5_000
KEYS = ("grain", "dimension", "start_us", "key")
PUBLISHER_KEYS = ("hour_us", "dimension", "key", "publisher")
PUBLISHERS = "publishers"


class Recount:
    """Adds up what articles give, a chunk at a time, with the weights that they were counted with."""

    def __init__(self) -> None:
        self._parts: dict[str, list[pd.DataFrame]] = defaultdict(list)

    def add(self, connection: Connection, chunk: Iterable[tuple[ClassifiedArticle, bool]]) -> None:
        """Add stored revisions, each with whether it is current."""
        now = {item.article.id: item for item, current in chunk if current}
        given = contributions(now.values(), moved=_held(connection, now))
        for grain, rows in _framed(bucket_rows(given), KEYS, SUMS).groupby("grain"):
            self._parts[str(grain)].append(rows)
        publishers = _framed(publisher_rows(given), PUBLISHER_KEYS, ("items",))
        self._parts[PUBLISHERS].append(publishers)

    def buckets(self) -> Iterator[pd.DataFrame]:
        """Yield the rows of each grain and dimension in order: `KEYS` and `SUMS`."""
        for grain in sorted(grain.value for grain in Grain):
            if not self._parts[grain]:
                continue
            frame = _summed(self._parts[grain], KEYS, SUMS)
            for dimension in sorted(dimension.value for dimension in Dimension):
                yield frame[frame["dimension"] == dimension]

    def publishers(self) -> pd.DataFrame:
        """Return the rows of publishers: `PUBLISHER_KEYS` and items."""
        return _summed(self._parts[PUBLISHERS], PUBLISHER_KEYS, ("items",))


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows of one part of the derived tables, and how many of them are not as the articles make them.

    ``missing`` are not stored, ``extra`` should not be, ``wrong`` have other sums.
    """

    part: str
    rows: int
    missing: int
    extra: int
    wrong: int

    @property
    def is_sound(self) -> bool:
        return not (self.missing or self.extra or self.wrong)


def verify(
    store: Store,
    kept_from: Mapping[Grain, datetime],
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> list[Difference]:
    """Compare buckets and publishers with a recount from the articles, all from one snapshot.

    Parameters
    ----------
    kept_from
        Buckets of a grain before such a time may have been deleted by now, and are not compared.
    watch
        Told how many stored revisions are done, and how many there are.
    """
    with store.read() as connection:
        recount = _recounted(connection, articles.count(store), watch)
        again = pd.concat([_no_rows(), *recount.buckets()])
        from_us = _counted_from_us(connection)
        found = []
        for grain in sorted(Grain):
            since_us = _kept_from_us(kept_from, grain, from_us)
            ours = _since(again[again["grain"] == grain.value], since_us)
            theirs = _since(buckets.between(connection, grain, None, None), since_us)
            found.append(_difference(f"{grain.value} buckets", theirs, ours, KEYS, SUMS))
        stored = _since(buckets.all_publishers(connection), from_us, "hour_us")
        ours = _since(recount.publishers(), from_us, "hour_us")
        found.append(_difference(PUBLISHERS, stored, ours, PUBLISHER_KEYS, ("items",)))
    return found


def rebuild(
    store: Store,
    kept_from: Mapping[Grain, datetime],
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Make buckets, publishers and the index of words anew from the articles, in one transaction.

    Returns the rows of buckets and publishers that were written.

    What people did, alerts, messages and the record itself are not touched. Stages that write meanwhile wait.
    Buckets past their time come back only where they, or older ones, are there still.
    """
    total = articles.count(store)
    with store.write() as connection:
        articles.lock(connection)
        recount = _recounted(connection, total, watch)
        from_us = _counted_from_us(connection)
        first_us = {grain: buckets.earliest(connection, grain) for grain in Grain}
        buckets.clear(connection, from_us)
        written = 0
        for frame in recount.buckets():
            if frame.empty:
                continue
            grain = Grain(frame["grain"].iloc[0])
            since_us = _kept_from_us(kept_from, grain, from_us)
            first = first_us[grain]
            kept = _since(frame, since_us if first is None else min(since_us, max(first, from_us)))
            buckets.add(connection, _rows(kept, KEYS, SUMS))
            written += len(kept)
        publishers = _since(recount.publishers(), from_us, "hour_us")
        buckets.add_publishers(connection, _rows(publishers, PUBLISHER_KEYS, ("items",)))
        words.fill(connection)
    return written + len(publishers)


def _recounted(connection: Connection, total: int, watch: Callable[[int, int], None]) -> Recount:
    recount, done = Recount(), 0
    for chunk in articles.chunks(connection, CHUNK):
        recount.add(connection, chunk)
        done += len(chunk)
        watch(done, total)
    return recount


def _held(connection: Connection, now: Mapping[str, ClassifiedArticle]) -> Moved:
    """Return the weight that each of some current articles holds, as if it came just now."""
    places = [(to_micros(item.article.published_at), id_) for id_, item in now.items()]
    found = weights.of(connection, places)
    holders = weights.holders(connection, (weight.report for weight in found.values()))
    return Moved(
        gained=[(now[id_], w) for id_, w in found.items() if holders[w.report].article_id == id_],
        lists={(id_, now[id_].article.revision): w.lists for id_, w in found.items()},
    )


def _summed(
    parts: Sequence[pd.DataFrame], keys: Sequence[str], sums: Sequence[str]
) -> pd.DataFrame:
    if not parts:
        return pd.DataFrame(columns=[*keys, *sums])
    rows = pd.concat(parts).groupby(list(keys), sort=False)[list(sums)].sum()
    return rows.reset_index()


def _framed(
    rows: Mapping[tuple[Any, ...], Sums], keys: Sequence[str], sums: Sequence[str]
) -> pd.DataFrame:
    return pd.DataFrame([(*place, *held) for place, held in rows.items()], columns=[*keys, *sums])


def _rows(
    frame: pd.DataFrame, keys: Sequence[str], sums: Sequence[str]
) -> dict[tuple[Any, ...], Sums]:
    places = zip(*(frame[name].tolist() for name in keys), strict=True)
    return dict(
        zip(places, zip(*(frame[name].tolist() for name in sums), strict=True), strict=True)
    )


def _no_rows() -> pd.DataFrame:
    return pd.DataFrame(columns=[*KEYS, *SUMS])


def _since(frame: pd.DataFrame, since_us: int, column: str = "start_us") -> pd.DataFrame:
    return frame[frame[column] >= since_us]


def _counted_from_us(connection: Connection) -> int:
    """Return from when on all articles are there."""
    since = retention.counted_from(connection)
    return 0 if since is None else to_micros(since)


def _kept_from_us(kept_from: Mapping[Grain, datetime], grain: Grain, from_us: int) -> int:
    return max(from_us, to_micros(kept_from[grain]) if grain in kept_from else 0)


def _difference(
    part: str,
    stored: pd.DataFrame,
    recounted: pd.DataFrame,
    keys: Sequence[str],
    sums: Sequence[str],
) -> Difference:
    both = stored[[*keys, *sums]].merge(
        recounted[[*keys, *sums]],
        how="outer",
        on=list(keys),
        suffixes=("", "_again"),
        indicator="side",
    )
    common = both[both["side"] == "both"]
    wrong = pd.Series(False, index=common.index)
    for name in sums:
        wrong |= common[name].astype("int64") != common[f"{name}_again"].astype("int64")
    return Difference(
        part,
        len(stored),
        missing=int((both["side"] == "right_only").sum()),
        extra=int((both["side"] == "left_only").sum()),
        wrong=int(wrong.sum()),
    )
