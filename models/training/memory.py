"""What a training run takes of a GPU's memory, computed before it is started and without weights (torch).

Bytes that stay: weights, their gradients, the optimiser's states and the running average, all in float32,
counted exactly on a model without storage. Bytes that come and go: what the backward pass needs of every
token and layer, after Korthikanti et al. 2022, "Reducing Activation Recomputation in Large Transformer
Models", section 4.1 (equation 1: 34 h + 5 a s bytes per token and layer in 16 bits), taken apart so that it
holds for other precisions, fused attention and adapters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PretrainedConfig

from models.adapters import adapted
from models.base import PACKAGED, resolve_base
from models.errors import ModelError
from models.training.config import TrainConfig

#: Left free: CUDA's context and workspaces, and holes between the allocator's blocks.
RESERVE_BYTES = 1 << 30
_FLOAT = 4
_MIB, _GIB = 1 << 20, 1 << 30
#: Encoders whose sizes are known here, by the last part of their hub name.
KNOWN: dict[str, dict[str, Any]] = {
    "bert-base-uncased": {"model_type": "bert", "vocab_size": 30_522},
    "finbert": {"model_type": "bert", "vocab_size": 30_522},
    "bert-base-chinese": {"model_type": "bert", "vocab_size": 21_128},
    "bert-base-multilingual-cased": {"model_type": "bert", "vocab_size": 119_547},
    "xlm-roberta-base": {
        "model_type": "xlm-roberta",
        "vocab_size": 250_002,
        "max_position_embeddings": 514,
        "type_vocab_size": 1,
        "pad_token_id": 1,
    },
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """Memory of a run, in bytes.

    Parameters
    ----------
    parameters, moving
        Numbers of the model, and those that training changes.
    weights, gradients, optimiser, average
        What stays from the first step to the last; `average` is the running average of the weights.
    copies
        Weights in 16 bits, which the backward pass keeps beside those in float32.
    row
        What one row of the longest length needs between its forward and backward pass.
    rows
        In the largest batch.
    between
        What validating and saving need between steps, when no row needs anything.
    """

    parameters: int
    moving: int
    weights: int
    gradients: int
    optimiser: int
    average: int
    copies: int
    row: int
    rows: int
    between: int

    @property
    def standing(self) -> int:
        """What does not depend on the rows."""
        return self.weights + self.gradients + self.optimiser + self.average

    @property
    def peak(self) -> int:
        """The most at once, `RESERVE_BYTES` aside."""
        return self.standing + max(self.copies + self.rows * self.row, self.between)

    def fitting_rows(self, memory_bytes: int) -> int:
        """The largest batch that a device's memory holds; a multiple of 8 where it is more than that."""
        free = memory_bytes - RESERVE_BYTES - self.standing
        rows = max(0, (free - self.copies) // self.row) if free >= self.between else 0
        return int(rows - rows % 8 if rows > 8 else rows)

    def summary(self, memory_bytes: int) -> str:
        """One line: what stands, what a row takes, the run's peak, the batch that a device holds."""
        return (
            f"{self.standing / _GIB:.2f} GiB stand, {self.row / _MIB:.1f} MiB a row; "
            f"{(self.peak + RESERVE_BYTES) / _GIB:.2f} GiB with batches of {self.rows}; "
            f"{memory_bytes / _GIB:g} GiB hold batches of {self.fitting_rows(memory_bytes)}"
        )

    def as_json(self) -> dict[str, int]:
        """Every figure, in bytes but for the counts."""
        return {**asdict(self), "reserve": RESERVE_BYTES, "peak": self.peak}


def estimate(config: TrainConfig, *, labels: int = 20, fused: bool = True) -> Estimate:
    """Expected memory of a run.

    Parameters
    ----------
    config
        The recipe. Its base is one of `KNOWN`, or a local folder with a ``config.json``.
    labels
        Of all heads together, where the recipe does not list them: they weigh next to nothing.
    fused
        Whether attention keeps no weights of its own (CUDA's kernels); a CPU's does keep them.

    Raises
    ------
    ModelError
        When the base's sizes are not known here.
    """
    sizes = _sizes(config.base)
    if config.trim.layers is not None:
        sizes.num_hidden_layers = min(config.trim.layers, sizes.num_hidden_layers)
    if config.trim.vocabulary is not None:
        sizes.vocab_size = min(config.trim.vocabulary, sizes.vocab_size)
    encoder = _encoder(sizes, config)
    head = labels * (sizes.hidden_size + 1)
    shapes = [tuple(p.shape) for p in encoder.parameters() if p.requires_grad]
    moving = sum(map(_count, shapes)) + head
    total = sum(p.numel() for p in encoder.parameters()) + head
    low = _in_16_bits(config)
    linear = sum(
        m.weight.numel()
        for name, m in encoder.named_modules()
        if isinstance(m, nn.Linear) and "lora_" not in name
    )
    layers = _layers_with_gradients(config, sizes)
    return Estimate(
        parameters=total,
        moving=moving,
        weights=_FLOAT * total,
        gradients=_FLOAT * moving,
        optimiser=_FLOAT * (head * 2 + sum(_states(config.fit.optimiser, s) for s in shapes)),
        average=_FLOAT * moving,
        copies=2 * linear if low and layers else 0,
        row=_tokens(config) * _token(config, sizes, layers, fused) * (2 if config.fit.rdrop else 1),
        rows=max(entry.batch for entry in config.heads.values()),
        between=2 * _FLOAT * moving,  # the last weights aside, and a copy of the best to save
    )


def _in_16_bits(config: TrainConfig) -> bool:
    return config.fit.precision != "float32"  # auto is bfloat16 on the GPUs one trains on


def _tokens(config: TrainConfig) -> int:
    """Tokens of the longest row, a prompt's vectors included."""
    return config.max_tokens + (config.adapter.length if config.adapter.kind == "prompt" else 0)


def _token(config: TrainConfig, sizes: PretrainedConfig, layers: int, fused: bool) -> int:
    """Bytes of one token of a row of `max_tokens`, over all layers that keep something."""
    width, inner = int(sizes.hidden_size), _inner(sizes)
    low = _in_16_bits(config)
    size = 2 if low else _FLOAT
    norms = 2 * width * _FLOAT  # computed in float32 also beside 16 bits
    masks = 2 * width  # of dropout, a byte each
    heads = int(sizes.num_attention_heads)
    weights = heads * _FLOAT if fused else heads * _tokens(config) * (2 * size + 1)
    layer = _kept(config, width, inner, low) * size + norms + masks + weights
    # In flight while a layer is computed backwards: gradients of the inner values and around them.
    flight = (inner + 4 * width) * _FLOAT + (0 if fused else heads * _tokens(config) * size)
    around = 4 * width * _FLOAT  # embeddings, the last layer's output and its mean
    if not layers:  # only forwards
        return flight // 2 + around
    if config.fit.gradient_checkpointing:
        return layers * width * _FLOAT + layer + flight + around
    return layers * layer + flight + around


def _kept(config: TrainConfig, width: int, inner: int, low: bool) -> int:
    """Values of a token that a layer keeps for its backward pass, dropout and norms aside.

    Always: queries, keys, values, what attention gives, and the feed-forward part's inner values before
    they are bent. The inputs of linear layers: where their weights, or an adapter on them, learn.
    """
    adapter = config.adapter
    always = 4 * width + inner
    # The layer's own input has three readers, and autocast makes a copy for each.
    inputs = (4 if low else 2) * width + inner
    if adapter.kind == "full":
        return always + inputs
    if adapter.kind in ("lora", "adalora"):
        return always + inputs + 6 * adapter.rank
    if adapter.kind == "dora":  # the outputs too, with and without the adapter
        return always + inputs + 6 * adapter.rank + 2 * (5 * width + inner)
    if adapter.kind == "ia3":  # what it scales
        return always + 2 * width + inner
    if adapter.kind == "bottleneck":
        sites = 2 if adapter.layout == "houlsby" else 1
        return always + sites * (width + 2 * (width // adapter.reduction))
    return always


def _layers_with_gradients(config: TrainConfig, sizes: PretrainedConfig) -> int:
    depth = int(sizes.num_hidden_layers)
    if config.adapter.kind == "frozen":
        return 0
    if config.adapter.kind == "full" and config.adapter.freeze_embeddings:
        return max(0, depth - config.adapter.freeze_layers)
    return depth


def _states(optimiser: str, shape: Sequence[int]) -> int:
    """Numbers an optimiser keeps of one tensor."""
    if optimiser == "sgd":
        return _count(shape)
    if optimiser == "adafactor" and len(shape) > 1:  # a row and a column of means
        return _count(shape[:-1]) + _count((*shape[:-2], shape[-1]))
    return _count(shape) * (1 if optimiser == "adafactor" else 2)


def _count(shape: Sequence[int]) -> int:
    return int(torch.Size(shape).numel())


def _inner(sizes: PretrainedConfig) -> int:
    return int(getattr(sizes, "intermediate_size", None) or sizes.hidden_dim)


def _encoder(sizes: PretrainedConfig, config: TrainConfig) -> nn.Module:
    """The encoder as the run moves it, without storage."""
    with torch.device("meta"):
        encoder = AutoModel.from_config(sizes, trust_remote_code=False)  # type: ignore[no-untyped-call]
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None
        return adapted(encoder, config.adapter.model_dump(exclude_none=True))


def _sizes(base: str) -> PretrainedConfig:
    folder = resolve_base(base).folder if base == PACKAGED else Path(base)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ModelError(f"{folder}: no config.json, which says the sizes of a base")
        found: PretrainedConfig = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        return found
    known = KNOWN.get(Path(base).name)
    if known is None:
        raise ModelError(
            f"the sizes of the base {base!r} are not known here: known are {', '.join(KNOWN)}; or name "
            "a folder with its config.json"
        )
    return AutoConfig.for_model(**known)
