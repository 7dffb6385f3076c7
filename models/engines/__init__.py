"""What computes logits: OpenVINO on CPUs, torch on CUDA devices.

An engine is a class with `name`, `detail`, `token_budget` and `run`; a new one is a module here
and a line in `models.engines.choice`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ids2D = NDArray[np.int64]
Logits = tuple[NDArray[np.float32], ...]


class Engine(Protocol):
    """Logits of unpadded batches."""

    @property
    def name(self) -> str:
        """``openvino`` or ``torch``."""

    @property
    def detail(self) -> str:
        """Device and arithmetic, for people: ``cpu: OpenVINO static int8``."""

    @property
    def token_budget(self) -> int:
        """Most tokens a batch should hold."""

    @property
    def window(self) -> int | None:
        """Texts to read ahead while it computes those before; None where it computes on the same cores."""

    def run(self, batches: Sequence[Ids2D]) -> list[Logits]:
        """Logits of every batch.

        Parameters
        ----------
        batches
            ``(batch, tokens) int64`` each, rows of equal length.

        Returns
        -------
        list
            For every batch, `models.bundle.Bundle.outputs`: ``(batch, labels) float32`` per head, then
            the embedding ``(batch, width)`` where the bundle gives one. A row's depend on that row alone.
        """
