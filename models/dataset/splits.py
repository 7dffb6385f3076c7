"""Train, valid and test without leaks: what belongs together goes to one of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.dataset.keys import clusters
from models.dataset.near import NEAR, Ints, Progress
from models.errors import DataError

#: Shares of a set, by split.
SHARES: Mapping[str, float] = {"train": 0.8, "valid": 0.1, "test": 0.1}


@dataclass(frozen=True, slots=True)
class Splits:
    """Where each row went.

    Parameters
    ----------
    names
        Split of each row.
    clusters
        Cluster of each row, ``(rows,) int64``; see `models.dataset.keys.clusters`.
    """

    names: tuple[str, ...]
    clusters: Ints


def split_rows(
    texts: Sequence[str],
    labels: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    *,
    shares: Mapping[str, float] = SHARES,
    threshold: float = NEAR,
    seed: int = 13,
    progress: Progress = lambda done, total: None,
) -> Splits:
    """Deal rows out so that no text, near text or group is in two splits.

    Parameters
    ----------
    texts
        As they stand in the file.
    labels
        Every label is dealt out in the shares, as nearly as the clusters allow.
    groups
        Rows of a group stay together; an empty one is no group.
    shares
        Of each split, adding up to 1. A split without a share gets nothing.
    threshold, progress
        See `models.dataset.keys.clusters`.
    seed
        Which clusters go where.

    Raises
    ------
    DataError
        When the shares do not add up, or there are too few clusters to fill every split.
    """
    if any(share < 0 for share in shares.values()) or not math.isclose(
        sum(shares.values()), 1.0, abs_tol=1e-6
    ):
        told = ", ".join(f"{name} {share:g}" for name, share in shares.items())
        raise DataError(f"the shares must not be negative and add up to 1, got {told}")
    wanted = {name: share for name, share in shares.items() if share > 0}
    numbers = clusters(texts, groups, threshold, progress)
    places = deal(numbers, labels, list(wanted.values()), seed)
    names = tuple(wanted)
    empty = [name for i, name in enumerate(names) if not (places == i).any()]
    if empty:
        raise DataError(
            f"nothing left for {', '.join(empty)}: {len(texts)} rows are only "
            f"{len(np.unique(numbers))} clusters of texts that belong together, the largest of "
            f"{int(np.bincount(numbers).max())} rows; give more rows, a finer group or a larger share"
        )
    return Splits(tuple(names[place] for place in places.tolist()), numbers)


def deal(
    numbers: Ints, labels: Sequence[str] | None, shares: Sequence[float], seed: int
) -> NDArray[np.int64]:
    """Deal clusters out, largest first, each to the place that most lacks its labels.

    The greedy rule of Sechidis, Tsoumakas and Vlahavas 2011, "On the Stratification of Multi-label
    Data", section 3, with a cluster in the place of an example.

    Parameters
    ----------
    numbers
        Cluster of each row, ``(rows,) int64``, numbered from 0 without gaps.
    labels
        Of each row; None when all are alike.
    shares
        Of each place, adding up to 1.
    seed
        Decides order and ties.

    Returns
    -------
    ndarray
        ``(rows,) int64``, place of each row.
    """
    kinds: dict[str, int] = {}
    label = np.array(
        [kinds.setdefault(name, len(kinds)) for name in labels or [""] * len(numbers)],
        dtype=np.int64,
    )
    totals = np.bincount(label, minlength=len(kinds)).astype(np.float64)
    lacking = np.outer(shares, totals)
    by_cluster = np.argsort(numbers, kind="stable")
    held = np.split(label[by_cluster], np.cumsum(np.bincount(numbers))[:-1])
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(held))
    order = order[np.argsort([-len(held[i]) for i in order], kind="stable")]
    rarity = 1.0 / totals
    place_of = np.empty(len(held), dtype=np.int64)
    for cluster in order.tolist():
        kept, counts = np.unique(held[cluster], return_counts=True)
        # A rare label's lack weighs more: there will be few occasions to make it good.
        need = lacking[:, kept] @ (counts * rarity[kept])
        best = np.flatnonzero(need >= need.max() - 1e-12)
        place = best[rng.integers(len(best))]
        lacking[place, kept] -= counts
        place_of[cluster] = place
    return place_of[numbers]
