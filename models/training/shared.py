"""What rows of one head tell of others: a text that stands in several sets is read once (torch).

A head without rows of its own, and the embedding, learn from the rows of the other heads, so that they
cost no pass of the encoder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.base import Base
from models.dataset.embed import embeddings
from models.labels import EMBEDDING, Head, HeadKind
from models.training.batches import Rows


def with_labels(
    rows: Mapping[str, Rows], guests: Mapping[str, Rows], heads: Sequence[Head]
) -> dict[str, Rows]:
    """Add the labels of heads without rows of their own, text by text.

    Parameters
    ----------
    rows
        Rows of each head that has some.
    guests
        Rows of each head that learns beside them.
    heads
        All of them.

    Returns
    -------
    dict
        `rows`, with `Rows.shared` of each guest: 0 and 1, not a number for texts it has no label of.
    """
    labels = {head.name: len(head.labels) for head in heads}
    result = dict(rows)
    for name, guest in guests.items():
        known = {tuple(ids): i for i, ids in enumerate(guest.ids)}
        table = _as_table(guest.labels, labels[name])
        for host, found in result.items():
            values = np.full((len(found), labels[name]), np.nan, dtype=np.float32)
            for line, ids in enumerate(found.ids):
                if (at := known.get(tuple(ids))) is not None:
                    values[line] = table[at]
            if not np.isnan(values).all():
                result[host] = replace(found, shared={**found.shared, name: values})
    return result


def with_embeddings(
    rows: Mapping[str, Rows],
    texts: Mapping[str, Sequence[str]],
    heads: Sequence[Head],
    base: Base,
    pooling: str,
    cache: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Rows]:
    """Add what the untrained base makes of each text; texts with a marker have none.

    Parameters
    ----------
    rows, texts
        Of each head, in one order.
    heads
        All of them.
    base
        Untrained, whole.
    pooling
        As of `models.dataset.embed.embeddings`.
    cache
        Folder that keeps the embeddings, by hash of base, pooling and texts.
    progress
        Told (texts done, texts in all).
    """
    kinds = {head.name: head.kind for head in heads}
    hosts = [name for name in rows if kinds[name] is not HeadKind.TARGET]
    once = list(dict.fromkeys(text for name in hosts for text in texts[name]))
    found = _cached(once, base, pooling, cache, progress)
    place = {text: i for i, text in enumerate(once)}
    result = dict(rows)
    for name in hosts:
        values = found[[place[text] for text in texts[name]]]
        result[name] = replace(rows[name], shared={**rows[name].shared, EMBEDDING: values})
    return result


def prior(guest: Rows) -> NDArray[np.float32]:
    """Log-odds of each label of a head with several, ``(labels,) float32``, to start its bias from.

    A fresh head that calls every rare label even odds would shake the encoder first (Lin et al. 2017,
    section 3.3).
    """
    table = np.asarray(guest.labels, dtype=np.float64)
    share = (table.sum(axis=0) + 0.5) / (len(table) + 1)
    odds: NDArray[np.float32] = np.log(share / (1 - share)).astype(np.float32)
    return odds


def _as_table(labels: NDArray[np.generic], width: int) -> NDArray[np.float32]:
    if labels.ndim == 2:
        return labels.astype(np.float32)
    return np.eye(width, dtype=np.float32)[labels.astype(np.int64)]


def _cached(
    texts: Sequence[str],
    base: Base,
    pooling: str,
    cache: Path,
    progress: Callable[[int, int], None],
) -> NDArray[np.float32]:
    from safetensors.numpy import load_file, save_file

    key = hashlib.sha256(f"{base.sha256} {pooling}\0".encode())
    key.update("\0".join(texts).encode("utf-8", "surrogatepass"))
    path = cache / f"base-embeddings-{key.hexdigest()[:16]}.safetensors"
    if path.is_file():
        kept: NDArray[np.float32] = load_file(path)[EMBEDDING]
        return kept
    found = embeddings(texts, base=str(base.folder), pooling=pooling, progress=progress)
    cache.mkdir(parents=True, exist_ok=True)
    save_file({EMBEDDING: found}, path)
    return found
