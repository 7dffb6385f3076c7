"""Order of training rows: shuffled by seed, batched by similar length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np
from numpy.typing import NDArray

from models.tokens import Ids

_WINDOW_BATCHES = 32


@dataclass(frozen=True, slots=True)
class Rows:
    """Tokenised rows of one task.

    Parameters
    ----------
    ids
        Token ids of each row.
    labels
        Label index of each row.
    sources
        Number of the set each row came from; 0 is the task's own.
    """

    ids: tuple[Ids, ...]
    labels: tuple[int, ...]
    sources: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded rows: ``(batch, tokens) int64`` twice, then ``(batch,) int64`` twice."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    labels: NDArray[np.int64]
    sources: NDArray[np.int64]


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
    tasks: dict[str, Rows], batch_size: int, seed: int, epoch: int
) -> Iterator[dict[str, Batch]]:
    """One batch of every task per step, so that each head learns at the same pace.

    A task with fewer rows starts over, in another order, until the longest task is through.
    The order depends on `seed` and `epoch` alone: a resumed run sees what an unbroken one sees.
    """

    def endless(number: int, rows: Rows) -> Iterator[NDArray[np.int64]]:
        rng = np.random.default_rng([seed, epoch, number])
        lengths = [len(ids) for ids in rows.ids]
        return chain.from_iterable(epoch_order(lengths, batch_size, rng) for _ in repeat(None))

    streams = {name: endless(i, rows) for i, (name, rows) in enumerate(tasks.items())}
    for _ in range(steps_per_epoch(tasks, batch_size)):
        yield {name: padded(tasks[name], next(stream)) for name, stream in streams.items()}


def steps_per_epoch(tasks: dict[str, Rows], batch_size: int) -> int:
    """Steps until the longest task has been seen once."""
    return max(-(-len(rows) // batch_size) for rows in tasks.values())


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
        np.array([rows.labels[i] for i in chosen], dtype=np.int64),
        np.array([rows.sources[i] for i in chosen], dtype=np.int64),
    )
