"""Checkpoints of a training run: safetensors and JSON, nothing pickled, replaced atomically."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.errors import ModelError
from models.training.parallel import parted, whole

#: Settings a resumed run may change.
EXTENDABLE = frozenset({"fit.epochs", "fit.patience", "fit.parallel"})


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a run stood after its last whole epoch."""

    tensors: dict[str, Tensor]
    curve: list[dict[str, Any]]


def take(
    moving: list[nn.Parameter], shadow: list[Tensor], optimiser: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """Weights, their average and the optimiser's state, by name."""
    tensors = {f"weight.{i}": p.detach() for i, p in enumerate(moving)}
    tensors |= {f"average.{i}": t for i, t in enumerate(shadow)}
    for i, parameter in enumerate(moving):
        for name, value in optimiser.state[parameter].items():
            if value is not None:
                tensors[f"state.{i}.{name}"] = torch.as_tensor(value)
    return {k: whole(v).cpu().contiguous().clone() for k, v in tensors.items()}


@torch.no_grad()
def put_back(
    tensors: dict[str, Tensor],
    moving: list[nn.Parameter],
    shadow: list[Tensor],
    optimiser: torch.optim.Optimizer,
) -> None:
    """Undo `take`, in place."""
    for i, parameter in enumerate(moving):
        parameter.copy_(parted(tensors[f"weight.{i}"], parameter))
        prefix = f"state.{i}."
        state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        if state:
            optimiser.state[parameter] = {
                name: tensor if name == "step" else parted(tensor, parameter)
                for name, tensor in state.items()
            }
    for i, kept in enumerate(shadow):
        kept.copy_(parted(tensors[f"average.{i}"], kept))


def save(
    folder: Path, tensors: dict[str, Tensor], curve: list[dict[str, Any]], config: dict[str, Any]
) -> None:
    """Write the state after an epoch: what a run goes on from is whole, whenever it dies.

    Tensors go into a file of their own, ``progress.json`` is replaced, then older tensors are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    current = _tensors(folder, len(curve))
    _replace(current, tensors)
    part = folder / "progress.json.part"
    part.write_text(json.dumps({"config": config, "curve": curve}, indent=1), encoding="utf-8")
    os.replace(part, folder / "progress.json")
    for older in folder.glob(_tensors(folder, "*").name):
        if older != current:
            older.unlink()


def save_best(folder: Path, state: dict[str, Tensor]) -> None:
    """Write the weights of the best epoch so far."""
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / "best.safetensors", state)


def load_best(folder: Path) -> dict[str, Tensor]:
    """Weights of the best epoch."""
    return load_file(folder / "best.safetensors")


def load(folder: Path, config: dict[str, Any]) -> Checkpoint | None:
    """The state after the last whole epoch, or None where no run has been.

    A run may go on for more epochs than it was started for: only `EXTENDABLE` settings may differ.

    Raises
    ------
    ModelError
        When the run in `folder` was made with another configuration, or its tensors are gone.
    """
    progress = folder / "progress.json"
    if not progress.is_file():
        return None
    saved = json.loads(progress.read_text(encoding="utf-8"))
    differing = [
        k for k, v in config.items() if k not in EXTENDABLE and saved["config"].get(k) != v
    ]
    if differing:
        was = ", ".join(f"{k}={saved['config'].get(k)}" for k in differing)
        raise ModelError(
            f"{progress}: that run was made with {was}; resume with the same options, "
            "or train anew without --resume"
        )
    tensors = _tensors(folder, len(saved["curve"]))
    if not tensors.is_file():
        raise ModelError(
            f"{tensors}: not there, though {progress} names it; remove {folder} and train anew"
        )
    return Checkpoint(load_file(tensors), saved["curve"])


def _tensors(folder: Path, epochs: int | str) -> Path:
    return folder / f"epoch-{epochs}.safetensors"


def _replace(path: Path, tensors: dict[str, Tensor]) -> None:
    part = path.with_name(path.name + ".part")
    save_file(tensors, part)
    os.replace(part, path)
