"""Bottleneck adapters: a narrow residual network after a sub-layer (torch).

Houlsby et al. 2019, "Parameter-Efficient Transfer Learning for NLP", section 2.1: one after the
attention's and one after the feed-forward part's projection, each before the skip connection.
Pfeiffer et al. 2021, "AdapterFusion", section 3 and appendix A: the second alone does as well.

Its nonlinearity cannot be folded into the projection: it stays in the encoder, and in the graph.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from models.errors import ModelError
from models.parts import attention_outputs, feed_forward_outputs

LAYOUTS = ("pfeiffer", "houlsby")


class Bottleneck(nn.Module):
    """``x + up(relu(down(x)))``; the identity as long as `up` is zero, as it is at the start.

    Parameters
    ----------
    width
        Of what comes in and goes out, ``(batch, tokens, width)``.
    size
        Of the narrow part.
    """

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, size)
        self.up = nn.Linear(size, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """Add what the narrow part makes of it."""
        added: Tensor = self.up(torch.relu(self.down(hidden)))
        return hidden + added


def add_bottlenecks(encoder: nn.Module, reduction: int, layout: str) -> None:
    """Put a bottleneck after each layer's feed-forward part, and after its attention for houlsby.

    Each is a part of the projection it follows, so that the encoder's own names stay.

    Parameters
    ----------
    reduction
        Width of the encoder over the size of the bottleneck.
    layout
        One of `LAYOUTS`.

    Raises
    ------
    ModelError
        When the encoder's layers are not where we know them, or nothing is left after reduction.
    """
    sites = list(feed_forward_outputs(encoder).values())
    if layout == "houlsby":
        sites += attention_outputs(encoder).values()
    if not sites:
        raise ModelError(
            "adapter.kind bottleneck: no layer of this encoder has a name we know; use "
            "kind = 'lora', which goes on any linear layer"
        )
    for projection in sites:
        width = projection.out_features
        if width < reduction:
            raise ModelError(
                f"adapter.reduction {reduction}: the encoder is {width} wide; take {width} or less"
            )
        projection.bottleneck = Bottleneck(width, width // reduction).to(projection.weight.device)
        projection.register_forward_hook(_through)


def _through(projection: Any, inputs: Any, output: Tensor) -> Tensor:
    adapted: Tensor = projection.bottleneck(output)
    return adapted
