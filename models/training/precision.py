"""Which arithmetic matrix products of training are in (torch)."""

from __future__ import annotations

from functools import cache

import torch


def taken(setting: str, device: str | None = None) -> str:
    """What ``fit.precision`` comes to on this machine: ``float32`` or ``bfloat16``.

    Parameters
    ----------
    setting
        ``float32`` and ``bfloat16`` are themselves; ``auto`` is bfloat16 where the device has
        instructions for it, else float32.
    device
        ``cuda``, ``cpu`` or another of torch's; None for the one that training takes.
    """
    if setting != "auto":
        return setting
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return "bfloat16" if _has_bfloat16(device) else "float32"


@cache
def _has_bfloat16(device: str) -> bool:
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device == "cpu":
        # oneDNN's own answer is yes for any AVX512, with which it emulates.
        found = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return bool(found)
    return False
