"""Texts to token ids, and token ids to batches without padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

MAX_TOKENS = 128

Ids = list[int]


def load_tokenizer(path: Path, max_tokens: int = MAX_TOKENS) -> Tokenizer:
    """Tokenizer that truncates to `max_tokens`, special tokens included, and never pads."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[Ids]:
    """Token ids of each text; the work is Rust's and releases the interpreter lock."""
    return [e.ids for e in tokenizer.encode_batch_fast(list(texts))]


def equal_length_batches(
    ids: Sequence[Ids], token_budget: int
) -> Iterator[tuple[list[int], NDArray[np.int64]]]:
    """Batches of rows of one length.

    Rows of one shape compute the same whatever their mates: no padding means no mask, and a
    matrix product's rows do not look at each other.

    Parameters
    ----------
    ids
        Token ids of each text.
    token_budget
        Most tokens in one batch; a single row may exceed it.

    Yields
    ------
    tuple
        Positions in `ids` of the rows, and their ids, ``(batch, tokens) int64``. Longest first,
        so that the largest buffers are made once.
    """
    groups: dict[int, list[int]] = {}
    for position, row in enumerate(ids):
        groups.setdefault(len(row), []).append(position)
    for length in sorted(groups, reverse=True):
        rows = max(1, token_budget // length)
        group = groups[length]
        for start in range(0, len(group), rows):
            chosen = group[start : start + rows]
            yield chosen, np.array([ids[i] for i in chosen], dtype=np.int64)
