"""One tiny base and bundle for every test of this folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is in foreshock[train]")

from models.base import Base
from models.bundle import Bundle
from tests.unit.models.compress import tiny


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny.base(tmp_path_factory.mktemp("base") / "tiny-bert")


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory, tiny_base: Base) -> Bundle:
    return tiny.bundle(tmp_path_factory.mktemp("bundle") / "tiny", tiny_base)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A few rows of two splits."""
    path = tmp_path / "news.jsonl"
    names = tiny.HEADS[0].labels
    rows = [
        {"split": split, "topic": names[i % len(names)], "text": f"{text} {i}"}
        for split in ("train", "test")
        for i, text in enumerate(tiny.TEXTS * 3)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
