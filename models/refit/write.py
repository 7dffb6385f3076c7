"""A bundle made of another's files, with other numbers in some of its heads."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import (
    CARD,
    CURVE,
    FILES,
    WEIGHTS,
    Bundle,
    hash_files,
    load_bundle,
    write_manifest,
)
from models.errors import ModelError
from models.refit.fit import HeadWeights

_TYPES = {"F16": np.float16, "F32": np.float32, "F64": np.float64}
_LEFT = (CARD, CURVE)  # of the champion's own training


def head_weights(bundle: Bundle, head: str) -> HeadWeights:
    """Return a head's numbers as the graph multiplies with them.

    Raises
    ------
    ModelError
        They are stored in whole numbers, or not at all.
    """
    header, start = _header(bundle.path(WEIGHTS))
    content = bundle.path(WEIGHTS).read_bytes()
    parts = []
    for name in (f"heads.{head}.weight", f"heads.{head}.bias"):
        kind, shape, (begin, end) = _entry(header, name, bundle)
        values = np.frombuffer(content[start + begin : start + end], kind)
        parts.append(values.reshape(shape).astype(np.float64))
    return HeadWeights(*parts)


def write_refit(
    champion: Bundle,
    folder: Path,
    heads: Mapping[str, HeadWeights],
    *,
    version: str,
    training: Mapping[str, Any],
    data: tuple[Mapping[str, Any], ...],
    card: str,
) -> Bundle:
    """Write the champion with other heads; what is not named stays bit for bit.

    Figures are dropped: they were the champion's. Temperatures and thresholds stay.

    Parameters
    ----------
    folder
        Is made; must not exist.
    heads
        By name.
    version
        Of the new bundle.
    training, data
        For the manifest.
    card
        Text of the model card.

    Raises
    ------
    ModelError
        The folder is there already, or the heads cannot be written.
    """
    if folder.exists():
        raise ModelError(f"{folder}: is there already; remove it, or choose another folder")
    stage = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    for name in FILES:
        shutil.copyfile(champion.path(name), stage / name)
    for head, numbers in heads.items():
        _put(champion, stage / WEIGHTS, f"heads.{head}.weight", numbers.weight)
        _put(champion, stage / WEIGHTS, f"heads.{head}.bias", numbers.bias)
    made = replace(
        champion,
        folder=stage,
        version=version,
        files=hash_files(stage),
        metrics={},
        training=training,
        data=data,
    )
    write_manifest(made)
    (stage / CARD).write_text(card, encoding="utf-8")
    stage.replace(folder)
    return load_bundle(folder)


def _put(champion: Bundle, path: Path, name: str, values: NDArray[np.float64]) -> None:
    """Overwrite one tensor where it lies: the graph finds its constants by their places in the file."""
    header, start = _header(path)
    kind, shape, (begin, end) = _entry(header, name, champion)
    if shape != values.shape:
        raise ModelError(f"{path}: {name} has shape {shape}, not {values.shape}")
    with path.open("r+b") as file:
        file.seek(start + begin)
        written = values.astype(kind).tobytes()
        assert len(written) == end - begin
        file.write(written)


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """Return a safetensors file's header, and where its tensors begin."""
    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(size)), 8 + size


def _entry(
    header: Mapping[str, Any], name: str, bundle: Bundle
) -> tuple[Any, tuple[int, ...], tuple[int, int]]:
    entry = header.get(name)
    if entry is None or entry["dtype"] not in _TYPES:
        found = "is not there" if entry is None else f"is stored as {entry['dtype']}"
        raise ModelError(
            f"{bundle.path(WEIGHTS)}: {name} {found}; train the whole model instead, with a recipe"
        )
    return _TYPES[entry["dtype"]], tuple(entry["shape"]), tuple(entry["data_offsets"])
