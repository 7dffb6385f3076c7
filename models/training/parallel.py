"""Several processes that train one model, started by torchrun: who reads what, and how they agree (torch).

Every process goes through the same steps. Of each step's batch it reads its share of the rows; gradients are
averaged so that the step is the one a single process would take, then every process takes it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any, Literal, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from models.encoder import MultiHead
from models.errors import ModelError
from models.training.batches import Batch
from models.training.config import TrainConfig
from models.training.losses import Objective

Kind = Literal["ddp", "fsdp"]
T = TypeVar("T")

#: torchrun ends the others when a process dies; the wait need only outlast what the first does alone.
_TIMEOUT = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that train together; alone, every method does what one process needs.

    Parameters
    ----------
    number
        Of this process, from 0: the first writes, the others keep quiet.
    count
        Of processes.
    kind
        ddp: each holds the whole model. fsdp: each holds a part of every weight of the encoder, of its
        gradient and of the optimiser's state (Zhao et al. 2023).
    """

    number: int = 0
    count: int = 1
    kind: Kind = "ddp"

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.number == 0

    def wait(self) -> None:
        """Until every process is here."""
        if self.count > 1:
            dist.barrier()

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """The first goes through the block alone; the others follow and find what it left."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()

    def placed(self, model: MultiHead, device: torch.device) -> MultiHead:
        """The model to train on a device, the same in every process.

        Under fsdp it is a copy: `model` stays whole, to take the trained weights at the end.
        """
        shard = self.count > 1 and self.kind == "fsdp"
        model = (deepcopy(model) if shard else model).to(device)
        if self.count > 1:
            for tensor in [*model.parameters(), *model.buffers()]:
                dist.broadcast(tensor.detach(), 0)
        if shard:
            # Parts are given back after each forward pass, the root's too: a copy that stayed would be
            # stale once the running average has taken the weights' place.
            mesh = init_device_mesh(device.type, (self.count,))
            for layer in _layers(model.encoder):
                fully_shard(layer, mesh=mesh, reshard_after_forward=True)
            fully_shard(model.encoder, mesh=mesh, reshard_after_forward=True)
        return model

    def regrouped(self, optimiser: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """The optimiser with no group that mixes whole and shared-out weights, which none can step."""
        for group in list(optimiser.param_groups):
            whole = [p for p in group["params"] if not isinstance(p, DTensor)]
            if 0 < len(whole) < len(group["params"]):
                group["params"] = [p for p in group["params"] if isinstance(p, DTensor)]
                optimiser.add_param_group({**group, "params": whole})
        return optimiser

    def share(self, batch: Batch) -> tuple[Batch, float]:
        """Rows of a batch that this process reads, and the weight of their mean in the batch's.

        The weighted mean of all processes' losses, each a mean over rows, is the loss of the batch. A
        batch of fewer rows than processes gives some a row that counts nothing: they must take part.
        """
        if self.count == 1:
            return batch, 1.0
        rows = len(batch.ids)
        own = np.arange(self.number, rows, self.count)
        weight = len(own) * self.count / rows
        chosen = own if len(own) else np.zeros(1, dtype=np.int64)
        taken = {field.name: _rows(getattr(batch, field.name), chosen) for field in fields(batch)}
        return replace(batch, **taken), weight

    def backward(
        self, objective: Objective, model: MultiHead, head: str, batch: Batch, share: float
    ) -> float:
        """`Objective.backward` on this process's share of a batch."""
        part, weight = self.share(batch)
        return weight * objective.backward(model, head, part, share * weight)

    @torch.no_grad()
    def average(self, moving: Sequence[nn.Parameter]) -> None:
        """Make every gradient the mean of the processes'; those of shared-out weights are already.

        A step is several backward passes (one per head, more with an adversary or accumulated batches):
        one sum over all of them, just before the step, is what `DistributedDataParallel` comes to with
        ``no_sync``, and asks for no wrapper that every pass must go through.
        """
        whole = [p for p in moving if not isinstance(p, DTensor)]
        if self.count == 1 or not whole:
            return
        told = [torch.zeros_like(p) if p.grad is None else p.grad for p in whole]
        used = torch.tensor([p.grad is not None for p in whole], device=whole[0].device)
        flat = torch.cat([*(gradient.flatten() for gradient in told), used.to(told[0].dtype)])
        dist.all_reduce(flat)
        *summed, uses = torch.split(flat, [*(p.numel() for p in whole), len(whole)])
        for parameter, total, count in zip(whole, summed, uses.tolist(), strict=True):
            # A weight that no process used keeps no gradient: a step must not let it decay.
            parameter.grad = (total / self.count).view_as(parameter) if count else None

    @torch.no_grad()
    def clip(self, moving: Sequence[nn.Parameter], most: float) -> None:
        """Scale all gradients so that their norm, over all processes' parts, is at most `most`."""
        if not any(isinstance(p, DTensor) for p in moving):
            nn.utils.clip_grad_norm_(moving, most)
            return
        kinds = [
            [p for p in moving if isinstance(p, DTensor) is shared] for shared in (True, False)
        ]
        norms = [
            whole(nn.utils.get_total_norm([p.grad for p in kind if p.grad is not None]))
            for kind in kinds
        ]
        total = torch.linalg.vector_norm(torch.stack([n.to(moving[0].device) for n in norms]))
        for kind in kinds:
            nn.utils.clip_grads_with_norm_(kind, most, total)

    def dealt(self, items: Sequence[T]) -> list[T]:
        """Items of this process; as many as every other's, so that some may be another's too."""
        own = list(items[self.number :: self.count])
        return own if len(own) * self.count >= len(items) else own + list(items[:1])

    def gathered(self, parts: list[T]) -> list[T]:
        """What every process found, in one list."""
        if self.count == 1:
            return parts
        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, parts)
        return [part for own in found for part in own]

    def mean(self, values: Sequence[float]) -> list[float]:
        """Of every process's values, one by one."""
        return [float(each) for each in np.mean(self.gathered([list(values)]), axis=0)]

    def agreed(self, value: T) -> T:
        """The first's value, so that all decide alike."""
        if self.count == 1:
            return value
        told = [value]
        dist.broadcast_object_list(told, 0)
        return told[0]


