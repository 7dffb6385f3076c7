"""Near-duplicates of short texts: shingles, MinHash, bands, and the exact answer at the end.

A text is the set of its runs of `SHINGLE_CHARS` characters; two texts are near when the Jaccard
similarity of their sets (shared over all) reaches a threshold. MinHash estimates that similarity
from a short signature, bands of the signature bring likely pairs together without looking at all
of them, and every likely pair is then decided on its exact sets: what is returned is never wrong,
and a near pair is missed about once in a thousand at the threshold, far less above it.

Broder 1997, "On the resemblance and containment of documents", sections 2 and 3 (shingles,
min-wise sketches); Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4 (bands).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Characters of a shingle. Five tell headlines apart and still see through an edited word.
SHINGLE_CHARS = 5
#: Similarity from which two texts are one: a word changed in a headline, not two stories of a form.
NEAR = 0.8
#: Length of a signature.
HASHES = 128
#: Most texts that one text meets in one band.
CROWD = 256

_RECALL = 0.999  # of the bands, at the threshold
_DEVIATIONS = 4.0  # by which an estimate may fall short of the threshold
_ROWS = 4_096  # texts of one pass
_PAIRS = 1 << 14  # pairs of one pass

UInt64s = NDArray[np.uint64]
UInt32s = NDArray[np.uint32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Progress = Callable[[int, int], None]
Wanted = Callable[[Ints, Ints], Bools]


@dataclass(frozen=True, slots=True)
class Near:
    """Two texts that are near: their positions, `first` < `second`, and their Jaccard similarity."""

    first: int
    second: int
    similarity: float


def near_duplicates(
    texts: Sequence[str],
    threshold: float = NEAR,
    *,
    seed: int = 1,
    wanted: Wanted | None = None,
    progress: Progress = lambda done, total: None,
) -> Iterator[Near]:
    """Yield the pairs of texts whose shingles have at least this Jaccard similarity, each once.

    Parameters
    ----------
    texts
        Distinct texts; of equal ones every pair would be named. Read as they stand: fold case
        and numbers before.
    threshold
        In (0, 1].
    seed
        Of the hash functions. It decides which of the rare misses are missed, nothing else.
    wanted
        Told the positions of likely pairs, ``(pairs,) int64`` twice; says which are worth
        deciding, ``(pairs,) bool``. Asked again as the search goes on, so that a crowd of one form
        costs its members, not its pairs, where those found already say enough. None: all are.
    progress
        Told (bands done, bands in all).

    Raises
    ------
    ValueError
        When the threshold is outside (0, 1].

    Notes
    -----
    Where more than `CROWD` texts share a band, each meets the next `CROWD` of them in it.

    Examples
    --------
    >>> texts = ["oil falls as opec meets", "gold is flat", "oil falls as opec meets again"]
    >>> [(p.first, p.second, round(p.similarity, 2)) for p in near_duplicates(texts, 0.7)]
    [(0, 2, 0.76)]
    """
    if not 0.0 < threshold <= 1.0:
        raise ValueError(f"expected a similarity threshold in (0, 1], got {threshold}")
    if len(texts) < 2:
        return
    hashes, starts = shingles(texts)
    signatures = minhash(hashes, starts, seed)
    sets: dict[int, frozenset[int]] = {}

    def shingle_set(position: int) -> frozenset[int]:
        if position not in sets:
            sets[position] = frozenset(hashes[starts[position] : starts[position + 1]].tolist())
        return sets[position]

    decided: set[tuple[int, int]] = set()
    for likely in _likely(signatures, threshold, wanted, progress):
        for first, second in likely.tolist():
            if (first, second) in decided:
                continue
            decided.add((first, second))
            similarity = jaccard(shingle_set(first), shingle_set(second))
            if similarity >= threshold:
                yield Near(first, second, similarity)


def jaccard(first: frozenset[int], second: frozenset[int]) -> float:
    """Size of the intersection over size of the union, in [0, 1]; two empty sets are equal."""
    shared = len(first & second)
    union = len(first) + len(second) - shared
    return shared / union if union else 1.0


def shingles(texts: Sequence[str]) -> tuple[UInt64s, Ints]:
    """Hashed shingles of each text, without repeats.

    Returns
    -------
    tuple
        ``(shingles in all,) uint64``, sorted within a text, and ``(texts + 1,) int64``: where each
        text's begin. A text shorter than a shingle has one.
    """
    parts: list[UInt64s] = []
    counts: list[Ints] = []
    for start in range(0, len(texts), _ROWS):
        hashes, count = _shingles(texts[start : start + _ROWS])
        parts.append(hashes)
        counts.append(count)
    sizes = np.concatenate(counts) if counts else np.empty(0, dtype=np.int64)
    starts = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(sizes, out=starts[1:])
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64), starts


def minhash(hashes: UInt64s, starts: Ints, seed: int = 1) -> UInt32s:
    """Signatures: under each of `HASHES` hash functions, the least value of a text's shingles.

    Two texts agree in one place with the probability of their Jaccard similarity.

    Returns
    -------
    ndarray
        ``(texts, HASHES) uint32``.
    """
    rng = np.random.default_rng(seed)
    # Multiply, add, shift: Dietzfelbinger et al. 1997; odd multipliers, the upper half is kept.
    factors = rng.integers(0, 2**64, HASHES, dtype=np.uint64) | np.uint64(1)
    offsets = rng.integers(0, 2**64, HASHES, dtype=np.uint64)
    signatures = np.empty((len(starts) - 1, HASHES), dtype=np.uint32)
    for start in range(0, len(signatures), _ROWS):
        end = min(start + _ROWS, len(signatures))
        chunk = hashes[starts[start] : starts[end]]
        begins = starts[start:end] - starts[start]
        for number in range(HASHES):
            mixed = ((chunk * factors[number] + offsets[number]) >> np.uint64(32)).astype(np.uint32)
            signatures[start:end, number] = np.minimum.reduceat(mixed, begins)
    return signatures


def _shingles(texts: Sequence[str]) -> tuple[UInt64s, Ints]:
    padded = [text.ljust(SHINGLE_CHARS, "\0") for text in texts]
    characters = np.frombuffer(
        "".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32
    ).astype(np.uint64)
    lengths = np.array([len(text) for text in padded], dtype=np.int64)
    ends = np.cumsum(lengths)
    rolling = np.zeros(len(characters) - SHINGLE_CHARS + 1, dtype=np.uint64)
    for place in range(SHINGLE_CHARS):
        rolling = _mixed(rolling + characters[place : place + len(rolling)])
    counts = lengths - SHINGLE_CHARS + 1
    owner = np.repeat(np.arange(len(texts)), counts)
    # The n-th shingle of a text begins at its first character plus n: no run crosses two texts.
    within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    values = rolling[np.repeat(ends - lengths, counts) + within]
    order = np.lexsort((values, owner))
    owner, values = owner[order], values[order]
    new = np.ones(len(values), dtype=bool)
    new[1:] = (owner[1:] != owner[:-1]) | (values[1:] != values[:-1])
    return values[new], np.bincount(owner[new], minlength=len(texts)).astype(np.int64)


def _mixed(values: UInt64s) -> UInt64s:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit moves every bit."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _rows_per_band(threshold: float) -> int:
    """Most rows of a band that still bring together `_RECALL` of the pairs at the threshold."""
    for rows in range(HASHES // 4, 1, -1):
        if 1.0 - (1.0 - threshold**rows) ** (HASHES // rows) >= _RECALL:
            return rows
    return 1


def _likely(
    signatures: UInt32s, threshold: float, wanted: Wanted | None, progress: Progress
) -> Iterator[Ints]:
    """Pairs that share a band and whose signatures agree well enough, ``(pairs, 2)`` at a time."""
    n = len(signatures)
    slack = _DEVIATIONS * float(np.sqrt(threshold * (1.0 - threshold) / HASHES))
    least = (threshold - slack) * HASHES
    rows = _rows_per_band(threshold)
    bands = HASHES // rows
    for band in range(bands):
        keys = np.zeros(n, dtype=np.uint64)
        for number in range(band * rows, (band + 1) * rows):
            keys = _mixed(keys + signatures[:, number].astype(np.uint64))
        for one, other in _sharing(keys):
            first, second = np.minimum(one, other), np.maximum(one, other)
            if wanted is not None:
                keep = wanted(first, second)
                first, second = first[keep], second[keep]
            agree = (signatures[first] == signatures[second]).sum(axis=1) >= least
            yield np.stack([first[agree], second[agree]], axis=1)
        progress(band + 1, bands)


def _sharing(keys: UInt64s) -> Iterator[tuple[Ints, Ints]]:
    """Positions of pairs of equal keys, some at a time."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    alive = np.arange(len(keys))
    for distance in range(1, CROWD + 1):
        # Whoever has no equal at this distance in sorted order has none further on.
        alive = alive[alive + distance < len(keys)]
        alive = alive[ordered[alive] == ordered[alive + distance]]
        if not len(alive):
            return
        for start in range(0, len(alive), _PAIRS):
            chosen = alive[start : start + _PAIRS]
            yield order[chosen], order[chosen + distance]
