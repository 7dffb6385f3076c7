"""The one weights file of a bundle: valid safetensors, and what OpenVINO reads its constants from.

A safetensors file is eight bytes of header length, a JSON header, then tensors without holes. OpenVINO takes
any file and an offset for each constant of a graph. So both engines read the same bytes, and neither
needs what the model was trained from.

Tensors have the names of `models.encoder.MultiHead`'s state. A weight may have float32 factors beside it:
``NAME.scale`` for each row where it is stored as int8, and ``NAME.smooth`` for each column where SmoothQuant
moved a part of it to the layer's input; the model's weight is their product. What the graph needs besides is
``constant.N``.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCALE = ".scale"
SMOOTH = ".smooth"
CONSTANT = "constant."

#: Of safetensors, by numpy's name.
_TYPES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "int16": "I16",
    "int32": "I32",
    "int64": "I64",
    "float16": "F16",
    "float32": "F32",
    "float64": "F64",
}
#: Bytes of a cache line, and of the widest vector load.
_ALIGNMENT = 64


def write_weights(path: Path, tensors: Mapping[str, NDArray[Any]]) -> dict[str, int]:
    """Write tensors as a safetensors file.

    Parameters
    ----------
    path
        File to write.
    tensors
        By name.

    Returns
    -------
    dict
        Where each tensor begins in the file, in bytes. All are aligned to their numbers' size, and those of
        a multiple of 64 bytes to 64.
    """
    # Falling powers of two: what stands before a tensor is a multiple of what it must be aligned to.
    order = sorted(tensors, key=lambda name: (-_power_of_two(tensors[name].nbytes), name))
    header: dict[str, Any] = {}
    end = 0
    for name in order:
        tensor = tensors[name]
        start, end = end, end + tensor.nbytes
        header[name] = {
            "dtype": _TYPES[tensor.dtype.name],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for name in order:
            file.write(np.ascontiguousarray(tensors[name]).tobytes())
    begin = 8 + len(text)
    return {name: begin + header[name]["data_offsets"][0] for name in order}


def read_weights(path: Path) -> dict[str, NDArray[Any]]:
    """The model's state as the graph computes with it: floats in float32, factors multiplied in.

    Parameters
    ----------
    path
        From `write_weights`.
    """
    from safetensors import safe_open

    state: dict[str, NDArray[Any]] = {}
    with safe_open(path, framework="numpy") as file:
        names = set(file.keys())
        for name in sorted(names):
            owner = name.removesuffix(SCALE).removesuffix(SMOOTH)
            if name.startswith(CONSTANT) or (owner != name and owner in names):
                continue
            value = file.get_tensor(name)
            factors = [
                file.get_tensor(name + part) if name + part in names else None
                for part in (SCALE, SMOOTH)
            ]
            if value.dtype.kind == "f" or factors[0] is not None:
                value = product(value, *factors)
            state[name] = value
    return state


def product(
    stored: NDArray[Any], scale: NDArray[Any] | None, smooth: NDArray[Any] | None
) -> NDArray[np.float32]:
    """The tensor that stored numbers and their factors stand for, in float32.

    Parameters
    ----------
    stored
        ``(rows, columns)``; of any shape where there are no factors.
    scale
        ``(rows, 1) float32``; None where there is none.
    smooth
        ``(columns,) float32``; None where there is none.

    Examples
    --------
    >>> product(np.int8([[2, -4]]), np.float32([[0.5]]), np.float32([1, 10]))
    array([[  1., -20.]], dtype=float32)
    """
    result: NDArray[np.float32] = stored.astype(np.float32)
    if scale is not None:
        result = result * scale
    return result if smooth is None else result * smooth


def _power_of_two(size: int) -> int:
    """The largest power of two up to the alignment that divides a size."""
    return min(size & -size, _ALIGNMENT) if size else _ALIGNMENT
