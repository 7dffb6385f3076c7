"""What AdaLoRA knows besides its weights, for a run that is resumed (torch, peft).

Zhang et al. 2023, section 3.2: a triplet's importance is smoothed over the steps (equations 9 and
10), and those of least importance are masked. peft keeps both outside the model's state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

_PREFIX = "adalora."


def memory(encoder: Any) -> dict[str, Tensor]:
    """Smoothed importances and which triplets are kept, by name; nothing of another encoder."""
    allocator = getattr(encoder, "rankallocator", None)
    if allocator is None:
        return {}
    parts = {
        "importance": allocator.exp_avg_ipt,
        "uncertainty": allocator.exp_avg_unc,
        "kept": allocator.peft_config.rank_pattern or {},
    }
    return {
        f"{_PREFIX}{part}.{name}": torch.as_tensor(value).cpu()
        for part, values in parts.items()
        for name, value in values.items()
    }


def put_back(encoder: Any, tensors: Mapping[str, Tensor]) -> None:
    """Undo `memory`, in place; tensors of other names are left alone."""
    allocator = getattr(encoder, "rankallocator", None)
    if allocator is None:
        return
    kept: dict[str, list[bool]] = {}
    for full, tensor in tensors.items():
        if not full.startswith(_PREFIX):
            continue
        part, name = full.removeprefix(_PREFIX).split(".", 1)
        if part == "kept":
            kept[name] = tensor.tolist()
        elif part == "importance":
            allocator.ipt[name] = torch.zeros_like(tensor, device=encoder.device)
            allocator.exp_avg_ipt[name] = tensor.to(encoder.device)
        else:
            allocator.exp_avg_unc[name] = tensor.to(encoder.device)
    allocator.peft_config.rank_pattern = kept or None
