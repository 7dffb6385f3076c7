"""Attention heads that a bundle leaves out, put back as zeros: one function in the full shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def whole(
    state: Mapping[str, NDArray[Any]], pruned: Sequence[Sequence[int]], width: int, heads: int
) -> dict[str, NDArray[Any]]:
    """A BERT's state with rows and columns for every head.

    Parameters
    ----------
    state
        Of `models.encoder.MultiHead`, from `models.compress.heads.cut`.
    pruned
        Numbers of the heads left out of each layer.
    width, heads
        Of every layer, before.
    """
    result = dict(state)
    of_head = np.arange(width) // (width // heads)
    for layer, gone in enumerate(pruned):
        kept = ~np.isin(of_head, gone)
        attention = f"encoder.encoder.layer.{layer}.attention."
        for part in ("query", "key", "value"):
            for name in (f"{attention}self.{part}.weight", f"{attention}self.{part}.bias"):
                full = np.zeros((width, *state[name].shape[1:]), dtype=state[name].dtype)
                full[kept] = state[name]
                result[name] = full
        name = f"{attention}output.dense.weight"
        full = np.zeros((len(state[name]), width), dtype=state[name].dtype)
        full[:, kept] = state[name]
        result[name] = full
    return result
