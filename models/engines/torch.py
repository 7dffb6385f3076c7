"""GPU engine: the graph's weights as floats in torch, bfloat16 on CUDA, float32 on CPUs."""

from __future__ import annotations

from collections.abc import Sequence

from models.bundle import Bundle
from models.engines import Ids2D, Logits
from models.errors import MissingExtraError


class TorchEngine:
    """Runs batches one after the other on one device.

    Safe to use from several threads.

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
        except ImportError as error:
            raise MissingExtraError("the torch engine", "gpu", error.name or "torch") from error
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        if threads and device == "cpu":
            torch.set_num_threads(threads)
        self._torch = torch
        self._device = torch.device(device)
        self._bfloat16 = device == "cuda"
        self._model = restore(bundle).to(self._device)
        self.detail = f"{device}: torch {'bfloat16' if self._bfloat16 else 'float32'}"

    def run(self, batches: Sequence[Ids2D]) -> list[Logits]:
        """Logits of every batch; see `models.engines.Engine`."""
        torch = self._torch
        results: list[Logits] = []
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self._bfloat16),
        ):
            for batch in batches:
                logits = self._model(torch.from_numpy(batch).to(self._device))
                results.append(tuple(head.float().cpu().numpy() for head in logits))
        return results
