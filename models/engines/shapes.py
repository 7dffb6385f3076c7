"""A model over few fixed shapes, each recorded once as a CUDA graph (torch).

A small encoder is hundreds of kernels of microseconds each: launching them one by one takes longer
than running them. A recorded graph is one launch, but holds for one shape only. So rows are padded to a
multiple of a few tokens (`models.engines.pieces.STEP`), and every pass of one length has the same number of
rows: then a row also computes the same, bit by bit, whatever its mates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.encoder import MultiHead
from models.engines import Ids2D, Logits
from models.engines.pieces import grouped, handed_back, length_of


class FixedShapes:
    """Logits of batches of any shape, by passes of few.

    Parameters
    ----------
    model
        In evaluation mode, on its device.
    tokens
        Of one pass, padding included: as many rows as that holds.
    """

    def __init__(self, model: MultiHead, tokens: int) -> None:
        self._model = model
        self._tokens = tokens
        self._device = next(model.parameters()).device
        self._passes: dict[int, _Pass] = {}
        # Passes follow one another, so they may share what lies between their layers.
        self._pool = torch.cuda.graph_pool_handle() if self._device.type == "cuda" else None

    def run(self, batches: Sequence[Ids2D]) -> list[Logits]:
        """Logits of every batch; see `models.engines.Engine`. Not for several threads at once."""
        groups = grouped(batches, length_of)
        started = {
            length: self._started(length, [batches[number] for number in numbers])
            for length, numbers in groups.items()
        }
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return handed_back(batches, groups, started)

    def _started(self, length: int, batches: Sequence[Ids2D]) -> list[Logits]:
        """Outputs of the passes over some batches, as memory that the device has yet to fill."""
        total = sum(map(len, batches))
        ids = np.zeros((total, length), dtype=np.int64)
        lengths = np.empty(total, dtype=np.int64)
        start = 0
        for batch in batches:
            end = start + len(batch)
            ids[start:end, : batch.shape[1]] = batch
            lengths[start:end] = batch.shape[1]
            start = end
        made = self._pass(length)
        cuts = range(0, total, made.rows)
        return [made.start(ids[i : i + made.rows], lengths[i : i + made.rows]) for i in cuts]

    def _pass(self, length: int) -> _Pass:
        if length not in self._passes:
            rows = max(1, self._tokens // length)
            self._passes[length] = _Pass(self._model, rows, length, self._device, self._pool)
        return self._passes[length]


class _Pass:
    """The model over `rows` rows of `length` tokens."""

    def __init__(
        self, model: MultiHead, rows: int, length: int, device: torch.device, pool: Any
    ) -> None:
        self.rows = rows
        self._model = model
        self._cuda = device.type == "cuda"
        self._ids = torch.zeros((rows, length), dtype=torch.int64, device=device)
        self._lengths = torch.ones(rows, dtype=torch.int64, device=device)
        self._places = torch.arange(length, device=device)
        self._outputs: tuple[Tensor, ...] = ()
        self._replay: Callable[[], None] = self._compute
        if self._cuda:
            self._replay = self._recorded(pool)

    def start(self, ids: Ids2D, lengths: NDArray[np.int64]) -> Logits:
        """Begin a pass over at most `rows` rows: ``(rows, length)`` padded, and their lengths."""
        given = len(ids)
        with torch.inference_mode():
            self._ids[:given].copy_(self._pinned(ids), non_blocking=True)
            self._lengths[:given].copy_(self._pinned(lengths), non_blocking=True)
            self._replay()
            return tuple(self._to_host(output[:given]).numpy() for output in self._outputs)

    def _compute(self) -> None:
        mask = (self._places < self._lengths[:, None]).long()
        self._outputs = self._model(self._ids, mask)

    def _recorded(self, pool: Any) -> Callable[[], None]:
        with torch.inference_mode():
            # What a kernel sets up at its first call must not be recorded.
            aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                self._compute()
            torch.cuda.current_stream().wait_stream(aside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=pool):
                self._compute()
        return graph.replay

    def _pinned(self, values: NDArray[np.int64]) -> Tensor:
        found = torch.from_numpy(values)
        return found.pin_memory() if self._cuda else found

    def _to_host(self, output: Tensor) -> Tensor:
        host = torch.empty(output.shape, dtype=torch.float32, pin_memory=self._cuda)
        return host.copy_(output, non_blocking=True)
