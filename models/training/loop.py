"""The training loop: several heads at once, early stopping, a checkpoint per epoch (torch)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.encoder import MultiHead, load_trained, trained_state
from models.labels import HeadKind
from models.metrics import measure, measure_multi, sigmoid, softmax
from models.training import allocation, checkpoint
from models.training.average import Average
from models.training.batches import Rows, epoch_steps, padded, steps_per_epoch
from models.training.config import TrainConfig
from models.training.losses import Hiding, Objective
from models.training.optimisers import make_optimiser, rate
from models.training.parallel import ALONE, Ranks, checked, whole
from models.training.vary import Vary

#: Sections of a recipe that a resumed run must agree with.
_BINDING = {
    "base", "start", "trim", "heads", "embedding", "adapter", "fit", "distil", "augment", "replay",
    "remember", "few_shot",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch of the validation curve: losses in nats, figures in [0, 1] per head.

    `planned` is the number of epochs its learning rate was scheduled for: a run that is resumed
    for more epochs changes it. `accuracy` of a multi-label head is the share of rows without a mistake.
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
    note
        Told what a person should know.
    """

    phase: Callable[[str], None] = lambda what: None
    step: Callable[[int, int, float], None] = lambda done, total, loss: None
    epoch: Callable[[Epoch], None] = lambda epoch: None
    note: Callable[[str], None] = lambda what: None


