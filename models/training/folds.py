"""Parts of the training splits that are held out in turn, without leaks between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.dataset.keys import clusters
from models.dataset.near import Progress
from models.dataset.splits import deal
from models.errors import DataError
from models.tables import Labelled
from models.training.data import Source


def folds(
    sources: Sequence[Source],
    count: int,
    seed: int,
    progress: Progress = lambda done, total: None,
) -> tuple[tuple[Source, ...], ...]:
    """Every source once per fold, with the fold as its ``valid`` split and the rest as ``train``.

    Texts that are the same or near are in one fold, whichever sets and heads they belong to: the heads
    share an encoder. Labels are dealt out evenly.

    Parameters
    ----------
    sources
        Only their ``train`` split is looked at.
    count
        Of folds, 2 or more.
    seed, progress
        See `models.dataset.splits.deal` and `models.dataset.keys.clusters`.

    Raises
    ------
    DataError
        When a fold would leave a set without rows to train on or to look at.
    """
    parts = [source.splits["train"] for source in sources]
    texts = [text for part in parts for text in part.texts]
    labels = [
        f"{source.head.name} {np.asarray(label).tolist()}"
        for source, part in zip(sources, parts, strict=True)
        for label in part.labels
    ]
    places = deal(clusters(texts, progress=progress), labels, [1 / count] * count, seed)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    of_each = np.split(places, ends)
    made = []
    for fold in range(count):
        held = []
        for source, part, place in zip(sources, parts, of_each, strict=True):
            out = place == fold
            if out.all() or not out.any():
                raise DataError(
                    f"{source.path}: fold {fold + 1} of {count} has {int(out.sum())} of {len(part)} rows: "
                    "too few texts that differ; ask for fewer folds"
                )
            splits = {"train": _taken(part, ~out), "valid": _taken(part, out)}
            held.append(replace(source, splits=splits))
        made.append(tuple(held))
    return tuple(made)


def _taken(part: Labelled, chosen: NDArray[np.bool_]) -> Labelled:
    rows = np.flatnonzero(chosen).tolist()
    return replace(
        part,
        texts=tuple(part.texts[i] for i in rows),
        labels=part.labels[rows],
        targets=tuple(part.targets[i] for i in rows) if part.targets else (),
    )
