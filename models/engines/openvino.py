"""CPU engine: the bundle's quantised graph in OpenVINO, no torch."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np

from models.bundle import GRAPH, WEIGHTS, Bundle
from models.engines import Ids2D, Logits
from models.engines.runtime import load_openvino
from models.errors import BundleError

# For each pair of row count and length OpenVINO prepares kernels that it keeps, 5 to 10 MB. So batches are
# cut to few row counts: 24 and 4 up to 40 tokens, and 2 beyond, where two rows fill the cores; what is left
# over is filled up. Every count gives a row the same logits, bit by bit. Beside 8, 4, 2 and 1 of every
# length, a thousand headlines take 5 % less time and 60 % of the memory.
_SHORT_TOKENS = 40
_ROWS, _LONG_ROWS = (24, 4), 2
_FILLED_UP = 17  # from so many rows on 24 take less time than fours
# Of what is prepared, so much is kept, and the longest unused makes room: for some ninety shapes. Without
# a bound 6,000 headlines and 700 leads took 2.2 GB; with it 0.7, and new lengths up to a tenth more time.
_KEPT = 640


class OpenVinoEngine:
    """Runs batches on one stream per thread, so that matrices too small to split still fill cores.

    Safe to use from several threads: runs take turns.

    Parameters
    ----------
    bundle
        Verified.
    threads
        CPU threads; None for every core this process may use.
    """

    name = "openvino"
    token_budget = 1_536
    window = None

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        openvino = load_openvino()
        threads = threads or _usable_cores()
        precision = bundle.precision.get(self.name, "float32")
        core = openvino.Core()
        core.set_property("CPU", {"CPU_RUNTIME_CACHE_CAPACITY": str(_KEPT)})
        try:
            graph = core.read_model(bundle.path(GRAPH), bundle.path(WEIGHTS))
            compiled = core.compile_model(
                graph,
                "CPU",
                {
                    # Never the CPU's choice: one with bfloat16 would round the float32 parts of an
                    # int8 graph differently.
                    "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
                    "NUM_STREAMS": str(threads),
                    "INFERENCE_NUM_THREADS": str(threads),
                    "ENABLE_CPU_PINNING": "NO",
                },
            )
        except RuntimeError as error:
            raise BundleError(
                f"{bundle.path(GRAPH)}: OpenVINO cannot load it: {error}; "
                "train the bundle with this foreshock, or reinstall openvino"
            ) from error
        self._outputs = [compiled.output(name) for name in bundle.outputs]
        self._queue = openvino.AsyncInferQueue(compiled, threads)
        self._queue.set_callback(self._collect)
        self._lock = Lock()
        self._results: list[Logits | None] = []
        static = "static " if precision == "int8" else ""
        self.detail = f"cpu: OpenVINO {static}{precision}"

    def run(self, batches: Sequence[Ids2D]) -> list[Logits]:
        """Logits of every batch; see `models.engines.Engine`."""
        with self._lock:
            cut = [_cut(batch, alone=len(batches) == 1) for batch in batches]
            pieces = [piece for each in cut for piece in each]
            self._results = [None] * len(pieces)
            for number, piece in enumerate(pieces):
                self._queue.start_async({0: piece}, number)
            self._queue.wait_all()
            done = iter(self._results)
            self._results = []
        return [
            _joined([next(done) for _ in each], len(batch))
            for batch, each in zip(batches, cut, strict=True)
        ]

    def _collect(self, request: Any, number: int) -> None:
        # The request's buffers are reused by the next batch: copy.
        self._results[number] = tuple(
            np.array(request.get_tensor(output).data, dtype=np.float32) for output in self._outputs
        )


def _cut(batch: Ids2D, *, alone: bool) -> list[Ids2D]:
    """Cut a batch; the last piece is filled up with its last row. One text alone is quickest as it is."""
    if alone and len(batch) == 1:
        return [batch]
    pieces = []
    start = 0
    for rows in _sizes(*batch.shape):
        piece = batch[start : start + rows]
        start += rows
        if len(piece) < rows:
            piece = np.concatenate([piece, np.repeat(piece[-1:], rows - len(piece), axis=0)])
        pieces.append(piece)
    return pieces


def _sizes(rows: int, tokens: int) -> list[int]:
    """Return the rows of each piece, together as many as there are or a few more.

    Examples
    --------
    >>> _sizes(29, 12), _sizes(17, 12), _sizes(3, 90)
    ([24, 4, 4], [24], [2, 2])
    """
    if tokens > _SHORT_TOKENS:
        return [_LONG_ROWS] * math.ceil(rows / _LONG_ROWS)
    many, few = _ROWS
    sizes = [many] * (rows // many)
    left = rows % many
    return sizes + ([many] if left >= _FILLED_UP else [few] * math.ceil(left / few))


def _joined(parts: list[Logits | None], rows: int) -> Logits:
    whole = [part for part in parts if part is not None]
    if len(whole) != len(parts):
        raise RuntimeError("OpenVINO left a batch without an answer")
    return tuple(np.concatenate(head)[:rows] for head in zip(*whole, strict=True))


def _usable_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
