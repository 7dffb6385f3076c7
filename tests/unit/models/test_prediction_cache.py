"""Kept predictions are the predictions, to the last bit, of the bundle that was asked."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from models.classifier import Prediction
from models.errors import ModelError
from models.prediction_cache import PredictionCache


def prediction(number: int) -> Prediction:
    chance = np.random.default_rng(number)
    low, middle, high = chance.dirichlet((1, 1, 1)).tolist()
    return Prediction(
        topic="Macro",
        topic_probability=float(chance.random()),
        sentiment="neutral",
        sentiment_probabilities=(low, middle, high),
        unsure=frozenset({"topic", "sentiment"}),
        events={"fraud": float(chance.random()), "fine": 0.1 + 0.2},
        embedding=chance.random(8, dtype=np.float32),
        model_version="m 1",
        bundle_hash="h",
    )


def test_what_is_kept_is_what_was_said(tmp_path: Path) -> None:
    asked: list[list[int]] = []

    def read(part: Sequence[int]) -> list[Prediction]:
        asked.append(list(part))
        return [prediction(n) for n in part]

    texts = [f"text {n}" for n in range(1200)]
    for _ in range(2):
        with closing(PredictionCache(tmp_path / "kept" / "p.db")) as cache:
            found = cache.through("bundle", [*texts, texts[3]], read)
        assert found == [*(prediction(n) for n in range(1200)), prediction(3)]
        assert list(found[5].events) == ["fraud", "fine"]
        first, kept = prediction(5).embedding, found[5].embedding
        assert first is not None
        assert kept is not None
        assert first.tobytes() == kept.tobytes()
    assert len(asked) == 1


def test_another_bundle_is_asked_anew(tmp_path: Path) -> None:
    with closing(PredictionCache(tmp_path / "p.db")) as cache:
        cache.through("one", ["a"], lambda part: [Prediction(topic="x")])
        (found,) = cache.through("two", ["a"], lambda part: [Prediction(topic="y")])
        assert found.topic == "y"


def test_no_cache_there(tmp_path: Path) -> None:
    (tmp_path / "p.db").write_text("not a database, and long enough to be taken for one" * 99)
    with pytest.raises(ModelError, match="cannot keep predictions there"):
        PredictionCache(tmp_path / "p.db")
