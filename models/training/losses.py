"""What a batch costs: gold labels, teachers, two dropouts, an adversary (torch)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from models.encoder import Features, MultiHead
from models.labels import EMBEDDING, HeadKind
from models.training.batches import Batch, Rows
from models.training.config import TrainConfig
from models.training.precision import taken


@dataclass(frozen=True, slots=True)
class Hiding:
    """Token ids for hiding words: [MASK], and those never hidden, ``(n,) int64``."""

    mask: int
    spared: NDArray[np.int64]


def hiding(tokenizer: Path) -> Hiding | None:
    """What a tokenizer hides words behind; None where it has no [MASK]."""
    found = Tokenizer.from_file(str(tokenizer))
    mask = next(
        (i for name in ("[MASK]", "<mask>") if (i := found.token_to_id(name)) is not None), None
    )
    if mask is None:
        return None
    special = [
        number for number, token in found.get_added_tokens_decoder().items() if token.special
    ]
    return Hiding(mask, np.array(special, dtype=np.int64))


class Objective(nn.Module):
    """Loss of one head's batch, and the learnt shift of every further set's logits.

    Another set has another balance of classes and other annotators. Its offset takes that up in
    training and is dropped afterwards, so the head keeps the habits of its first set.

    Parameters
    ----------
    model
        In training.
    train
        Rows of each head; for the number of their sets and the rarity of their classes.
    config
        The run.
    hiding
        Needed for `token_dropout`.
    """

    def __init__(
        self,
        model: MultiHead,
        train: Mapping[str, Rows],
        config: TrainConfig,
        hiding: Hiding | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.hiding = hiding if config.fit.token_dropout else None
        self.kinds = dict(model.kinds)
        self.offsets = nn.ParameterDict()
        self.class_weights: dict[str, Tensor] = {}
        self.row_weights = _row_weights(config)
        for head, rows in train.items():
            labels = int(model.heads[head].out_features)  # type: ignore[arg-type]
            further = int(rows.sources.max(initial=0))
            if further:
                self.offsets[head] = nn.Parameter(torch.zeros(further, labels))
            if config.fit.class_weights == "balanced" and rows.labels.ndim == 1:
                self.class_weights[head] = _balanced(rows, labels)

    def backward(self, model: MultiHead, head: str, batch: Batch, share: float) -> float:
        """Add the gradients of `share` times the loss; return the loss."""
        fit = self.config.fit
        adversary = Adversary(model) if fit.fgm else None
        with adversary.watching() if adversary else nullcontext():
            loss = self.loss(model, head, batch)
            (share * loss).backward()  # type: ignore[no-untyped-call]
        if adversary is not None:
            with adversary.pushing(fit.fgm):
                (share * self.loss(model, head, batch)).backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    def loss(self, model: MultiHead, head: str, batch: Batch) -> Tensor:
        """Loss of one batch, weighted as its head is."""
        device = next(model.parameters()).device
        batch = self._hidden(batch)
        first = self._read(model, batch, device)
        logits = model.logits(head, first)
        loss = self._gold(head, logits, batch, device)
        if batch.soft:
            distil = self.config.distil
            taught = self._taught(model, first, batch.soft, distil.temperature, device)
            loss = (1 - distil.weight) * loss + distil.weight * taught
        if batch.before:
            remember = self.config.remember
            away = self._taught(model, first, batch.before, remember.temperature, device)
            loss = loss + remember.weight * away
        if self.config.fit.rdrop:
            second = model.logits(head, self._read(model, batch, device))
            loss = (loss + self._gold(head, second, batch, device)) / 2
            loss = loss + self.config.fit.rdrop * self._disagreement(head, logits, second)
        loss = self.config.heads[head].weight * loss
        for name, known in batch.shared.items():
            loss = loss + self._shared(model, name, known, first, device)
        return loss

    def _hidden(self, batch: Batch) -> Batch:
        """The batch with some of its tokens behind [MASK] (word dropout: Dai and Le 2015, section 4)."""
        if self.hiding is None:
            return batch
        chosen = torch.rand(batch.ids.shape).numpy() < self.config.fit.token_dropout
        chosen &= ~np.isin(batch.ids, self.hiding.spared)
        return replace(batch, ids=np.where(chosen, self.hiding.mask, batch.ids))

    def _shared(
        self,
        model: MultiHead,
        name: str,
        known: NDArray[np.float32],
        features: Features,
        device: torch.device,
    ) -> Tensor:
        """Loss of what else is known of the texts; others count as rows without a loss."""
        rows = np.flatnonzero(~np.isnan(known[:, 0]))
        if not len(rows):
            return torch.zeros((), device=device)
        wanted = torch.from_numpy(known[rows]).to(device)
        index = torch.from_numpy(rows).to(device)
        seen = Features(features.text[index], features.marked[index])
        if name == EMBEDDING:
            distance = 1 - functional.cosine_similarity(model.embedded(seen), wanted)
            return self.config.embedding.weight * distance.sum() / len(known)
        logits = model.logits(name, seen)
        if self.kinds[name] is HeadKind.MULTI:
            each = _several(logits, wanted)
        else:
            each = functional.cross_entropy(
                logits,
                wanted,
                label_smoothing=self.config.fit.label_smoothing,
                reduction="none",
            )
        return self.config.heads[name].weight * each.sum() / len(known)

    def _read(self, model: MultiHead, batch: Batch, device: torch.device) -> Features:
        ids, mask = (torch.from_numpy(a).to(device) for a in (batch.ids, batch.mask))
        low = taken(self.config.fit.precision, device.type) == "bfloat16"
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=low):
            return model.features(ids, mask)

    def _gold(self, head: str, logits: Tensor, batch: Batch, device: torch.device) -> Tensor:
        labels = torch.from_numpy(np.asarray(batch.labels)).to(device)
        if head in self.offsets:
            table = self.offsets[head]
            own = torch.zeros(1, table.shape[1], device=device)
            logits = logits + torch.cat([own, table])[torch.from_numpy(batch.sources).to(device)]
        if self.kinds[head] is HeadKind.MULTI:
            return self._mean(head, _several(logits, labels), batch)
        weights = self.class_weights.get(head)
        if weights is not None:
            weights = weights.to(device)
        each = functional.cross_entropy(
            logits,
            labels,
            weight=weights,
            label_smoothing=self.config.fit.label_smoothing,
            reduction="none",
        )
        return self._mean(head, each, batch)

    def _mean(self, head: str, each: Tensor, batch: Batch) -> Tensor:
        """Mean over rows, weighted or not: batches and shares of them then add up."""
        if head in self.row_weights:
            each = each * self.row_weights[head].to(each.device)[torch.from_numpy(batch.sources)]
        return each.mean()

    def _taught(
        self,
        model: MultiHead,
        features: Features,
        answers: Mapping[str, NDArray[np.float32]],
        temperature: float,
        device: torch.device,
    ) -> Tensor:
        """Distance to teachers (Hinton et al. 2015, section 2), on every head they answer for."""
        total = torch.zeros((), device=device)
        for head, soft in answers.items():
            said = model.logits(head, features) / temperature
            wanted = torch.from_numpy(soft).to(device)
            if self.kinds[head] is HeadKind.MULTI:
                total = total + _several(said, wanted).mean()
            else:
                said = functional.log_softmax(said, dim=1)
                total = total + functional.kl_div(said, wanted, reduction="batchmean")
        return temperature**2 * total

    def _disagreement(self, head: str, first: Tensor, second: Tensor) -> Tensor:
        """Symmetric divergence of two passes (R-Drop: Wu et al. 2021, section 2.1)."""
        if self.kinds[head] is HeadKind.MULTI:
            return (torch.sigmoid(first) - torch.sigmoid(second)).square().sum(dim=1).mean()
        p, q = (functional.log_softmax(logits, dim=1) for logits in (first, second))
        there = functional.kl_div(p, q, log_target=True, reduction="batchmean")
        back = functional.kl_div(q, p, log_target=True, reduction="batchmean")
        return (there + back) / 2


class Adversary:
    """A step on the word embeddings that hurts most (FGM: Miyato et al. 2017, section 3).

    Works on the embeddings' output, so that a frozen table under an adapter can be pushed too.
    """

    def __init__(self, model: MultiHead) -> None:
        self._layer = model.encoder.get_input_embeddings()  # type: ignore[operator]
        self._seen: Tensor | None = None

    def watching(self) -> _Hook:
        """While this lasts, remember the embeddings and let gradients reach them."""

        def remember(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
            seen = output if output.requires_grad else output.detach().requires_grad_(True)
            seen.retain_grad()
            self._seen = seen
            return seen

        return _Hook(self._layer, remember)

    def pushing(self, size: float) -> _Hook:
        """While this lasts, embeddings are pushed by `size` along the gradient remembered."""
        assert self._seen is not None and self._seen.grad is not None
        gradient = self._seen.grad
        # Norm per row: (batch, tokens, width) -> (batch, 1, 1).
        norm = gradient.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1)
        push = size * gradient / norm
        return _Hook(self._layer, lambda module, inputs, output: output + push)


class _Hook:
    def __init__(self, layer: nn.Module, hook: Any) -> None:
        self._layer, self._hook = layer, hook

    def __enter__(self) -> None:
        self._handle = self._layer.register_forward_hook(self._hook)

    def __exit__(self, *error: object) -> None:
        self._handle.remove()


def _several(logits: Tensor, wanted: Tensor) -> Tensor:
    # Summed over labels: a row with no event still teaches every label.
    each = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return each.sum(dim=1)


def _row_weights(config: TrainConfig) -> dict[str, Tensor]:
    """Weight of the rows of each set, by number of the set, of heads whose sets do not all weigh 1."""
    found: dict[str, list[float]] = {}
    for entry in config.data:
        found.setdefault(entry.head, []).append(entry.weight)
    return {head: torch.tensor(each) for head, each in found.items() if set(each) != {1.0}}


def _balanced(rows: Rows, labels: int) -> Tensor:
    counts = np.bincount(np.asarray(rows.labels), minlength=labels).clip(min=1)
    weights = np.sqrt(counts.mean() / counts)
    # Of mean 1 over the rows.
    return torch.tensor(weights * counts.sum() / (weights @ counts), dtype=torch.float32)
