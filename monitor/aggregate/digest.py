"""One fingerprint of everything a store holds, to compare two runs of the same news."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from monitor.aggregate.recount import CHUNK, KEYS, Recount
from monitor.domain import Dimension, Grain
from monitor.store import Connection, Store, articles, buckets
from monitor.store.buckets import SUMS


@dataclass(frozen=True, slots=True)
class Digest:
    """What `digest` found; hashes are SHA-256 in hex.

    Of articles they are the sum, modulo 2^256, of the hashes of all lines: in whatever order they come. Of
    buckets they are over all lines in sorted order.
    """

    articles: int  # stored revisions
    ids: str  # "id revision"
    labels: str  # "id revision topic sentiment company=sentiment ..."
    buckets: str  # bucket rows as stored
    recount: str  # bucket rows as the stored articles make them
    buckets_match: bool


def digest(store: Store) -> Digest:
    """Hash a store's articles, labels and buckets, and count the buckets again from the articles.

    All from one snapshot, in chunks: it may run beside the pipeline. After retention has deleted fine
    buckets or articles they no longer match: of the one the recount has more, of the other less.
    """
    ids = labels = count = 0
    recount = Recount()
    with store.read() as connection:
        for chunk in articles.chunks(connection, CHUNK):
            count += len(chunk)
            for item, _ in chunk:
                key = f"{item.article.id} {item.article.revision}"
                ids += _hashed(key)
                sides = "".join(
                    f" {company_id}={item.towards(company_id)[0] or '-'}"
                    for company_id in sorted(item.company_ids)
                )
                mood = f"{item.topic or '-'} {item.sentiment or '-'}"
                labels += _hashed(f"{key} {mood}{sides}")
            recount.add(connection, chunk)
        recounted = _hash(recount.buckets())
        stored = _hash(_stored(connection))
    return Digest(
        articles=count,
        ids=f"{ids % 2**256:064x}",
        labels=f"{labels % 2**256:064x}",
        buckets=stored,
        recount=recounted,
        buckets_match=stored == recounted,
    )


def _hashed(line: str) -> int:
    return int.from_bytes(hashlib.sha256(line.encode()).digest())


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
