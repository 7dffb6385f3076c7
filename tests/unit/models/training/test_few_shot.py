"""Few-shot training: what is drawn, which pairs are made, and that it beats a head on the frozen base."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in foreshock[train]")

from models.adapters import adapted  # noqa: E402
from models.base import Base  # noqa: E402
from models.bundle import load_bundle  # noqa: E402
from models.dataset.embed import pooled  # noqa: E402
from models.encoder import MultiHead, build  # noqa: E402
from models.errors import DataError, ModelError  # noqa: E402
from models.labels import Head, HeadKind  # noqa: E402
from models.training.batches import Rows  # noqa: E402
from models.training.config import TrainConfig, make_config  # noqa: E402
from models.training.data import load_sources  # noqa: E402
from models.training.few_shot import contrast, drawn, pairs, start_head  # noqa: E402
from models.training.fitted import Places  # noqa: E402
from models.training.loop import Watch, logits_of  # noqa: E402
from models.training.run import train  # noqa: E402
from tests.unit.models.compress import tiny  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

# A text is about the one of these words that stands somewhere in it.
SUBJECTS = ("profit", "bank", "oil")


def text(rng: random.Random, label: int) -> str:
    words = rng.choices("abcdefghijklmnopqrst", k=8)
    words.insert(rng.randrange(9), SUBJECTS[label])
    return " ".join(words)


@pytest.fixture(scope="module")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny.base(tmp_path_factory.mktemp("few-shot") / "tiny-bert")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = random.Random(3)
    path = tmp_path_factory.mktemp("labelled") / "subjects.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["split", "subject", "text"])
        for split, count in (("train", 300), ("valid", 60), ("test", 150)):
            for i in range(count):
                writer.writerow([split, SUBJECTS[i % 3], text(rng, i % 3)])
    return path


def config(path: Path, base: Base | None = None, **sections: Any) -> TrainConfig:
    table = {
        "heads": {"subject": {"batch": 8}},
        "data": [{"head": "subject", "file": str(path)}],
        "adapter": {"kind": "full"},
        "fit": {"lr": 3e-3, "epochs": 3, "precision": "float32"},
        "few_shot": {"shots": 8},
        "track": "none",
        "max_tokens": 32,
    }
    if base is not None:
        table["base"] = str(base.folder)
    return make_config(table | sections, "test")


def test_as_many_rows_of_each_label_are_drawn_by_seed(labelled: Path) -> None:
    sources = load_sources(config(labelled))
    (few,) = drawn(sources, 8, 13)
    part = few.splits["train"]
    assert Counter(part.labels.tolist()) == {0: 8, 1: 8, 2: 8}
    whole = sources[0].splits["train"]
    known = dict(zip(whole.texts, whole.labels.tolist(), strict=True))
    assert all(known[t] == n for t, n in zip(part.texts, part.labels.tolist(), strict=True))
    assert few.splits["valid"] == sources[0].splits["valid"]
    assert drawn(sources, 8, 13)[0].splits["train"].texts == part.texts
    assert drawn(sources, 8, 14)[0].splits["train"].texts != part.texts


def test_a_label_without_a_row_is_named(labelled: Path) -> None:
    chosen = config(labelled, heads={"subject": {"labels": [*SUBJECTS, "gold"]}})
    with pytest.raises(DataError, match="no row of split 'train' has the label 'gold'"):
        drawn(load_sources(chosen), 8, 13)


def test_pairs_agree_and_differ_as_they_say() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    found = pairs(labels, 5, np.random.default_rng(0))
    assert Counter(same for _, _, same in found) == {True: 30, False: 30}
    assert all((labels[a] == labels[b]) == same for a, b, same in found)
    assert Counter(a for a, _, _ in found) == dict.fromkeys(range(6), 10)
    assert all(a != b for a, b, same in found if same and labels[a] != 2)
    assert (5, 5, True) in found  # alone with its label


@pytest.mark.parametrize("labels", [2, 3])
def test_a_head_starts_as_logistic_regression(labels: int, tiny_base: Base) -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(1)
    ids = tuple(list(map(int, rng.integers(8, 40, 6))) for _ in range(40))
    rows = Rows(ids, rng.integers(0, labels, 40), np.zeros(40, dtype=np.int64))
    head = Head("mood", HeadKind.SINGLE, tuple(map(str, range(labels))))
    model = build(tiny_base, [head])
    start_head(model, "mood", rows, 0)
    features = pooled(model, rows.ids, unit=False)
    scaled = features / np.linalg.norm(features, axis=1).mean()
    expected = LogisticRegression(C=10.0, max_iter=1_000).fit(scaled, rows.labels)
    logits = logits_of(model, rows, "mood").astype(np.float64)
    found = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(found, expected.predict_proba(scaled), atol=1e-3)


def test_pairs_move_the_encoder_as_its_adapter_lets_them_and_leave_it_frozen(
    labelled: Path, tiny_base: Base
) -> None:
    chosen = config(labelled, few_shot={"shots": 4, "rounds": 2})
    model: MultiHead = build(tiny_base, [Head("subject", HeadKind.SINGLE, SUBJECTS)])
    model.encoder = adapted(model.encoder, {"kind": "lora", "rank": 4})
    before = {k: v.clone() for k, v in model.encoder.state_dict().items()}
    rng = np.random.default_rng(0)
    ids = tuple(list(map(int, rng.integers(8, 40, 6))) for _ in range(12))
    rows = Rows(ids, np.arange(12) % 3, np.zeros(12, dtype=np.int64))
    steps: list[tuple[int, int]] = []
    contrast(model, {"subject": rows}, chosen, Watch(step=lambda i, n, loss: steps.append((i, n))))
    moved = [k for k, v in model.encoder.state_dict().items() if not torch.equal(v, before[k])]
    assert moved and all("lora_" in name for name in moved)
    assert steps == [(1, 3), (2, 3), (3, 3)]  # 12 rows, 2 rounds, 2 pairs each, 16 a step
    assert not any(p.requires_grad for p in model.encoder.parameters())
    assert all(p.requires_grad for p in model.heads.parameters())


def test_few_shot_beats_a_head_on_the_frozen_base_and_writes_a_bundle(
    labelled: Path, tiny_base: Base, tmp_path: Path
) -> None:
    chosen = config(labelled, tiny_base)
    folder = train(chosen, Places(out=tmp_path / "few", work=tmp_path / "work"))
    bundle = load_bundle(folder)
    figures = bundle.metrics["subject subjects"]
    assert figures["split"] == "test"
    # The baseline has the same 24 rows, so the distance is what the pairs taught.
    assert figures["float32"]["accuracy"] > figures["frozen base"]["accuracy"] + 0.1
    assert bundle.data[0]["rows"] == {"train": 24, "valid": 60, "test": 150}
    assert bundle.training["few_shot"] == {"shots": 8, "rounds": 20, "batch": 16}
    assert "few-shot: 8 rows of each label" in (folder / "MODEL_CARD.md").read_text()
    progress = json.loads((tmp_path / "work" / "progress.json").read_text())
    assert progress["config"]["few_shot.shots"] == 8
    with pytest.raises(ModelError, match=r"made with few_shot.shots=8"):
        train(
            config(labelled, tiny_base, few_shot={"shots": 4, "rounds": 1}),
            Places(out=tmp_path / "other", work=tmp_path / "work", resume=True),
        )


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"adapter": {"kind": "frozen"}}, "adapter.kind: few-shot pairs teach the encoder"),
        ({"adapter": {"kind": "adalora"}}, "take full, lora, dora or ia3"),
        ({"heads": {"subject": {"kind": "multi"}}}, "heads.subject.kind: few-shot pairs need"),
        (
            {
                "heads": {"subject": {}, "guest": {"batch": 0}},
                "data": [{"head": head, "file": "subjects.csv"} for head in ("subject", "guest")],
            },
            "heads.guest.batch: few-shot training needs rows per step",
        ),
    ],
)
def test_what_cannot_learn_from_pairs_is_refused(sections: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        config(Path("subjects.csv"), **sections)
