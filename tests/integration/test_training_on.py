"""Training that goes on from a bundle: a new head beside an old one replayed and an old one remembered."""

from __future__ import annotations

import csv
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in foreshock[train]")
pytest.importorskip("nncf", reason="nncf is in foreshock[train]")

from models.base import Base  # noqa: E402
from models.bundle import CARD, Bundle, load_bundle  # noqa: E402
from models.classifier import Classifier  # noqa: E402
from models.errors import DataError, ModelError  # noqa: E402
from models.training.config import TrainConfig, make_config  # noqa: E402
from models.training.data import load_sources  # noqa: E402
from models.training.fitted import Places  # noqa: E402
from models.training.loop import Watch  # noqa: E402
from models.training.replay import with_old_sets  # noqa: E402
from models.training.run import train  # noqa: E402
from tests.unit.models.compress import tiny  # noqa: E402

pytestmark = [pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore")]

PHRASES: Mapping[str, Mapping[str, str]] = {
    "topic": {"Dividend": "cuts dividend", "Energy | Oil": "oil deal"},
    "sentiment": {"negative": "profit falls", "neutral": "bank deal", "positive": "profit rises"},
    "event": {"ipo": "bank lists", "split": "oil splits"},
}
FIT = {"lr": 1e-2, "epochs": 12, "patience": 12, "precision": "float32", "average": 0.5}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny.base(tmp_path_factory.mktemp("base") / "tiny-bert")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelled")
    rng = random.Random(5)
    for head, phrases in PHRASES.items():
        rows = [
            [split, label, f"{rng.choice('abcdefgh')} {phrases[label]} {number} {split}"]
            for split, count in (("train", 60), ("valid", 18), ("test", 18))
            for number in range(count)
            for label in [list(phrases)[number % len(phrases)]]
        ]
        _write(folder / f"{head}.csv", head, rows)
    # As `foreshock data pseudo-label` writes them: of split train alone.
    guessed = [
        ["train", label, f"{p} x {i}"] for label, p in PHRASES["event"].items() for i in "abc"
    ]
    _write(folder / "guessed.csv", "event", guessed)
    return folder


def _write(path: Path, head: str, rows: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["split", head, "text"], *rows])


def recipe(data: list[dict[str, Any]], **more: Any) -> TrainConfig:
    heads = {entry["head"]: {"batch": 8} for entry in data}
    table = {"max_tokens": 32, "fit": FIT, "track": "none", "adapter": {"rank": 8}, "data": data}
    return make_config(table | {"heads": heads | more.pop("heads", {})} | more, "test")


@pytest.fixture(scope="module")
def first(base: Base, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("first") / "first"
    sets = [{"head": h, "file": f"{h}.csv"} for h in ("topic", "sentiment")]
    chosen = recipe(sets, base=str(base.folder), name="first", baseline=False)
    return load_bundle(train(chosen, Places(out, out.with_name("work"), beside=data)))


def labels(bundle: Bundle, head: str, engine: str) -> list[str]:
    texts = [f"a {p} {i} test" for p in PHRASES[head].values() for i in range(12)]
    found = Classifier.load(bundle.folder, engine).probabilities(texts)[head]
    return [bundle.labels[head][i] for i in found.argmax(axis=1).tolist()]


def right(bundle: Bundle, head: str, engine: str = "openvino") -> float:
    truth = [label for label in PHRASES[head] for _ in range(12)]
    return float(
        np.mean([a == b for a, b in zip(labels(bundle, head, engine), truth, strict=True)])
    )


def test_a_run_goes_on_from_a_bundle(first: Bundle, data: Path, tmp_path: Path) -> None:
    assert right(first, "sentiment") > 0.9
    assert right(first, "topic") > 0.9
    sets: list[dict[str, Any]] = [
        {"head": "topic", "file": "topic.csv", "replay": True},
        {"head": "event", "file": "event.csv"},
        {"head": "event", "file": "guessed.csv", "weight": 0.25},
    ]
    chosen = recipe(
        sets,
        heads={"sentiment": {}},
        start=str(first.folder),
        remember={"weight": 5.0},
        augment={"share": 0.3},
        fit=FIT | {"lr": 5e-3, "epochs": 8},
        name="second",
    )
    notes: list[str] = []
    places = Places(tmp_path / "second", tmp_path / "work", beside=data)
    second = load_bundle(train(chosen, places, Watch(note=notes.append)))
    assert any("goes on from first, with its heads topic, sentiment" in note for note in notes)
    assert set(second.labels) == {"topic", "event", "sentiment"}
    assert right(second, "event") > 0.9
    # The old heads still answer: one by a few old rows, one by the old model's answers alone.
    assert right(second, "topic") > 0.9
    assert right(second, "sentiment") > 0.8
    assert second.temperatures["sentiment"] == first.temperatures["sentiment"]
    # The base it names and its own weights make the same model.
    assert second.base == first.base
    for head in PHRASES:
        assert labels(second, head, "torch") == labels(second, head, "openvino")
    assert second.training["start"]["hash"] == first.hash
    assert second.training["remember"]["weight"] == 5.0
    assert second.training["leaks"] == {
        "topic": {"same": 0, "near": second.training["leaks"]["topic"]["near"]},
        "event": {"same": 0, "near": second.training["leaks"]["event"]["near"]},
    }
    assert [entry["name"] for entry in second.data] == ["event", "guessed", "topic"]
    card = (second.folder / CARD).read_text()
    assert f"goes on from `first 1` (bundle hash `{first.hash}`), kept to its answers" in card
    assert str(tmp_path) not in card + (second.folder / "bundle.json").read_text()


def test_a_bundle_says_where_its_sets_are_and_replays_them(first: Bundle, data: Path) -> None:
    sets = [{"head": "event", "file": "event.csv"}]
    heads: dict[str, Any] = {"topic": {}}
    chosen = with_old_sets(recipe(sets, heads=heads, replay={"bundle": str(first.folder)}))
    assert [(e.head, e.file, e.replay) for e in chosen.data] == [
        ("event", "event.csv", False),
        ("topic", "topic.csv", True),  # not sentiment: the recipe has no such head
    ]
    assert len(load_sources(chosen, data)) == 2
    changed = data / "topic.csv"
    whole = changed.read_bytes()
    changed.write_bytes(whole + b"train,Dividend,one more\n")
    try:
        with pytest.raises(
            DataError, match=r"topic\.csv: its SHA-256 starts .* the recipe expects"
        ):
            load_sources(chosen, data)
    finally:
        changed.write_bytes(whole)
    with pytest.raises(ModelError, match="was trained on no set of a head of this recipe"):
        with_old_sets(recipe(sets, replay={"bundle": str(first.folder)}))


def test_a_head_nobody_knows_is_one_clear_error(first: Bundle, data: Path, tmp_path: Path) -> None:
    chosen = recipe(
        [{"head": "event", "file": "event.csv"}],
        heads={"mood": {}},
        start=str(first.folder),
        remember={"weight": 1.0},
    )
    with pytest.raises(
        ModelError, match=r"heads.mood: no \[\[data\]\] entry trains it, and .* has no"
    ):
        train(chosen, Places(tmp_path / "out", tmp_path / "work", beside=data))
