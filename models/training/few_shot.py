"""Few labelled rows: pairs of them teach the encoder first, then the heads (torch).

SetFit (Tunstall et al. 2022, section 3): contrastive pairs make many examples out of few rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from models.dataset.embed import pooled as embedded
from models.encoder import MultiHead
from models.errors import DataError, MissingExtraError
from models.tables import Labelled
from models.training.batches import Rows, padded
from models.training.config import TrainConfig
from models.training.data import Source
from models.training.loop import Watch
from models.training.optimisers import make_optimiser, rate
from models.training.precision import taken

#: First row, second row, whether their labels agree.
Pair = tuple[int, int, bool]


def drawn(sources: Sequence[Source], shots: int, seed: int) -> tuple[Source, ...]:
    """Keep `shots` rows of each label of each set's train split, drawn by seed.

    Raises
    ------
    DataError
        When a label of a head has no row to draw.
    """
    return tuple(
        replace(
            source,
            splits={**source.splits, "train": _draw(source, shots, seed + number)},
        )
        for number, source in enumerate(sources)
    )


def _draw(source: Source, shots: int, seed: int) -> Labelled:
    part = source.splits["train"]
    order = np.random.default_rng(seed).permutation(len(part))
    kept: list[int] = []
    for number, label in enumerate(source.head.labels):
        found = [int(i) for i in order if part.labels[i] == number][:shots]
        if not found:
            raise DataError(
                f"{source.path}: no row of split 'train' has the label {label!r} of head "
                f"{source.head.name!r}; few-shot training needs one of each"
            )
        kept += found
    kept.sort()
    return Labelled(tuple(part.texts[i] for i in kept), part.labels[kept])


def pairs(labels: NDArray[np.generic], rounds: int, rng: np.random.Generator) -> list[Pair]:
    """For every row, `rounds` times a row of its label and a row of another, shuffled.

    A row that is alone with its label is its own partner: dropout reads it differently each time.
    """
    rows = np.arange(len(labels))
    found: list[Pair] = []
    for row in rows:
        alike = rows[(labels == labels[row]) & (rows != row)]
        others = rows[labels != labels[row]]
        for _ in range(rounds):
            found.append((int(row), int(rng.choice(alike)) if len(alike) else int(row), True))
            if len(others):
                found.append((int(row), int(rng.choice(others)), False))
    return [found[i] for i in rng.permutation(len(found))]


def contrast(
    model: MultiHead, train: Mapping[str, Rows], config: TrainConfig, watch: Watch
) -> None:
    """Train the encoder on pairs, give the heads a start, and freeze the encoder, all in place.

    The cosine of two texts' embeddings is pulled to 1 where their labels agree and to 0 where not;
    the heads take turns. Each head then starts from logistic regression on what came out.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device).train()
    torch.manual_seed(config.fit.seed * 10_007 - 1)
    rng = np.random.default_rng([config.fit.seed, 2])
    moving = [p for p in model.encoder.parameters() if p.requires_grad]
    optimiser = make_optimiser(model, [], config.fit)
    batches = list(_batches(train, config, rng))
    losses: list[float] = []
    for step, (head, batch) in enumerate(batches):
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * rate(step, len(batches), config.fit)
        optimiser.zero_grad(set_to_none=True)
        loss = _loss(
            model, train[head], batch, taken(config.fit.precision, device.type) == "bfloat16"
        )
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(moving, config.fit.max_gradient)
        optimiser.step()
        losses.append(float(loss.detach()))
        watch.step(step + 1, len(batches), float(np.mean(losses[-50:])))
    for head, rows in train.items():
        start_head(model, head, rows, config.fit.seed)
    model.encoder.requires_grad_(False)


def _batches(
    train: Mapping[str, Rows], config: TrainConfig, rng: np.random.Generator
) -> Iterator[tuple[str, list[Pair]]]:
    size = config.few_shot.batch
    waiting = {
        head: pairs(rows.labels, config.few_shot.rounds, rng) for head, rows in train.items()
    }
    while any(waiting.values()):
        for head, left in waiting.items():
            if left:
                yield head, left[:size]
                waiting[head] = left[size:]


def _loss(model: MultiHead, rows: Rows, batch: Sequence[Pair], low: bool) -> torch.Tensor:
    device = next(model.parameters()).device
    texts = padded(rows, [first for first, _, _ in batch] + [second for _, second, _ in batch])
    ids, mask = (torch.from_numpy(array).to(device) for array in (texts.ids, texts.mask))
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=low):
        pooled = model.pooled(ids, mask)
    first, second = pooled.chunk(2)
    alike = functional.cosine_similarity(first, second)
    wanted = torch.tensor([float(same) for _, _, same in batch], device=device)
    return functional.mse_loss(alike, wanted)


def start_head(model: MultiHead, head: str, rows: Rows, seed: int) -> None:
    """Set a head's weights to those of logistic regression on the features of some rows."""
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtraError("few-shot training", "train", "scikit-learn") from error
    features = embedded(model, rows.ids, unit=False)
    # To a mean norm of 1, so that the regularisation means the same for every base.
    scale = 1 / float(np.linalg.norm(features, axis=1).mean())
    fitted = LogisticRegression(C=10.0, max_iter=1_000, random_state=seed)
    fitted.fit(scale * features, rows.labels)
    weight, bias = scale * fitted.coef_, fitted.intercept_
    if len(weight) == 1:  # of two labels it says the difference
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    layer = model.heads[head]
    with torch.no_grad():
        for parameter, value in ((layer.weight, weight), (layer.bias, bias)):
            parameter.copy_(torch.from_numpy(value))  # type: ignore[operator]
