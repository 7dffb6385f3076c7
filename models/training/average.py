"""Running average of a model's weights during training (torch)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Exponential average of the moving weights (Polyak and Juditsky 1992).

    Its decay warms up with the steps taken, so that the fresh weights are soon forgotten.

    Parameters
    ----------
    moving
        Parameters in training.
    decay
        Per step; 0 follows the weights.
    """

    def __init__(self, moving: Sequence[nn.Parameter], decay: float) -> None:
        self.decay = decay
        #: One tensor per parameter, and the number of steps taken as the last.
        self.shadow: list[Tensor] = [p.detach().clone() for p in moving]
        self.shadow.append(torch.zeros(1, device=moving[0].device))

    @torch.no_grad()
    def update(self, moving: Sequence[nn.Parameter]) -> None:
        """Take in the weights after a step."""
        self.shadow[-1] += 1
        steps = float(self.shadow[-1])
        decay = min(self.decay, (1 + steps) / (10 + steps)) if self.decay else 0.0
        for kept, parameter in zip(self.shadow, moving, strict=False):
            kept.lerp_(parameter.detach(), 1 - decay)

    @contextmanager
    def applied(self, moving: Sequence[nn.Parameter]) -> Iterator[None]:
        """The average in the parameters' place while the block runs."""
        held = [p.detach().clone() for p in moving]
        _copy(self.shadow, moving)
        try:
            yield
        finally:
            _copy(held, moving)


@torch.no_grad()
def _copy(values: Sequence[Tensor], moving: Sequence[nn.Parameter]) -> None:
    for parameter, value in zip(moving, values, strict=False):
        parameter.copy_(value)