#: One process, as without torchrun.
ALONE = Ranks()


def rank() -> int:
    """Number that torchrun gave this process; 0 without it."""
    return int(os.environ.get("RANK", "0"))


def idle_gpus() -> int:
    """GPUs that this process leaves alone though no other was started for them."""
    return 0 if "WORLD_SIZE" in os.environ else max(0, torch.cuda.device_count() - 1)


@contextmanager
def joined(kind: Kind, environ: Mapping[str, str] = os.environ) -> Iterator[Ranks]:
    """Join the processes that torchrun started, once in a process; `ALONE` without it.

    gloo carries what they tell each other between CPUs, nccl between GPUs.

    Raises
    ------
    ModelError
        When there are more processes on this machine than GPUs.
    """
    count = int(environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield ALONE
        return
    cuda = torch.cuda.is_available()
    if cuda:
        local = int(environ["LOCAL_RANK"])
        if local >= torch.cuda.device_count():
            raise ModelError(
                f"{environ['LOCAL_WORLD_SIZE']} processes for {torch.cuda.device_count()} GPUs; "
                f"start torchrun with --nproc-per-node {torch.cuda.device_count()}"
            )
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if cuda else "gloo", timeout=_TIMEOUT)
    try:
        yield Ranks(dist.get_rank(), count, kind)
    finally:
        dist.destroy_process_group()


def checked(config: TrainConfig, ranks: Ranks) -> None:
    """Refuse what cannot be done on parts of weights.

    Raises
    ------
    ModelError
        Under fsdp with adalora, which ranks whole gradients, or adafactor, which factors them.
    """
    if ranks.count == 1 or ranks.kind == "ddp":
        return
    for key, value in (
        ("adapter.kind", config.adapter.kind),
        ("fit.optimiser", config.fit.optimiser),
    ):
        if value in ("adalora", "adafactor"):
            raise ModelError(
                f'{key} = "{value}" needs whole weights, which fit.parallel = "fsdp" shares out; '
                'set fit.parallel = "ddp"'
            )


def whole(tensor: Tensor) -> Tensor:
    """A tensor in one piece; every process must ask when it is shared out."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def parted(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor shared out as another is, on its device; undoes `whole`."""
    tensor = tensor.to(like.device)
    if not isinstance(like, DTensor):
        return tensor
    return distribute_tensor(tensor, like.device_mesh, like.placements)


def _layers(encoder: nn.Module) -> list[nn.Module]:
    return [
        layer
        for name, module in encoder.named_modules()
        if isinstance(module, nn.ModuleList) and name.rpartition(".")[2] in ("layer", "layers")
        for layer in module
    ]


def _rows(value: Any, chosen: np.ndarray[Any, np.dtype[np.int64]]) -> Any:
    if isinstance(value, Mapping):
        return {name: _rows(inner, chosen) for name, inner in value.items()}
    return value[chosen]
