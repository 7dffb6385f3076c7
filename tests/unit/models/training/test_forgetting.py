"""A second task makes a tiny model forget its first; old rows or the old model's answers prevent it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in foreshock[train]")

from transformers import BertConfig, BertModel  # noqa: E402

from models.encoder import MultiHead, load_trained, trained_state  # noqa: E402
from models.labels import Head, HeadKind  # noqa: E402
from models.metrics import softmax  # noqa: E402
from models.training.batches import Rows, epoch_steps, padded, steps_per_epoch  # noqa: E402
from models.training.config import TrainConfig, make_config  # noqa: E402
from models.training.loop import fit, logits_of  # noqa: E402
from models.training.losses import Objective  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

HEADS = (Head("old", HeadKind.SINGLE, ("a", "b")), Head("new", HeadKind.SINGLE, ("x", "y")))
TEMPERATURE = 2.0


def rows(seed: int, count: int, task: str) -> Rows:
    """The old task asks which of two words is there; the new one, in other texts, which of two others."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    first = 10 if task == "old" else 20
    ids = []
    for label in labels.tolist():
        words = rng.integers(40, 60, 5)
        # Both tasks' words are in every text: what one does not ask, the other does.
        other = rng.integers(0, 2) + (20 if task == "old" else 10)
        ids.append([1, *rng.permutation([first + label, other, *words]).tolist()])
    return Rows(tuple(ids), labels, np.zeros(count, dtype=np.int64))


def config(**sections: Any) -> TrainConfig:
    table: dict[str, Any] = {
        "heads": {head.name: {"batch": 16} for head in HEADS},
        "data": [{"head": head.name, "file": "f"} for head in HEADS],
        "fit": {"lr": 3e-3, "epochs": 6, "patience": 9, "precision": "float32", "average": 0.0},
    }
    return make_config(table | sections, "test")


def model() -> MultiHead:
    torch.manual_seed(3)
    sizes: dict[str, Any] = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
    encoder = BertModel(
        BertConfig(vocab_size=64, num_hidden_layers=2, **sizes), add_pooling_layer=False
    )
    return MultiHead(encoder, HEADS)


def accuracy(made: MultiHead, task: str) -> float:
    held_out = rows(99, 200, task)
    return float((logits_of(made, held_out, task).argmax(axis=1) == held_out.labels).mean())


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The weights of a model that knows the old task."""
    made = model()
    folder = tmp_path_factory.mktemp("before")
    fit(made, {"old": rows(1, 320, "old")}, {"old": rows(2, 60, "old")}, config(), folder)
    assert accuracy(made, "old") > 0.95
    return trained_state(made)


NEW = rows(3, 320, "new")


def go_on(
    before: dict[str, Any], train: dict[str, Rows], chosen: TrainConfig, folder: Path
) -> tuple[float, float]:
    """Accuracy on the old and the new task after training on."""
    made = model()
    load_trained(made, before)
    fit(made, train, {"new": rows(4, 60, "new")}, chosen, folder)
    return accuracy(made, "old"), accuracy(made, "new")


def test_replay_and_the_penalty_keep_what_plain_training_loses(
    before: dict[str, Any], tmp_path: Path
) -> None:
    plain_old, plain_new = go_on(before, {"new": NEW}, config(), tmp_path / "plain")
    assert plain_new > 0.95

    few = rows(1, 40, "old")
    train = {"new": NEW, "old": replace(few, old=len(few), old_share=0.5)}
    replay_old, replay_new = go_on(before, train, config(), tmp_path / "replay")

    # Its answers to the new task's texts, as a run records them; no old row is seen.
    teacher = model()
    load_trained(teacher, before)
    said = softmax(logits_of(teacher, NEW, "old"), TEMPERATURE).astype(np.float32)
    chosen = config(remember={"weight": 2.0, "temperature": TEMPERATURE, "bundle": "b"})
    remembered = {"new": replace(NEW, before={"old": said})}
    kept_old, kept_new = go_on(before, remembered, chosen, tmp_path / "penalty")

    assert plain_old < 0.9, "plain training forgot nothing: the test shows nothing"
    for old, new in ((replay_old, replay_new), (kept_old, kept_new)):
        assert old > plain_old + 0.08
        assert old > 0.93
        assert new > 0.93


def test_old_rows_have_their_share_of_every_batch_and_lengthen_no_epoch() -> None:
    new, few = rows(1, 60, "new"), rows(2, 10, "new")
    both = Rows(
        (*new.ids, *few.ids),
        np.concatenate([new.labels, few.labels + 10]),
        np.repeat([0, 1], [60, 10]),
        old=10,
        old_share=0.25,
    )
    alone = replace(rows(5, 500, "old"), old=500, old_share=0.25)
    heads, sizes = {"new": both, "old": alone}, {"new": 16, "old": 16}
    assert steps_per_epoch(heads, sizes) == 5  # 60 new rows, 12 of each batch
    steps = list(epoch_steps(heads, sizes, 1, 0))
    assert len(steps) == 5
    seen = np.concatenate([step["new"].labels[step["new"].sources == 0] for step in steps])
    assert len(seen) == 60
    for step in steps:
        assert 1 <= (step["new"].sources == 1).sum() <= 4
        assert ((step["new"].labels.astype(int) >= 10) == (step["new"].sources == 1)).all()
        assert len(step["old"].labels) == 4
    # New rows come in the order they would come in without old ones.
    plain = {"new": new}
    fresh = [step["new"].labels.tolist() for step in epoch_steps(plain, {"new": 12}, 1, 0)]
    assert fresh == [s["new"].labels[s["new"].sources == 0].tolist() for s in steps]


def test_a_set_of_less_weight_moves_the_model_less() -> None:
    data = [{"head": "new", "file": "gold"}, {"head": "new", "file": "guessed", "weight": 0.25}]
    heads: dict[str, Any] = {"new": {}}
    light = make_config({"heads": heads, "data": data, "fit": {"precision": "float32"}}, "test")
    sources = np.repeat([0, 1], 160)
    mixed = replace(NEW, sources=sources)
    made = model().eval()
    objective = Objective(made, {"new": mixed}, light)
    with torch.no_grad():
        objective.offsets["new"].zero_()
        gold, guessed, both = (
            float(objective.loss(made, "new", padded(mixed, range(*span))))
            for span in ((0, 16), (160, 176), (152, 168))
        )
        plain = make_config(
            {"heads": heads, "data": [data[0], data[0]], "fit": {"precision": "float32"}}, "test"
        )
        whole = Objective(made, {"new": mixed}, plain)
        full = [
            float(whole.loss(made, "new", padded(mixed, span)))
            for span in (range(0, 16), range(160, 176), range(152, 160), range(160, 168))
        ]
    assert gold == pytest.approx(full[0], rel=1e-5)
    assert guessed == pytest.approx(0.25 * full[1], rel=1e-5)
    # A row of less weight still counts as a row.
    assert both == pytest.approx((full[2] + 0.25 * full[3]) / 2, rel=1e-5)
