"""The loop: every option does what it says, on a tiny BERT; a resumed run ends where an unbroken one does."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in foreshock[train]")

from transformers import BertConfig, BertModel  # noqa: E402

from models.adapters import ADAPTERS, adapted  # noqa: E402
from models.encoder import MultiHead, load_trained, merged, trained_state  # noqa: E402
from models.errors import ModelError  # noqa: E402
from models.labels import Head, HeadKind  # noqa: E402
from models.training.batches import Rows  # noqa: E402
from models.training.config import TrainConfig, make_config  # noqa: E402
from models.training.loop import Epoch, Watch, fit, logits_of  # noqa: E402
from models.training.losses import Objective  # noqa: E402
from models.training.optimisers import make_optimiser  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

MARKER = 2
HEADS = (
    Head("topic", HeadKind.SINGLE, ("a", "b", "c")),
    Head("risk", HeadKind.MULTI, ("x", "y")),
    Head("target", HeadKind.TARGET, ("down", "up")),
)


def rows(seed: int, count: int, kind: HeadKind = HeadKind.SINGLE) -> Rows:
    rng = random.Random(seed)
    ids, labels = [], []
    for _ in range(count):
        label = rng.randrange(2 if kind is HeadKind.TARGET else 3)
        words = rng.choices(range(50, 90), k=rng.randrange(2, 6))
        if kind is HeadKind.TARGET:  # who stands first wins
            pair = [MARKER, 40] if label else [40, MARKER]
            ids.append([101 % 100, pair[0], 45, pair[1], *words])
            labels.append(label)
        else:
            ids.append([1, 10 + label, *words])
            labels.append([label & 1, label >> 1] if kind is HeadKind.MULTI else label)  # type: ignore[arg-type]
    array = np.array(labels, dtype=np.float32 if kind is HeadKind.MULTI else np.int64)
    return Rows(tuple(ids), array, np.arange(count) % 2)


TRAIN = {head.name: rows(i, 40, head.kind) for i, head in enumerate(HEADS)}
VALID = {head.name: rows(9 + i, 12, head.kind) for i, head in enumerate(HEADS)}


def config(**sections: Mapping[str, Any]) -> TrainConfig:
    table: dict[str, Any] = {
        "heads": {head.name: {"kind": head.kind, "batch": 8} for head in HEADS},
        "data": [
            {"head": head.name, "file": "f", **({"target": "t"} if head.kind == "target" else {})}
            for head in HEADS
        ],
    }
    fitting = {"lr": 5e-3, "epochs": 2, "patience": 9, "precision": "float32"}
    table["fit"] = fitting | dict(sections.pop("fit", {}))
    return make_config(table | {k: dict(v) for k, v in sections.items()}, "test")


def model(method: Mapping[str, Any], layers: int = 2) -> MultiHead:
    torch.manual_seed(0)
    encoder = BertModel(
        BertConfig(
            vocab_size=100,
            hidden_size=32,
            num_hidden_layers=layers,
            num_attention_heads=2,
            intermediate_size=64,
        ),
        add_pooling_layer=False,
    )
    made = MultiHead(encoder, HEADS, marker=MARKER)
    made.encoder = adapted(made.encoder, method)
    return made


def run(folder: Path, chosen: TrainConfig, method: Mapping[str, Any]) -> tuple[MultiHead, Epoch]:
    made = model(method)
    return made, fit(made, TRAIN, VALID, chosen, folder)[-1]


FULL = {"kind": "full"}
LORA = {"kind": "lora", "rank": 4}


@pytest.mark.parametrize(
    "method",
    [FULL, LORA, {"kind": "dora", "rank": 4}, {"kind": "ia3"}, {"kind": "frozen"},
     {"kind": "adalora", "rank": 4, "steps": 10}],
    ids=lambda method: method["kind"],
)  # fmt: skip
def test_every_way_to_move_an_encoder_trains_merges_and_keeps_its_logits(
    tmp_path: Path, method: dict[str, Any]
) -> None:
    before = model(method)
    frozen = {k: v.clone() for k, v in before.encoder.state_dict().items()}
    made, last = run(tmp_path, config(fit={"lr": 2e-2, "epochs": 3}), method)
    assert last.train_loss < 4.0
    moved = [k for k, v in made.encoder.state_dict().items() if not torch.equal(v, frozen[k])]
    if method["kind"] == "full":
        assert any("embeddings.word" in name for name in moved)
    elif method["kind"] == "frozen":
        assert moved == []
    else:
        assert moved and all("lora" in n or "ia3" in n or "ranknum" in n for n in moved)
    saved = trained_state(made)
    kept = logits_of(made, VALID["topic"], "topic")
    if method["kind"] in ADAPTERS:
        # A bundle keeps the adapter, not the base's weights.
        assert all(name.startswith(("head.", "adapter.")) for name in saved)
    assert np.allclose(logits_of(merged(made), VALID["topic"], "topic"), kept, atol=1e-4)
    assert not hasattr(made.encoder, "peft_config")
    assert not any("lora" in name or "ia3" in name for name in made.encoder.state_dict())
    again = model(method)
    load_trained(again, saved)
    assert np.allclose(logits_of(again, VALID["topic"], "topic"), kept, atol=1e-5)


def test_freezing_keeps_the_lowest_layers(tmp_path: Path) -> None:
    method = {"kind": "full", "freeze_embeddings": True, "freeze_layers": 1}
    before = model(method).encoder.state_dict()
    made, _ = run(tmp_path, config(fit={"epochs": 1, "average": 0.0}), method)
    after = made.encoder.state_dict()
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert moved
    assert all(name.startswith("encoder.layer.1.") for name in moved)


@pytest.mark.parametrize(
    "options",
    [
        {"optimiser": "sgd", "lr": 0.1},
        {"optimiser": "adafactor"},
        {"schedule": "cosine"},
        {"schedule": "constant"},
        {"accumulate": 2},
        {"class_weights": "balanced"},
        {"rdrop": 1.0},
        {"fgm": 0.5},
        {"precision": "bfloat16"},
        {"gradient_checkpointing": True},
        {"head_lr": 1e-2, "layer_decay": 0.5},
        {"encoder_dropout": 0.0, "dropout": 0.0},
    ],
    ids=lambda options: next(iter(options)) + "=" + str(next(iter(options.values()))),
)
@pytest.mark.parametrize("method", [FULL, LORA], ids=lambda method: method["kind"])
def test_every_option_of_the_loop_learns(
    tmp_path: Path, options: dict[str, Any], method: dict[str, Any]
) -> None:
    made = model(method)
    curve = fit(made, TRAIN, VALID, config(fit={"epochs": 4, **options}), tmp_path)
    assert curve[-1].train_loss < curve[0].train_loss
    assert np.isfinite(curve[-1].train_loss)


def test_layers_learn_slower_the_lower_they_are() -> None:
    made = model(FULL)
    chosen = config(fit={"lr": 1.0, "layer_decay": 0.5, "head_lr": 3.0})
    peaks = {group["peak"] for group in make_optimiser(made, [], chosen.fit).param_groups}
    assert peaks == {0.25, 0.5, 1.0, 3.0}


def test_an_adversary_finds_a_worse_loss_and_leaves_no_trace() -> None:
    made = model(LORA).eval()
    chosen = config(fit={"fgm": 0.5, "label_smoothing": 0.0})
    objective = Objective(made, TRAIN, chosen)
    from models.training.batches import padded
    from models.training.losses import Adversary

    batch = padded(TRAIN["topic"], range(8))
    adversary = Adversary(made)
    with adversary.watching():
        plain = objective.loss(made, "topic", batch)
        plain.backward()  # type: ignore[no-untyped-call]
    with adversary.pushing(5.0):
        pushed = objective.loss(made, "topic", batch)
    again = objective.loss(made, "topic", batch)
    assert float(pushed) > float(plain)
    assert float(again) == pytest.approx(float(plain), abs=1e-6)


def test_teachers_pull_the_student_towards_them(tmp_path: Path) -> None:
    # Teachers who always say "c" for topic, whatever the label.
    said = np.tile(np.array([[0.01, 0.01, 0.98]], dtype=np.float32), (40, 1))
    taught = TRAIN | {"topic": Rows(TRAIN["topic"].ids, TRAIN["topic"].labels,
                                    TRAIN["topic"].sources, {"topic": said})}  # fmt: skip
    chosen = config(fit={"epochs": 4, "lr": 1e-2}, distil={"weight": 1.0})
    made = model(FULL)
    fit(made, taught, VALID, chosen, tmp_path)
    assert (logits_of(made, VALID["topic"], "topic").argmax(axis=1) == 2).all()


def test_a_resumed_run_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    chosen = config(fit={"epochs": 3, "lr": 1e-2})
    hashes = {"set": "1"}
    whole = model(LORA)
    curve = fit(whole, TRAIN, VALID, chosen, tmp_path / "whole", data=hashes)

    class Killed(Exception):
        pass

    def die(epoch: object) -> None:
        raise Killed

    broken = tmp_path / "broken"
    with pytest.raises(Killed):
        fit(model(LORA), TRAIN, VALID, chosen, broken, watch=Watch(epoch=die), data=hashes)
    resumed = model(LORA)
    assert fit(resumed, TRAIN, VALID, chosen, broken, resume=True, data=hashes) == curve
    expected = trained_state(whole)
    assert expected.keys() == trained_state(resumed).keys()
    for name, tensor in trained_state(resumed).items():
        assert torch.equal(tensor, expected[name]), name
    longer = config(fit={"epochs": 5, "lr": 1e-2, "patience": 4})
    assert len(fit(model(LORA), TRAIN, VALID, longer, broken, resume=True, data=hashes)) == 5
    other = config(fit={"epochs": 3, "lr": 1.0})
    with pytest.raises(ModelError, match=r"made with fit.lr=0.01; resume with the same options"):
        fit(model(LORA), TRAIN, VALID, other, broken, resume=True, data=hashes)
    with pytest.raises(ModelError, match=r"made with data.set=1"):
        fit(model(LORA), TRAIN, VALID, chosen, broken, resume=True, data={"set": "2"})


def test_a_target_head_reads_the_marker(tmp_path: Path) -> None:
    made = model(FULL)
    curve = fit(made, TRAIN, VALID, config(fit={"epochs": 15, "lr": 3e-3}), tmp_path)
    assert max(epoch.accuracy["target"] for epoch in curve) > 0.9
