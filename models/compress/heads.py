"""Attention heads that matter least, left out.

Michel, Levy and Neubig 2019, "Are Sixteen Heads Really Better than One?", section 4.1: the
importance of head h is the expected absolute gradient of the loss with respect to a mask on it,
``I_h = E_x |dL(x) / d xi_h|`` at ``xi = 1``, divided by the L2 norm of its layer's importances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.compress.trained import bert, outputs
from models.encoder import MultiHead
from models.errors import ModelError
from models.tokens import Ids, equal_length_batches

_TOKEN_BUDGET = 4_096

Importance = NDArray[np.float64]


def importance(
    model: MultiHead,
    ids: Sequence[Ids],
    labels: NDArray[np.generic],
    task: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Importance:
    """How much each head matters to one task.

    Parameters
    ----------
    model
        With a BERT encoder.
    ids
        Token ids of each row of a labelled sample.
    labels
        Label index of each row, ``(rows,) int64``; ``(rows, labels)`` of 0 and 1 for a head that
        may give several.
    task
        The head whose cross-entropy is the loss.
    progress
        Told (rows done, rows in all).

    Returns
    -------
    ndarray
        ``(layers, heads) float64``, each layer of L2 norm 1.
    """
    layers = bert(model).encoder.layer
    heads = int(bert(model).config.num_attention_heads)
    total = np.zeros((len(layers), heads))
    masks: list[Tensor] = []

    def masking(number: int) -> Callable[[nn.Module, tuple[Tensor]], tuple[Tensor]]:
        def hook(_: nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
            (context,) = given
            size = context.shape[-1] // heads
            return (context * masks[number].repeat_interleave(size, dim=1).unsqueeze(1),)

        return hook

    hooks = [
        layer.attention.output.dense.register_forward_pre_hook(masking(i))
        for i, layer in enumerate(layers)
    ]
    done = 0
    try:
        for positions, rows in equal_length_batches(ids, _TOKEN_BUDGET):
            # A mask of its own for every row: the mean is over rows of absolute gradients.
            masks[:] = [torch.ones(len(rows), heads, requires_grad=True) for _ in layers]
            logits = outputs(model, torch.from_numpy(rows))[task]
            loss = _loss(logits, torch.from_numpy(labels[positions]))
            for number, gradient in enumerate(torch.autograd.grad(loss, masks)):
                total[number] += gradient.abs().sum(dim=0).numpy()
            done += len(rows)
            progress(done, len(ids))
    finally:
        for hook in hooks:
            hook.remove()
    norms = np.linalg.norm(total, axis=1, keepdims=True)
    result: Importance = np.divide(total, norms, out=np.zeros_like(total), where=norms > 0)
    return result


def least(importances: Importance, fraction: float) -> list[set[int]]:
    """The least important heads of each layer; every layer keeps at least one.

    Parameters
    ----------
    importances
        ``(layers, heads)``, from `importance`.
    fraction
        Of all heads to leave out, in [0, 1).

    Examples
    --------
    >>> least(np.array([[0.9, 0.1], [0.2, 0.3]]), 0.5)
    [{1}, {0}]
    """
    if not 0 <= fraction < 1:
        raise ModelError(f"fraction {fraction}: expected at least 0 and less than 1")
    layers, heads = importances.shape
    chosen: list[set[int]] = [set() for _ in range(layers)]
    left = round(fraction * importances.size)
    for flat in np.argsort(importances, axis=None, kind="stable").tolist():
        layer, head = divmod(flat, heads)
        if left and len(chosen[layer]) < heads - 1:
            chosen[layer].add(head)
            left -= 1
    return chosen


def cut(model: MultiHead, heads: Sequence[set[int]]) -> None:
    """Take the heads out of the matrices, in place, so that they cost nothing."""
    for layer, gone in zip(bert(model).encoder.layer, heads, strict=True):
        if not gone:
            continue
        attention = layer.attention.self
        lost = set(_columns(layer, gone))
        kept = torch.tensor([i for i in range(attention.all_head_size) if i not in lost])
        for name in ("query", "key", "value"):
            whole = getattr(attention, name)
            setattr(attention, name, _linear(whole.weight[kept], whole.bias[kept]))
        dense = layer.attention.output.dense
        layer.attention.output.dense = _linear(dense.weight[:, kept], dense.bias)
        attention.num_attention_heads -= len(gone)
        attention.all_head_size = len(kept)


def _loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Sum over rows of what training minimises."""
    if truth.ndim == 2:
        several = nn.functional.binary_cross_entropy_with_logits
        return several(logits, truth.float(), reduction="sum")
    return nn.functional.cross_entropy(logits, truth, reduction="sum")


def _columns(layer: Any, heads: set[int]) -> list[int]:
    size = layer.attention.self.attention_head_size
    return [i for head in sorted(heads) for i in range(head * size, (head + 1) * size)]


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)
    return linear
