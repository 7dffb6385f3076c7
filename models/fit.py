"""The training loop: several heads at once, early stopping, a checkpoint per epoch (torch)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models import checkpoint
from models.average import Average
from models.batches import Batch, Rows, epoch_steps, padded, steps_per_epoch
from models.encoder import MultiHead, load_trained, trained_state
from models.metrics import measure, softmax


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How to train.

    Parameters
    ----------
    lr, weight_decay, warmup
        AdamW (Loshchilov and Hutter 2019); the rate rises linearly over the first `warmup` share
        of all steps and falls linearly to zero at the last.
    epochs, patience
        Most epochs, and how many without a better validation mean of the heads' macro-F1 end it.
    batch_size
        Rows of each task per step.
    label_smoothing
        Szegedy et al. 2016, section 7.
    average
        Decay per step of the running average of the weights that is validated and kept
        (Polyak and Juditsky 1992); 0 keeps the last weights.
    bfloat16
        Autocast matrix products to bfloat16; weights and their gradients stay float32.
    seed
        Of row order, dropout and fresh weights.
    """

    lr: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.06
    epochs: int = 6
    patience: int = 2
    batch_size: int = 32
    label_smoothing: float = 0.05
    average: float = 0.995
    bfloat16: bool = False
    seed: int = 13


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch of the validation curve: losses in nats, figures in [0, 1] per head.

    `planned` is the number of epochs its learning rate was scheduled for: a run that is resumed
    for more epochs changes it.
    """

    number: int
    planned: int
    train_loss: float
    valid_loss: Mapping[str, float]
    macro_f1: Mapping[str, float]
    accuracy: Mapping[str, float]

    @property
    def selection(self) -> float:
        """What early stopping watches: the mean of the heads' macro-F1."""
        return float(np.mean(list(self.macro_f1.values())))


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told of the progress.

    Parameters
    ----------
    phase
        Told what begins, in words.
    step
        Told (steps done, steps at most, recent loss).
    epoch
        Told the figures of each epoch.
    """

    phase: Callable[[str], None] = lambda what: None
    step: Callable[[int, int, float], None] = lambda done, total, loss: None
    epoch: Callable[[Epoch], None] = lambda epoch: None


def fit(
    model: MultiHead,
    train: dict[str, Rows],
    valid: dict[str, Rows],
    config: FitConfig,
    folder: Path,
    *,
    resume: bool = False,
    watch: Watch | None = None,
) -> tuple[Epoch, ...]:
    """Train `model`; it ends with the weights of its best epoch.

    Parameters
    ----------
    model
        With adapter or without; only parameters that require a gradient move.
    train, valid
        Rows of each head.
    config
        How.
    folder
        Where the checkpoints go: ``last.safetensors``, ``best.safetensors``, ``progress.json``.
    resume
        Go on after the last epoch a checkpoint in `folder` holds, if there is one. The result is
        that of an unbroken run; with more epochs than that run was started for, its learning
        rate rises again to where the longer schedule has it.

    Returns
    -------
    tuple of Epoch
        The validation curve.
    """
    watch = watch or Watch()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    offsets = _SourceOffsets(train, model).to(device)
    moving = [p for p in [*model.parameters(), *offsets.parameters()] if p.requires_grad]
    optimiser = torch.optim.AdamW(moving, lr=config.lr, weight_decay=config.weight_decay)
    average = Average(moving, config.average)
    per_epoch = steps_per_epoch(train, config.batch_size)
    total = per_epoch * config.epochs
    curve: list[Epoch] = []
    if resume and (saved := checkpoint.load(folder, asdict(config))) is not None:
        checkpoint.put_back(saved.tensors, moving, average.shadow, optimiser)
        curve = [Epoch(**epoch) for epoch in saved.curve]
        watch.step(len(curve) * per_epoch, total, curve[-1].train_loss)
    while len(curve) < config.epochs and not _stalled(curve, config.patience):
        number = len(curve)
        torch.manual_seed(config.seed * 10_007 + number)
        model.train()
        losses: list[float] = []
        for batches in epoch_steps(train, config.batch_size, config.seed, number):
            step = number * per_epoch + len(losses)
            for group in optimiser.param_groups:
                group["lr"] = config.lr * _rate(step, total, config.warmup)
            optimiser.zero_grad(set_to_none=True)
            loss = 0.0
            for task, batch in batches.items():
                part = _loss(model, offsets, task, batch, config, device)
                part.backward()  # type: ignore[no-untyped-call]
                loss += float(part.detach())
            nn.utils.clip_grad_norm_(moving, 1.0)
            optimiser.step()
            average.update(moving)
            losses.append(loss)
            watch.step(step + 1, total, float(np.mean(losses[-50:])))
        with average.applied(moving):
            curve.append(_validate(model, valid, number, config.epochs, losses))
            best = curve[-1].selection >= max(epoch.selection for epoch in curve)
            if best:
                checkpoint.save_best(folder, trained_state(model))
        checkpoint.save(
            folder,
            checkpoint.take(moving, average.shadow, optimiser),
            [asdict(epoch) for epoch in curve],
            asdict(config),
        )
        watch.epoch(curve[-1])
    model.to("cpu")
    load_trained(model, checkpoint.load_best(folder))
    model.eval()
    return tuple(curve)


def logits_of(model: MultiHead, rows: Rows, head: str, batch_size: int = 64) -> NDArray[np.float32]:
    """Logits of one head for every row in order, ``(rows, labels) float32``, without dropout."""
    model.eval()
    device = next(model.parameters()).device
    order = sorted(range(len(rows)), key=lambda i: len(rows.ids[i]))
    result: NDArray[np.float32] | None = None
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            batch = padded(rows, chosen)
            pooled = model.pooled(
                *(torch.from_numpy(a).to(device) for a in (batch.ids, batch.mask))
            )
            values = model.heads[head](pooled).float().cpu().numpy()
            if result is None:
                result = np.empty((len(rows), values.shape[1]), dtype=np.float32)
            result[chosen] = values
    if result is None:
        raise ValueError(f"no rows to compute head {head!r} for")
    return result


class _SourceOffsets(nn.Module):
    """A learnt shift of the logits for each set of a task after its first.

    Another set has another balance of classes and other annotators. Its offset takes that up in
    training and is dropped afterwards, so the head keeps the habits of the task's own set.
    """

    def __init__(self, train: dict[str, Rows], model: MultiHead) -> None:
        super().__init__()
        self.offsets = nn.ParameterDict()
        for task, rows in train.items():
            extra = max(rows.sources, default=0)
            if extra:
                labels = int(model.heads[task].out_features)  # type: ignore[arg-type]
                self.offsets[task] = nn.Parameter(torch.zeros(extra, labels))

    def forward(self, task: str, sources: Tensor) -> Tensor | float:
        if task not in self.offsets:
            return 0.0
        table = self.offsets[task]
        own = torch.zeros(1, table.shape[1], device=table.device)
        return torch.cat([own, table])[sources]


def _loss(
    model: MultiHead,
    offsets: _SourceOffsets,
    task: str,
    batch: Batch,
    config: FitConfig,
    device: torch.device,
) -> Tensor:
    ids, mask, labels, sources = (
        torch.from_numpy(a).to(device) for a in (batch.ids, batch.mask, batch.labels, batch.sources)
    )
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=config.bfloat16):
        pooled = model.pooled(ids, mask)
    logits = model.heads[task](model.dropout(pooled.float())) + offsets(task, sources)
    return nn.functional.cross_entropy(logits, labels, label_smoothing=config.label_smoothing)


def _validate(
    model: MultiHead, valid: dict[str, Rows], number: int, planned: int, train_losses: list[float]
) -> Epoch:
    losses, macro, accuracy = {}, {}, {}
    for head, rows in valid.items():
        truth = np.array(rows.labels, dtype=np.int64)
        probabilities = softmax(logits_of(model, rows, head))
        figures = measure(truth, probabilities)
        chosen = probabilities[np.arange(len(truth)), truth]
        losses[head] = float(-np.log(np.maximum(chosen, 1e-12)).mean())
        macro[head], accuracy[head] = figures.macro_f1, figures.accuracy
    return Epoch(number, planned, float(np.mean(train_losses)), losses, macro, accuracy)


def _stalled(curve: list[Epoch], patience: int) -> bool:
    if not curve:
        return False
    best = max(range(len(curve)), key=lambda i: curve[i].selection)
    return len(curve) - 1 - best >= patience


def _rate(step: int, total: int, warmup: float) -> float:
    rising = max(1, math.ceil(total * warmup))
    if step < rising:
        return (step + 1) / rising
    return max(0.0, (total - step) / max(1, total - rising))
