"""CPU engine: the bundle's quantised graph in OpenVINO, no torch."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock, get_native_id
from typing import Any, TypeVar

import numpy as np

from models.bundle import GRAPH, WEIGHTS, Bundle
from models.engines import Ids2D, Logits
from models.engines.masking import mask_padding
from models.engines.pieces import Pieces
from models.engines.runtime import load_openvino
from models.errors import BundleError

# Of the kernels that OpenVINO prepares for a shape, so many are kept: those of some ninety shapes. The
# longest unused make room, so that news of any length stays within 0.5 GB.
_KEPT = 640
# A quarter of a core where another thread of this process wants all of it.
_NICER = 5

T = TypeVar("T")


class OpenVinoEngine:
    """Runs batches on one stream per thread, so that matrices too small to split still fill cores.

    Safe to use from several threads: runs take turns. Its own threads are nicer than the process's others.

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
        precision = bundle.precision.get(self.name, "float32")
        threads = threads or _usable_cores()
        openvino = load_openvino()
        core = openvino.Core()
        core.set_property("CPU", {"CPU_RUNTIME_CACHE_CAPACITY": str(_KEPT)})
        try:
            graph = core.read_model(bundle.path(GRAPH), bundle.path(WEIGHTS))
            self._fills_up = mask_padding(graph)
            compiled = _yielding(
                partial(
                    core.compile_model,
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
            )
        except RuntimeError as error:
            raise BundleError(
                f"{bundle.path(GRAPH)}: OpenVINO cannot load it: {error}; "
                "train the bundle with this foreshock, or reinstall openvino"
            ) from error
        self._outputs = [compiled.output(name) for name in bundle.outputs]
        # Twice as many as run at once, so that a stream has its next piece while results are read. No
        # callbacks: a queue that holds one of ours holds us, for ever.
        self._requests = [compiled.create_infer_request() for _ in range(2 * threads)]
        self._lock = Lock()
        static = "static " if precision == "int8" else ""
        self.detail = f"cpu: OpenVINO {static}{precision}"

    def run(self, batches: Sequence[Ids2D]) -> list[Logits]:
        """Logits of every batch; see `models.engines.Engine`."""
        pieces = Pieces(batches, self._fills_up)
        with self._lock:
            return pieces.joined(self._compute(pieces.ids))

    def _compute(self, pieces: Sequence[Ids2D]) -> list[Logits]:
        found: list[Logits] = []
        idle, running = list(self._requests), deque[Any]()
        try:
            for piece in pieces:
                if not idle:
                    idle.append(self._next(running, found))
                request = idle.pop()
                request.start_async({0: piece})
                running.append(request)
            while running:
                self._next(running, found)
        finally:
            for request in running:  # an error: what was begun ends before anything else is
                request.wait()
        return found

    def _next(self, running: deque[Any], found: list[Logits]) -> Any:
        """Wait for the piece begun first, take its results, and return what ran it."""
        request = running.popleft()
        request.wait()
        # The request's buffers are reused by the next batch: copy.
        found.append(
            tuple(
                np.array(request.get_tensor(output).data, dtype=np.float32)
                for output in self._outputs
            )
        )
        return request


def _yielding(make: Callable[[], T]) -> T:
    """Make something whose threads give way to the process's others: they take the nice value of their maker.

    What was classified already is stored, decided and told before the next batch is computed on, which has
    the cores to itself again then. On Linux a thread has a nice value of its own; elsewhere nothing is done.
    """
    if sys.platform != "linux":
        return make()

    def polite() -> T:
        own = get_native_id()
        os.setpriority(os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + _NICER)
        return make()

    with ThreadPoolExecutor(1) as maker:
        return maker.submit(polite).result()


def _usable_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
