"""Order of training rows: shuffled by seed, batched by similar length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat

import numpy as np
from numpy.typing import NDArray

from models.tokens import Ids

_WINDOW_BATCHES = 32


@dataclass(frozen=True, slots=True)
class Rows:
    """Tokenised rows of one head.

    Parameters
    ----------
    ids
        Token ids of each row.
    labels
        As `models.training.data.Part.labels`.
    sources
        Number of the set each row came from, ``(rows,) int64``; 0 is the head's first.
    soft
        What teachers say of each row: probabilities of each head, ``(rows, labels) float32``.
    shared
        What else is known of each row's text: labels of other heads as 0 and 1, the embedding,
        ``(rows, labels or width) float32``; not a number where nothing is.
    before
        What the model before says of each row, likewise.
    old, old_share
        How many of the last rows are old ones, and the share of a batch that is theirs.
    """

    ids: tuple[Ids, ...]
    labels: NDArray[np.generic]
    sources: NDArray[np.int64]
    soft: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    shared: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    before: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    old: int = 0
    old_share: float = 0.0

    def of_batch(self, size: int) -> tuple[int, int]:
        """How many rows of a batch of that size are new, and how many old."""
        if not self.old:
            return size, 0
        old = max(1, round(self.old_share * size))
        # A head with old rows alone gets no more of a step for it.
        return (max(1, size - old), old) if self.old < len(self) else (0, old)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded rows: ``(batch, tokens) int64`` twice, then as in `Rows`."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    labels: NDArray[np.generic]
    sources: NDArray[np.int64]
    soft: Mapping[str, NDArray[np.float32]]
    shared: Mapping[str, NDArray[np.float32]]
    before: Mapping[str, NDArray[np.float32]]


def epoch_order(
    lengths: Sequence[int], batch_size: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Batches of row positions, every row once.

    Rows are shuffled, then sorted by length inside windows of some batches, so that little is
    padded while a batch stays a random draw; the batches are shuffled again.
    """
    order = rng.permutation(len(lengths))
    sizes = np.asarray(lengths)[order]
    window = batch_size * _WINDOW_BATCHES
    batches: list[NDArray[np.int64]] = []
    for start in range(0, len(order), window):
        part = order[start : start + window]
        part = part[np.argsort(sizes[start : start + window], kind="stable")]
        batches.extend(part[i : i + batch_size] for i in range(0, len(part), batch_size))
    return [batches[i] for i in rng.permutation(len(batches))]


def epoch_steps(
    heads: Mapping[str, Rows], batch_sizes: Mapping[str, int], seed: int, epoch: int
) -> Iterator[dict[str, Batch]]:
    """One batch of every head per step: how much each learns is its batch size.

    A head with fewer rows starts over, in another order, until the longest is through; so do old rows,
    which have their share of every batch.
    The order depends on `seed` and `epoch` alone: a resumed run sees what an unbroken one sees.
    """

    def endless(number: int, name: str, rows: Rows) -> Iterator[NDArray[np.int64]]:
        lengths = [len(ids) for ids in rows.ids]
        edge = len(rows) - rows.old

        def drawn(lengths: Sequence[int], size: int, *key: int) -> Iterator[NDArray[np.int64]]:
            rng = np.random.default_rng([seed, epoch, number, *key])
            return chain.from_iterable(epoch_order(lengths, size, rng) for _ in repeat(None))

        new, old = rows.of_batch(batch_sizes[name])
        if not old:
            return drawn(lengths, new)
        again = (edge + chosen for chosen in drawn(lengths[edge:], old, 1))
        if not new:
            return again
        both = zip(drawn(lengths[:edge], new), again, strict=False)
        return (np.concatenate(parts) for parts in both)

    streams = {name: endless(i, name, rows) for i, (name, rows) in enumerate(heads.items())}
    for _ in range(steps_per_epoch(heads, batch_sizes)):
        yield {name: padded(heads[name], next(stream)) for name, stream in streams.items()}


def steps_per_epoch(heads: Mapping[str, Rows], batch_sizes: Mapping[str, int]) -> int:
    """Steps until the rows of every head, but for old ones, have been seen once."""
    return max(
        -(-(len(rows) - rows.old) // max(1, rows.of_batch(batch_sizes[name])[0]))
        for name, rows in heads.items()
    )


def padded(rows: Rows, chosen: Sequence[int] | NDArray[np.int64]) -> Batch:
    """Rows at some positions, padded with zeros to the longest of them."""
    width = max(len(rows.ids[i]) for i in chosen)
    ids = np.zeros((len(chosen), width), dtype=np.int64)
    mask = np.zeros_like(ids)
    for line, i in enumerate(chosen):
        row = rows.ids[i]
        ids[line, : len(row)] = row
        mask[line, : len(row)] = 1
    return Batch(
        ids,
        mask,
        rows.labels[np.asarray(chosen)],
        rows.sources[np.asarray(chosen)],
        {head: values[np.asarray(chosen)] for head, values in rows.soft.items()},
        {name: values[np.asarray(chosen)] for name, values in rows.shared.items()},
        {head: values[np.asarray(chosen)] for head, values in rows.before.items()},
    )
