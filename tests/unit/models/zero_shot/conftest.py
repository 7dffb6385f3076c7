"""Toy news, what its labels mean, and a tiny base that learnt to say so under a mask."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is in foreshock[train]")

from models.base import Base
from models.bundle import Bundle
from models.pretraining.loop import Fit
from models.pretraining.run import Pretraining, pretrain
from tests.unit.models.compress import tiny

WORDS = {"up": ("rises", "profit"), "down": ("falls", "cuts")}
LABELS = """
mood:
  templates: ["{}", "the bank {}"]
  patterns: ["{} it [MASK]", "{} so it [MASK]"]
  labels:
    up: {descriptions: [profit rises, rises], words: [rises]}
    down: {descriptions: [dividend cuts, falls], words: [falls, unheardof]}
"""


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny.base(tmp_path_factory.mktemp("zero-shot") / "tiny-bert")


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory, tiny_base: Base) -> Bundle:
    return tiny.bundle(tmp_path_factory.mktemp("bundle") / "tiny", tiny_base)


@pytest.fixture(scope="session")
def labels_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "mood.yaml"
    path.write_text(LABELS)
    return path


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each text holds the second word of its label: the first is only to be said under the mask."""
    rng = random.Random(2)
    path = tmp_path_factory.mktemp("rows") / "moods.jsonl"
    rows = []
    for i in range(40):
        mood = list(WORDS)[i % 2]
        text = f"{WORDS[mood][1]} {rng.choice('abcdefgh')}"
        rows.append(json.dumps({"split": "test", "mood": mood, "text": text}))
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="session")
def learnt_base(tmp_path_factory: pytest.TempPathFactory, tiny_base: Base) -> Base:
    """Trained on unlabelled text where "it rises" follows profit and "it falls" follows cuts."""
    folder = tmp_path_factory.mktemp("learnt")
    rng = random.Random(1)
    lines = [
        f"{second} {rng.choice('abcdefgh')}{rng.choice(['', ' so'])} it {first}"
        for first, second in (rng.choice(list(WORDS.values())) for _ in range(400))
    ]
    numbered = [f"{line} {rng.choice('klmnopqrs')}" for line in lines]
    (folder / "news.txt").write_text("\n".join(lines + numbered))
    fit = Fit(epochs=30, batch=16, lr=2e-3, masked=0.3, precision="float32")
    base, _ = pretrain(
        Pretraining(
            [folder / "news.txt"],
            [],
            folder / "base",
            folder / "work",
            base=str(tiny_base.folder),
            max_tokens=32,
            fit=fit,
        )
    )
    return base
