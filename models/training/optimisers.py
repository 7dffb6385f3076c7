"""Who moves how fast: parameter groups, optimisers, schedules (torch)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from models.adapters import layer_of
from models.encoder import MultiHead
from models.training.config import FitConfig

_NO_DECAY = ("bias", "LayerNorm.weight", "layer_norm.weight")


def make_optimiser(
    model: MultiHead, further: Iterable[nn.Parameter], config: FitConfig
) -> torch.optim.Optimizer:
    """Optimiser over everything that moves; every group keeps its peak rate as ``peak``.

    Parameters
    ----------
    model
        Its encoder learns at `config.lr`, layers below the top slower by `config.layer_decay`; its heads
        at `config.head_lr`.
    further
        Parameters that learn like heads.
    config
        AdamW: Loshchilov and Hutter 2019. Adafactor: Shazeer and Stern 2018.
    """
    depth = int(getattr(model.encoder.config, "num_hidden_layers", 12))
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if name.startswith(("heads.", "embedding.")):
            peak = config.head_lr or config.lr
        else:
            peak = config.lr * config.layer_decay ** (depth - layer_of(name))
        decay = 0.0 if name.endswith(_NO_DECAY) else config.weight_decay
        groups.setdefault((peak, decay), []).append(parameter)
    for parameter in further:
        groups.setdefault((config.head_lr or config.lr, config.weight_decay), []).append(parameter)
    made = [
        {"params": parameters, "lr": peak, "peak": peak, "weight_decay": decay}
        for (peak, decay), parameters in groups.items()
    ]
    if config.optimiser == "sgd":
        return torch.optim.SGD(made, momentum=0.9, nesterov=True)
    if config.optimiser == "adafactor":
        return torch.optim.Adafactor(made)
    return torch.optim.AdamW(made)


def rate(step: int, total: int, config: FitConfig) -> float:
    """Share of the peak rate at a step: rises over the warm-up, then falls as scheduled.

    Examples
    --------
    >>> config = FitConfig(warmup=0.5)
    >>> [rate(step, 4, config) for step in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    rising = max(1, math.ceil(total * config.warmup))
    if step < rising:
        return (step + 1) / rising
    left = max(0.0, (total - step) / max(1, total - rising))
    if config.schedule == "cosine":
        return (1 - math.cos(math.pi * left)) / 2
    return 1.0 if config.schedule == "constant" else left
