"""A tiny run of training for several processes: ``torchrun ... -m tests.support.ranks FOLDER KIND...``."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

from models.adapters import adapted
from models.encoder import MultiHead, trained_state
from models.labels import Head, HeadKind
from models.training.batches import Rows
from models.training.config import TrainConfig, make_config
from models.training.loop import Watch, fit
from models.training.parallel import ALONE, Ranks, joined, rank

HEADS = (
    Head("topic", HeadKind.SINGLE, ("a", "b", "c")),
    Head("risk", HeadKind.MULTI, ("x", "y")),
    Head("tone", HeadKind.SINGLE, ("down", "up")),
)
#: Of 13 rows each: batches that do not divide by two, a last one of a single row, several per step.
BATCHES = {"topic": 7, "risk": 5, "tone": 3}
LORA = {"adapter": {"kind": "lora", "rank": 4}}
FULL = {"adapter": {"kind": "full"}}
#: What each run is told beyond that; every one without dropout, whose draws differ between processes.
RUNS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "full": FULL,
    "lora": LORA | {"fit": {"accumulate": 2, "class_weights": "balanced"}},
    "adversary": FULL | {"fit": {"fgm": 0.5, "rdrop": 1.0, "gradient_checkpointing": True}},
    "frozen": {"adapter": {"kind": "frozen"}},
}


def rows(seed: int, count: int, kind: HeadKind, labels: int) -> Rows:
    rng = random.Random(seed)
    drawn = [rng.randrange(labels) for _ in range(count)]
    ids = tuple([1, 10 + n, *rng.choices(range(50, 90), k=rng.randrange(2, 6))] for n in drawn)
    if kind is HeadKind.MULTI:
        truth: Any = np.array([[n & 1, n >> 1] for n in drawn], dtype=np.float32)
    else:
        truth = np.array(drawn, dtype=np.int64)
    return Rows(ids, truth, np.arange(count) % 2)


def config(
    name: str, kind: str = "ddp", batches: Mapping[str, int] = BATCHES, **more: Any
) -> TrainConfig:
    """A run's recipe; `more` are keys of ``fit``."""
    chosen = RUNS[name]
    fitting = {"lr": 5e-3, "epochs": 2, "patience": 9, "precision": "float32", "dropout": 0.0}
    return make_config(
        {
            "heads": {h.name: {"kind": h.kind, "batch": batches[h.name]} for h in HEADS},
            "data": [{"head": head.name, "file": "f"} for head in HEADS],
            "adapter": dict(chosen["adapter"]),
            "fit": fitting | dict(chosen.get("fit", {})) | {"parallel": kind} | more,
        },
        "test",
    )


def run(
    folder: Path,
    name: str,
    ranks: Ranks = ALONE,
    *,
    until: int | None = None,
    resume: bool = False,
    watch: Watch | None = None,
) -> dict[str, torch.Tensor]:
    """Train; weights and curve are left in ``result`` files of the folder, one pair per process."""
    chosen = config(name, ranks.kind)
    model = bert(chosen, seed=ranks.number)  # the first's fresh weights must become everyone's
    made, checked = data()
    curve = fit(
        model, made, checked, chosen, folder, ranks=ranks, until=until, resume=resume, watch=watch
    )
    state = trained_state(model)
    save_file(state, folder / f"result-{ranks.number}.safetensors")
    told = json.dumps([asdict(epoch) for epoch in curve])
    (folder / f"result-{ranks.number}.json").write_text(told)
    return state


def bert(chosen: TrainConfig, seed: int = 0) -> MultiHead:
    """Two narrow layers without dropout."""
    torch.manual_seed(seed)
    sizes = BertConfig(
        vocab_size=101,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    encoder = BertModel(sizes, add_pooling_layer=False)
    model = MultiHead(encoder, HEADS, dropout=0.0)
    model.encoder = adapted(encoder, chosen.adapter.model_dump(exclude_none=True))
    return model


def data() -> tuple[dict[str, Rows], dict[str, Rows]]:
    """Rows to train on and to validate on."""
    made = {h.name: rows(i, 13, h.kind, len(h.labels)) for i, h in enumerate(HEADS)}
    checked = {h.name: rows(9 + i, 70, h.kind, len(h.labels)) for i, h in enumerate(HEADS)}
    return made, checked


def main() -> None:
    folder, *kinds = sys.argv[1:]
    with joined("ddp") as started:
        for kind in kinds:
            ranks = replace(started, kind=kind)  # type: ignore[arg-type]
            for name in RUNS:
                run(Path(folder) / kind / name, name, ranks)
            broken = Path(folder) / kind / "resumed"
            run(broken, "full", ranks, until=1)
            run(broken, "full", ranks, resume=True)


def die() -> None:
    """The second process is killed in the middle of an epoch."""

    def step(done: int, total: int, loss: float) -> None:
        if done == 3 and rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    with joined("ddp") as ranks:
        run(Path(sys.argv[1]), "full", ranks, watch=Watch(step=step))


if __name__ == "__main__":
    die() if sys.argv[2] == "die" else main()