def fit(
    model: MultiHead,
    train: Mapping[str, Rows],
    valid: Mapping[str, Rows],
    config: TrainConfig,
    folder: Path,
    *,
    resume: bool = False,
    watch: Watch | None = None,
    data: Mapping[str, str] | None = None,
    hiding: Hiding | None = None,
    vary: Vary | None = None,
    ranks: Ranks = ALONE,
    until: int | None = None,
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
        Where the checkpoints go: ``epoch-N.safetensors``, ``best.safetensors``, ``progress.json``.
    resume
        Go on after the last epoch a checkpoint in `folder` holds, if there is one. The result is
        that of an unbroken run; with more epochs than that run was started for, its learning
        rate rises again to where the longer schedule has it.
    data
        Hash of each file trained on: a run is not resumed on other data.
    hiding
        For the recipe's `token_dropout`.
    vary
        Gives the rows of each epoch another form; see `models.training.vary`.
    ranks
        Processes that train together; the first writes the checkpoints, all end with the same weights.
    until
        Stop after so many epochs, on the schedule of all of them: a run resumed later goes on from there.

    Returns
    -------
    tuple of Epoch
        The validation curve.
    """
    watch = watch or Watch()
    settings = _settings(config, data or {})
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    checked(config, ranks)
    if config.fit.gradient_checkpointing:
        model.encoder.gradient_checkpointing_enable()  # type: ignore[operator]
    given, model = model, ranks.placed(model, device)
    objective = Objective(model, train, config, hiding).to(device)
    moving = [p for p in [*model.parameters(), *objective.parameters()] if p.requires_grad]
    optimiser = ranks.regrouped(make_optimiser(model, objective.parameters(), config.fit))
    average = Average(moving, config.fit.average)
    sizes = {head: config.heads[head].batch for head in train}
    per_epoch = steps_per_epoch(train, sizes)
    total = per_epoch * config.fit.epochs
    curve: list[Epoch] = []
    if resume and (saved := checkpoint.load(folder, settings)) is not None:
        checkpoint.put_back(saved.tensors, moving, average.shadow, optimiser)
        allocation.put_back(model.encoder, saved.tensors)
        curve = [Epoch(**epoch) for epoch in saved.curve]
        watch.step(len(curve) * per_epoch, total, curve[-1].train_loss)
    epochs = min(config.fit.epochs, until or config.fit.epochs)
    while len(curve) < epochs and not _stalled(curve, config.fit.patience):
        number = len(curve)
        torch.manual_seed(config.fit.seed * 10_007 + number + ranks.number * 1_000_003)
        model.train()
        losses: list[float] = []
        share = 1 / config.fit.accumulate
        optimiser.zero_grad(set_to_none=True)
        rows = vary(number, train) if vary else train
        for batches in epoch_steps(rows, sizes, config.fit.seed, number):
            step = number * per_epoch + len(losses)
            loss = sum(
                ranks.backward(objective, model, head, batch, share)
                for head, batch in batches.items()
            )
            losses.append(loss)
            if len(losses) % config.fit.accumulate == 0 or len(losses) == per_epoch:
                for group in optimiser.param_groups:
                    group["lr"] = group["peak"] * rate(step, total, config.fit)
                ranks.average(moving)
                ranks.clip(moving, config.fit.max_gradient)
                optimiser.step()
                updates = -(-len(losses) // config.fit.accumulate)
                _told_of_step(model, number * -(-per_epoch // config.fit.accumulate) + updates)
                optimiser.zero_grad(set_to_none=True)
                average.update(moving)
            watch.step(step + 1, total, float(np.mean(losses[-50:])))
        with average.applied(moving):
            figures = _validate(model, valid, number, config.fit.epochs, ranks.mean(losses), ranks)
            curve.append(ranks.agreed(figures))
            if curve[-1].selection >= max(epoch.selection for epoch in curve):
                best = {name: whole(value) for name, value in trained_state(model).items()}
                if ranks.first:
                    checkpoint.save_best(folder, best)
        state = checkpoint.take(moving, average.shadow, optimiser) | allocation.memory(
            model.encoder
        )
        if ranks.first:
            checkpoint.save(folder, state, [asdict(epoch) for epoch in curve], settings)
        watch.epoch(curve[-1])
    ranks.wait()
    given.to("cpu")
    load_trained(given, checkpoint.load_best(folder))
    given.eval()
    return tuple(curve)


def logits_of(
    model: MultiHead, rows: Rows, head: str, batch_size: int = 64, ranks: Ranks = ALONE
) -> NDArray[np.float32]:
    """Logits of one head for every row in order, ``(rows, labels) float32``, without dropout."""
    model.eval()
    device = next(model.parameters()).device
    order = sorted(range(len(rows)), key=lambda i: len(rows.ids[i]))
    parts: list[tuple[list[int], NDArray[np.float32]]] = []
    with torch.inference_mode():
        for start in ranks.dealt(range(0, len(order), batch_size)):
            chosen = order[start : start + batch_size]
            batch = padded(rows, chosen)
            features = model.features(
                *(torch.from_numpy(a).to(device) for a in (batch.ids, batch.mask))
            )
            parts.append((chosen, model.logits(head, features).float().cpu().numpy()))
    if not parts:
        raise ValueError(f"no rows to compute head {head!r} for")
    result = np.empty((len(rows), parts[0][1].shape[1]), dtype=np.float32)
    for chosen, values in ranks.gathered(parts):
        result[chosen] = values
    return result


def _settings(config: TrainConfig, data: Mapping[str, str]) -> dict[str, Any]:
    """What a resumed run must agree with, flat: ``fit.lr``, ``heads.topic.batch``, ``data.NAME``."""
    flat: dict[str, Any] = {}

    def put(prefix: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                put(f"{prefix}.{key}" if prefix else key, inner)
        else:
            flat[prefix] = value

    put(
        "",
        config.model_dump(mode="json", include=_BINDING)
        | {"data": dict(data)}
        | {"rows": [entry.model_dump(exclude={"licence"}) for entry in config.data]},
    )
    return flat


def _told_of_step(model: MultiHead, taken: int) -> None:
    # AdaLoRA moves its ranks between the layers as the run goes on.
    allocate = getattr(model.encoder, "update_and_allocate", None)
    if allocate is not None:
        allocate(taken)


def _validate(
    model: MultiHead,
    valid: Mapping[str, Rows],
    number: int,
    planned: int,
    train_losses: list[float],
    ranks: Ranks,
) -> Epoch:
    losses, macro, accuracy = {}, {}, {}
    for head, rows in valid.items():
        logits = logits_of(model, rows, head, ranks=ranks)
        truth = np.asarray(rows.labels)
        if model.kinds[head] is HeadKind.MULTI:
            probabilities = sigmoid(logits)
            chances = np.where(truth > 0, probabilities, 1 - probabilities)
            losses[head] = float(-np.log(np.maximum(chances, 1e-12)).sum(axis=1).mean())
            figures = measure_multi(truth > 0, probabilities >= 0.5)
            macro[head], accuracy[head] = figures.macro_f1, figures.exact
        else:
            probabilities = softmax(logits)
            single = measure(truth, probabilities)
            chosen = probabilities[np.arange(len(truth)), truth]
            losses[head] = float(-np.log(np.maximum(chosen, 1e-12)).mean())
            macro[head], accuracy[head] = single.macro_f1, single.accuracy
    return Epoch(number, planned, float(np.mean(train_losses)), losses, macro, accuracy)


def _stalled(curve: list[Epoch], patience: int) -> bool:
    if not curve:
        return False
    best = max(range(len(curve)), key=lambda i: curve[i].selection)
    return len(curve) - 1 - best >= patience
