"""One fingerprint of everything a store holds, to compare two runs of the same news."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from monitor.aggregate.buckets import bucket_rows, contributions
from monitor.aggregate.weights import Moved
from monitor.domain import ClassifiedArticle, Dimension, Grain
from monitor.store import Connection, Store, articles, buckets, weights
from monitor.store.buckets import SUMS

CHUNK = 5_000
KEYS = ("grain", "dimension", "key", "start_us")


@dataclass(frozen=True, slots=True)
class Digest:
    """What `digest` found; hashes are SHA-256 in hex over lines in sorted order."""

    articles: int  # stored revisions
    ids: str  # "id revision"
    labels: str  # "id revision topic sentiment company=sentiment ..."
    buckets: str  # bucket rows as stored
    recount: str  # bucket rows as the stored articles make them
    buckets_match: bool


def digest(store: Store) -> Digest:
    """Hash a store's articles, labels and buckets, and count the buckets again from the articles.

    All from one snapshot, in chunks: it may run beside the pipeline. After retention has deleted fine
    buckets they no longer match: the recount has them.
    """
    ids, labels = hashlib.sha256(), hashlib.sha256()
    count = 0
    parts: dict[str, list[pd.DataFrame]] = defaultdict(list)
    with store.read() as connection:
        for chunk in articles.chunks(connection, CHUNK):
            count += len(chunk)
            for item, _ in chunk:
                key = f"{item.article.id} {item.article.revision}"
                ids.update(f"{key}\n".encode())
                sides = "".join(
                    f" {company_id}={item.towards(company_id)[0] or '-'}"
                    for company_id in sorted(item.company_ids)
                )
                mood = f"{item.topic or '-'} {item.sentiment or '-'}"
                labels.update(f"{key} {mood}{sides}\n".encode())
            frame = contributions(
                (item for item, current in chunk if current), moved=_held(connection, chunk)
            )
            for grain, rows in bucket_rows(frame).groupby("grain"):
                parts[str(grain)].append(rows)
        recount = _hash(_recounted(parts))
        stored = _hash(_stored(connection))
    return Digest(
        articles=count,
        ids=ids.hexdigest(),
        labels=labels.hexdigest(),
        buckets=stored,
        recount=recount,
        buckets_match=stored == recount,
    )


def _held(connection: Connection, chunk: Iterable[tuple[ClassifiedArticle, bool]]) -> Moved:
    """Return the weight that each current article of a chunk holds, as if it came just now."""
    now = {item.article.id: item for item, current in chunk if current}
    found = weights.of(connection, list(now))
    holders = weights.holders(connection, (weight.report for weight in found.values()))
    return Moved(
        gained=[(now[id_], w) for id_, w in found.items() if holders[w.report].article_id == id_],
        lists={(id_, now[id_].article.revision): w.lists for id_, w in found.items()},
    )


def _recounted(parts: dict[str, list[pd.DataFrame]]) -> Iterator[pd.DataFrame]:
    """Yield the rows of each grain and dimension in order."""
    for grain in sorted(grain.value for grain in Grain):
        if not parts[grain]:
            continue
        rows = pd.concat(parts[grain]).groupby(list(KEYS), sort=False)[list(SUMS)].sum()
        frame = rows.reset_index()
        for dimension in sorted(dimension.value for dimension in Dimension):
            yield frame[frame["dimension"] == dimension]


def _stored(connection: Connection) -> Iterator[pd.DataFrame]:
    for grain in sorted(Grain):
        for dimension in sorted(Dimension):
            yield buckets.between(connection, grain, None, None, [dimension])


def _hash(frames: Iterable[pd.DataFrame]) -> str:
    """Hash bucket rows; each frame's rows are put in order here: databases sort text differently."""
    lines = hashlib.sha256()
    for frame in frames:
        rows = zip(*(frame[name].tolist() for name in (*KEYS, *SUMS)), strict=True)
        for row in sorted(rows):
            lines.update(("\t".join(map(str, row)) + "\n").encode())
    return lines.hexdigest()
