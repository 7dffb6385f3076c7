"""CPU engine: the bundle's quantised graph in OpenVINO, no torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np

from models.bundle import GRAPH, WEIGHTS, Bundle
from models.engines import Ids2D, Logits
from models.engines.runtime import load_openvino
from models.errors import BundleError

# Batches are cut to these row counts, so that the shapes OpenVINO prepares kernels for, and keeps,
# stay few: 13 rows run as 8, 4 and 1. Every count gives a row the same logits, bit by bit. Beside
# 8 and 1 alone, 4 and 2 make 512 headlines 10 % faster, a thousand 5 %, for 6 % more memory. Twelve
# counts, up to 64, held nearly three times as much.
_ROWS = (8, 4, 2, 1)
_SHAPES_KEPT = 20_000


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
        core.set_property("CPU", {"CPU_RUNTIME_CACHE_CAPACITY": str(_SHAPES_KEPT)})
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
            pieces = [piece for batch in batches for piece in _cut(batch)]
            self._results = [None] * len(pieces)
            for number, piece in enumerate(pieces):
                self._queue.start_async({0: piece}, number)
            self._queue.wait_all()
            done = iter(self._results)
            self._results = []
        return [_joined([next(done) for _ in range(_pieces(len(batch)))]) for batch in batches]

    def _collect(self, request: Any, number: int) -> None:
        # The request's buffers are reused by the next batch: copy.
        self._results[number] = tuple(
            np.array(request.get_tensor(output).data, dtype=np.float32) for output in self._outputs
        )


def _cut(batch: Ids2D) -> list[Ids2D]:
    pieces = []
    start = 0
    for rows in _sizes(len(batch)):
        pieces.append(batch[start : start + rows])
        start += rows
    return pieces


def _sizes(rows: int) -> list[int]:
    sizes = []
    for size in _ROWS:
        sizes += [size] * (rows // size)
        rows %= size
    return sizes


def _pieces(rows: int) -> int:
    return len(_sizes(rows))


def _joined(parts: list[Logits | None]) -> Logits:
    whole = [part for part in parts if part is not None]
    if len(whole) != len(parts):
        raise RuntimeError("OpenVINO left a batch without an answer")
    return tuple(np.concatenate(head) for head in zip(*whole, strict=True))


def _usable_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
