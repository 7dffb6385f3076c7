"""Batches: for serving without padding, for training every row once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.engines.masking import NO_TOKEN
from models.engines.pieces import Pieces, length_of
from models.tokens import equal_length_batches
from models.training.batches import Rows, epoch_order, epoch_steps, padded


@given(st.lists(st.integers(1, 130), max_size=300), st.integers(1, 2_000))
def test_serving_batches_hold_every_row_once_unpadded(lengths: list[int], budget: int) -> None:
    ids = [[i] * n for i, n in enumerate(lengths)]
    seen = []
    for positions, rows in equal_length_batches(ids, budget):
        assert rows.shape == (len(positions), len(ids[positions[0]]))
        assert rows.size <= budget or len(positions) == 1
        assert [list(row) for row in rows] == [ids[i] for i in positions]
        seen += positions
    assert sorted(seen) == list(range(len(ids)))


@given(st.lists(st.integers(1, 130), min_size=1, max_size=300), st.booleans())
def test_pieces_are_of_few_shapes_and_put_together_again(lengths: list[int], fills: bool) -> None:
    ids = [[i] * n for i, n in enumerate(lengths)]
    batches = [rows for _, rows in equal_length_batches(ids, 1_536)]
    pieces = Pieces(batches, fills)
    assert {len(piece) for piece in pieces.ids} <= {32, 16, 8, 4, 2, 1}
    if fills:
        assert all(piece.shape[1] == length_of(piece.shape[1]) for piece in pieces.ids)
    else:
        assert all((piece != NO_TOKEN).all() for piece in pieces.ids)
    found = pieces.joined(
        [
            ((piece != NO_TOKEN).sum(axis=1).astype(np.float32), piece[:, 0].astype(np.float32))
            for piece in pieces.ids
        ]
    )
    for batch, (count, first) in zip(batches, found, strict=True):
        assert (count == batch.shape[1]).all()
        assert np.array_equal(first, batch[:, 0])


@given(st.lists(st.integers(1, 128), min_size=1, max_size=500), st.integers(1, 64), st.integers(0))
def test_an_epoch_holds_every_row_once(lengths: list[int], size: int, seed: int) -> None:
    order = epoch_order(lengths, size, np.random.default_rng(seed))
    assert sorted(int(i) for batch in order for i in batch) == list(range(len(lengths)))


def rows(ids: list[list[int]], labels: list[int], sources: list[int]) -> Rows:
    return Rows(tuple(ids), np.array(labels), np.array(sources))


def test_every_step_has_every_head_and_the_shorter_starts_over() -> None:
    long = rows([[1] * n for n in range(1, 41)], [0] * 40, [0] * 40)
    short = rows([[2] * n for n in range(1, 11)], [1] * 10, [0] * 10)
    heads, sizes = {"long": long, "short": short}, {"long": 8, "short": 4}
    steps = list(epoch_steps(heads, sizes, seed=1, epoch=0))
    assert len(steps) == 5
    assert all(set(step) == {"long", "short"} for step in steps)
    assert {len(step["long"].ids) for step in steps} == {8}
    assert {len(step["short"].ids) for step in steps} <= {4, 2}
    again = list(epoch_steps(heads, sizes, seed=1, epoch=0))
    for one, other in zip(steps, again, strict=True):
        assert np.array_equal(one["long"].ids, other["long"].ids)


def test_padding_is_masked() -> None:
    batch = padded(rows([[5, 6, 7], [8]], [1, 0], [0, 1]), [1, 0])
    assert batch.ids.tolist() == [[8, 0, 0], [5, 6, 7]]
    assert batch.mask.tolist() == [[1, 0, 0], [1, 1, 1]]
    assert batch.labels.tolist() == [0, 1]
