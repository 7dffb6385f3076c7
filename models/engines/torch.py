"""GPU engine: the graph's weights as floats in torch, bfloat16 on CUDA, float32 on CPUs."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from models.bundle import Bundle
from models.engines import Ids2D, Logits
from models.errors import MissingExtraError


class TorchEngine:
    """Runs the model on one device; a second GPU takes a second process.

    On CUDA batches are padded into few fixed shapes (`models.engines.shapes`), and nothing waits for the
    device until the last is under way. Safe to use from several threads: runs take turns.

    Parameters
    ----------
    bundle
        Verified.
    device
        ``cuda``, ``cpu``, or None for CUDA where it is available.
    threads
        CPU threads, when the device is the CPU; None leaves torch's own choice.

    Raises
    ------
    MissingExtraError
        When torch or transformers is not installed.
    BundleError
        When weights and architecture do not belong together.
    """

    name = "torch"
    token_budget = 16_384

    def __init__(
        self, bundle: Bundle, device: str | None = None, threads: int | None = None
    ) -> None:
        try:
            import torch

            from models.encoder import restore
            from models.engines.shapes import FixedShapes
        except ImportError as error:
            raise MissingExtraError("the torch engine", "gpu", error.name or "torch") from error
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        if threads and device == "cpu":
            torch.set_num_threads(threads)
        self._torch = torch
        self._model = restore(bundle).to(torch.device(device))
        self._lock = Lock()
        self._shapes: FixedShapes | None = None
        if device == "cuda":
            # The heads stay float32: they cost nothing, and the encoder's means are float32.
            self._model.encoder.to(torch.bfloat16)
            self._shapes = FixedShapes(self._model, self.token_budget)
        self.window = 4_096 if self._shapes else None
        self.detail = f"{device}: torch {'bfloat16' if self._shapes else 'float32'}"

    def run(self, batches: Sequence[Ids2D]) -> list[Logits]:
        """Logits of every batch; see `models.engines.Engine`."""
        with self._lock:
            if self._shapes is not None:
                return self._shapes.run(batches)
            return [self._unpadded(batch) for batch in batches]

    def _unpadded(self, batch: Ids2D) -> Logits:
        with self._torch.inference_mode():
            return tuple(found.numpy() for found in self._model(self._torch.from_numpy(batch)))
