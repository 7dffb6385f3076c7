"""Toy news whose last word follows from its first, and a tiny base to read them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is in foreshock[train]")

from models.base import Base
from tests.unit.models.compress import tiny

FOLLOWS = {"profit": "rises", "bank": "falls", "oil": "deal"}


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny.base(tmp_path_factory.mktemp("pretraining") / "tiny-bert")


@pytest.fixture(scope="session")
def news(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = random.Random(1)
    lines = []
    for _ in range(300):
        subject = rng.choice(list(FOLLOWS))
        middle = " ".join(rng.choices("abcdefghij", k=2))
        lines.append(f"{subject} {middle} {FOLLOWS[subject]}")
    path = tmp_path_factory.mktemp("texts") / "news.txt"
    path.write_text("\n".join(lines) + "\n\n")
    return path
