"""The masked-language loop: other masks every epoch, a checkpoint and a held-out loss after each (torch)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from models.masked import MaskedLanguage
from models.pretraining.masking import IGNORED, Masked, Masking, Row
from models.training import checkpoint
from models.training.batches import epoch_order
from models.training.config import FitConfig
from models.training.optimisers import rate
from models.training.precision import taken


@dataclass(frozen=True, slots=True)
class Fit:
    """How it is trained.

    Parameters
    ----------
    epochs
        Passes over the texts.
    batch
        Texts per step.
    lr
        Peak learning rate; rises over `warmup` of all steps and falls to nothing.
    weight_decay
        Of matrices.
    masked
        Share of tokens asked about.
    precision
        Of matrix products; see `models.training.precision.taken`.
    seed
        Of the masks, the order of the texts and dropout.
    """

    epochs: int = 3
    batch: int = 32
    lr: float = 1e-4
    warmup: float = 0.06
    weight_decay: float = 0.01
    masked: float = 0.15
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: int = 13


@dataclass(frozen=True, slots=True)
class Epoch:
    """Losses in nats per token asked about; number 0 is the base before training."""

    number: int
    train_loss: float | None
    held_out_loss: float

    @property
    def perplexity(self) -> float:
        """Held out: among how many equally likely tokens the model wavers."""
        return math.exp(self.held_out_loss)


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told: what begins; (steps done, steps in all, recent loss); the figures of an epoch."""

    phase: Callable[[str], None] = lambda what: None
    step: Callable[[int, int, float], None] = lambda done, total, loss: None
    epoch: Callable[[Epoch], None] = lambda epoch: None


def fit(
    language: MaskedLanguage,
    train: Sequence[Row],
    held_out: Sequence[Row],
    masking: Masking,
    config: Fit,
    folder: Path,
    *,
    resume: bool = False,
    watch: Watch | None = None,
    origin: Mapping[str, Any] | None = None,
) -> tuple[Epoch, ...]:
    """Train in place; the model ends with the weights of the epoch of least held-out loss.

    Parameters
    ----------
    language
        Every weight moves.
    train, held_out
        Rows.
    masking
        Draws other words every epoch (Liu et al. 2019, section 4.1), and always the same of the texts
        held out.
    config
        How.
    folder
        Of the checkpoints; see `models.training.checkpoint`.
    resume
        Go on after the last epoch a checkpoint holds; the result is that of an unbroken run.
    origin
        Hashes of base and texts and the like: a run is not resumed on others.

    Returns
    -------
    tuple of Epoch
        The first is the base before training.
    """
    watch = watch or Watch()
    settings = {f"fit.{key}": value for key, value in asdict(config).items()} | dict(origin or {})
    model = language.model
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    moving = list(model.parameters())  # a tied matrix once
    optimiser = _optimiser(moving, config)
    per_epoch = -(-len(train) // config.batch)
    total = per_epoch * config.epochs
    schedule = FitConfig(warmup=config.warmup)
    saved = checkpoint.load(folder, settings) if resume else None
    if saved is not None:
        checkpoint.put_back(saved.tensors, moving, [], optimiser)
        curve = [Epoch(**epoch) for epoch in saved.curve]
    else:
        watch.phase("measuring the base")
        curve = [Epoch(0, None, held_out_loss(language, held_out, masking, config))]
        watch.epoch(curve[0])
    watch.phase("training")
    while len(curve) <= config.epochs:
        number = len(curve)
        torch.manual_seed(config.seed * 10_007 + number)
        rng = np.random.default_rng([config.seed, number])
        model.train()
        losses: list[float] = []
        for chosen in epoch_order([len(row.ids) for row in train], config.batch, rng):
            step = (number - 1) * per_epoch + len(losses)
            for group in optimiser.param_groups:
                group["lr"] = config.lr * rate(step, total, schedule)
            optimiser.zero_grad(set_to_none=True)
            loss = _loss(language, masking.apply([train[i] for i in chosen], rng), config)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(moving, 1.0)
            optimiser.step()
            losses.append(float(loss.detach()))
            watch.step(step + 1, total, float(np.mean(losses[-50:])))
        held = held_out_loss(language, held_out, masking, config)
        curve.append(Epoch(number, float(np.mean(losses)), held))
        if held <= min(epoch.held_out_loss for epoch in curve[1:]):
            best = {k: v.detach().cpu().contiguous() for k, v in model.named_parameters()}
            checkpoint.save_best(folder, best)
        checkpoint.save(
            folder,
            checkpoint.take(moving, [], optimiser),
            [asdict(epoch) for epoch in curve],
            settings,
        )
        watch.epoch(curve[-1])
    model.to("cpu").eval()
    named = dict(model.named_parameters())
    with torch.no_grad():
        for name, value in checkpoint.load_best(folder).items():
            named[name].copy_(value)
    return tuple(curve)


def held_out_loss(
    language: MaskedLanguage, rows: Sequence[Row], masking: Masking, config: Fit
) -> float:
    """Mean loss over the tokens asked about, in nats; the same tokens at every call."""
    language.model.eval()
    rng = np.random.default_rng([config.seed, 0])
    total, tokens = 0.0, 0
    order = sorted(range(len(rows)), key=lambda i: len(rows[i].ids))
    with torch.inference_mode():
        for start in range(0, len(order), config.batch):
            batch = masking.apply([rows[i] for i in order[start : start + config.batch]], rng)
            asked = int((batch.labels != IGNORED).sum())
            total += asked * float(_loss(language, batch, config))
            tokens += asked
    return total / tokens


def _loss(language: MaskedLanguage, batch: Masked, config: Fit) -> torch.Tensor:
    device = next(language.model.parameters()).device
    ids, attention, labels = (
        torch.from_numpy(array).to(device) for array in (batch.ids, batch.attention, batch.labels)
    )
    places = labels != IGNORED
    low = taken(config.precision, device.type) == "bfloat16"
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=low):
        logits = language.logits(ids, attention, places)
    return functional.cross_entropy(logits.float(), labels[places])


def _optimiser(moving: Sequence[nn.Parameter], config: Fit) -> torch.optim.Optimizer:
    matrices = [p for p in moving if p.ndim > 1]
    vectors = [p for p in moving if p.ndim <= 1]  # biases and norms
    return torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": config.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=config.lr,
    )
