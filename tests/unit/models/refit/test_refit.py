"""Heads fitted anew: what they learn, what they keep, and a bundle that serves exactly that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.bundle import FILES, TOKENIZER, Bundle, load_bundle
from models.classifier import Classifier
from models.errors import ModelError
from models.labels import HeadKind
from models.refit.features import HeadInputs
from models.refit.fit import Examples, HeadWeights, fit_head, labelled, said
from models.refit.minimise import minimum
from models.refit.write import head_weights, write_refit
from models.registry import verify

TEXTS = [
    f"{who} {what}" for who in ("Acme", "Bank", "Oil major") for what in ("rises", "sues", "x")
]


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return load_bundle()


@pytest.fixture(scope="module")
def reader(shipped: Bundle) -> HeadInputs:
    return HeadInputs(shipped, shipped.heads)


def test_what_heads_read_gives_what_the_bundle_serves(shipped: Bundle, reader: HeadInputs) -> None:
    served = Classifier.load(shipped.folder, "openvino")
    logits = served.logits(TEXTS)
    for head in shipped.heads:
        targets = ["Acme"] * len(TEXTS)
        found = head_weights(shipped, head.name).logits(reader.of(head.name, TEXTS, targets))
        expected = logits[head.name]
        if head.kind is HeadKind.TARGET:
            expected = served.target_logits(TEXTS, [["Acme"]] * len(TEXTS))
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_bundle_serves_the_other_head_and_nothing_else_changes(
    shipped: Bundle, reader: HeadInputs, tmp_path: Path
) -> None:
    start = head_weights(shipped, "sentiment")
    new = HeadWeights(-start.weight, start.bias + 0.25)
    made = write_refit(
        shipped,
        tmp_path / "made",
        {"sentiment": new},
        version="4+1",
        training={"refit": {"number": 1}},
        data=shipped.data,
        card="# a card",
    )
    assert verify(made.folder) == []
    assert made.hash != shipped.hash and made.version == "4+1"
    assert made.files[TOKENIZER] == shipped.files[TOKENIZER]
    assert {p.name for p in made.folder.iterdir()} == {*FILES, "bundle.json", "MODEL_CARD.md"}
    before, after = (
        Classifier.load(each.folder, "openvino").outputs(TEXTS) for each in (shipped, made)
    )
    for name in before:
        if name == "sentiment":
            expected = new.logits(reader.of("sentiment", TEXTS))
            np.testing.assert_allclose(after[name], expected, atol=1e-4)
        else:
            np.testing.assert_array_equal(after[name], before[name])
    with pytest.raises(ModelError, match="is there already"):
        write_refit(shipped, made.folder, {}, version="5", training={}, data=(), card="")


def rows(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(count, 6))
    return features, (features[:, 0] > 0).astype(np.int64)


def test_a_head_learns_the_new_and_keeps_the_old() -> None:
    old, truth = rows(400, 1)
    start = HeadWeights(np.array([[-3.0] + [0.0] * 5, [3.0] + [0.0] * 5]), np.zeros(2))
    assert (start.logits(old).argmax(axis=1) == truth).mean() == 1.0
    # A corner of the inputs where the answer is always the second.
    new = old[:100] + np.array([0, 6.0, 0, 0, 0, 0])
    fresh = Examples(new, labelled(HeadKind.SINGLE, np.ones(100, int), 2), np.ones(100))
    kept = Examples(old[200:], said(HeadKind.SINGLE, start.logits(old[200:])), np.ones(200))

    def learns(head: HeadWeights) -> float:
        return float((head.logits(new).argmax(axis=1) == 1).mean())

    def keeps(head: HeadWeights) -> float:
        return float((head.logits(old[100:200]).argmax(axis=1) == truth[100:200]).mean())

    assert learns(start) < 0.7
    mindful = fit_head(HeadKind.SINGLE, start, fresh, kept, share=0.8, strength=1e-3)
    assert learns(mindful) > 0.9 and keeps(mindful) > 0.9
    forgetful = fit_head(HeadKind.SINGLE, start, fresh, None, strength=1e-3)
    assert learns(forgetful) == 1.0 and keeps(forgetful) < keeps(mindful) - 0.2
    held = fit_head(HeadKind.SINGLE, start, fresh, kept, share=0.8, strength=1e3)
    np.testing.assert_allclose(held.weight, start.weight, atol=1e-2)


def test_a_head_with_several_labels_learns_each() -> None:
    features, first = rows(300, 2)
    truth = np.stack([first, (features[:, 1] > 0.5).astype(np.int64)], axis=1)
    start = HeadWeights(np.zeros((2, 6)), np.zeros(2))
    new = Examples(features, labelled(HeadKind.MULTI, truth, 2), np.ones(300))
    found = fit_head(HeadKind.MULTI, start, new, None, strength=1e-4)
    assert ((found.logits(features) > 0) == (truth > 0)).mean() > 0.97


def test_the_minimum_of_a_narrow_valley_is_found() -> None:
    def valley(at: np.ndarray) -> tuple[float, np.ndarray]:
        x, y = at
        value = (1 - x) ** 2 + 100 * (y - x * x) ** 2
        return float(value), np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])

    np.testing.assert_allclose(minimum(valley, np.array([-1.2, 1.0]), 200), [1, 1], atol=1e-4)
