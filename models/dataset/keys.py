"""Under which key two texts are the same, and which texts belong together."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from models.dataset.near import NEAR, Bools, Ints, Progress, near_duplicates
from models.text import model_input

_CASHTAGS = re.compile(r"\$[a-z][a-z0-9._\-]*(?:\s+\$[a-z][a-z0-9._\-]*)*")
_NUMBERS = re.compile(r"\d+(?:[.,]\d+)*")


def same_key(text: str) -> str:
    """What the model reads of a text, whatever its case.

    Examples
    --------
    >>> same_key("Oil FALLS &amp; gold rises https://t.co/a")
    'oil falls & gold rises'
    """
    return model_input(text).casefold()


def folded_key(text: str) -> str:
    """The same, with every number and cashtag alike: the form of a headline told of anyone.

    Examples
    --------
    >>> folded_key("$AAPL $MSFT Q3 EPS beats by $0.05") == folded_key("$ACME Q1 EPS beats by $1.20")
    True
    >>> folded_key("$AAPL Q3 EPS beats")
    '$ q0 eps beats'
    """
    return _NUMBERS.sub("0", _CASHTAGS.sub("$", same_key(text)))


def clusters(
    texts: Sequence[str],
    groups: Sequence[str] | None = None,
    threshold: float = NEAR,
    progress: Progress = lambda done, total: None,
) -> Ints:
    """Number of the cluster of each text.

    Texts are joined when their `folded_key` is equal, when those keys are near, when they share a
    group, and through each other: clusters share no text, no near text and no group.

    Parameters
    ----------
    texts
        As they stand in the file.
    groups
        Of each text, such as its document or story; an empty one is no group.
    threshold
        Jaccard similarity of near texts, in (0, 1].
    progress
        Told (done, total) of the search for near texts.

    Returns
    -------
    ndarray
        ``(texts,) int64``, numbered from 0 in order of appearance.
    """
    numbers: dict[str, int] = {}
    owners = [numbers.setdefault(folded_key(text), len(numbers)) for text in texts]
    joined = _Joined(len(numbers))

    def apart(first: Ints, second: Ints) -> Bools:
        roots = joined.roots()
        different: Bools = roots[first] != roots[second]
        return different

    near = near_duplicates(list(numbers), threshold, wanted=apart, progress=progress)
    for pair in near:
        joined.join(pair.first, pair.second)
    first_of: dict[str, int] = {}
    for owner, group in zip(owners, groups or (), strict=False):
        if group:
            joined.join(owner, first_of.setdefault(group, owner))
    renumbered: dict[int, int] = {}
    return np.array(
        [renumbered.setdefault(joined.root(owner), len(renumbered)) for owner in owners],
        dtype=np.int64,
    )


class _Joined:
    """Disjoint sets; a root is its set's least member."""

    def __init__(self, size: int) -> None:
        self._parent = np.arange(size, dtype=np.int64)

    def root(self, item: int) -> int:
        parent = self._parent
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = int(parent[item])
        return item

    def roots(self) -> Ints:
        """Root of every item, ``(items,) int64``."""
        while True:
            above = self._parent[self._parent]
            if (above == self._parent).all():
                return above
            self._parent = above

    def join(self, first: int, second: int) -> None:
        first, second = sorted((self.root(first), self.root(second)))
        self._parent[second] = first
