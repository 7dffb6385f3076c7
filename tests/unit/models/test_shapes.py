"""Padding into few shapes changes no answer, and a row's mates change nothing of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in foreshock[train]")

from models.bundle import load_bundle  # noqa: E402
from models.classifier import Classifier  # noqa: E402
from models.encoder import restore  # noqa: E402
from models.engines.pieces import STEP  # noqa: E402
from models.engines.shapes import FixedShapes  # noqa: E402
from models.engines.torch import TorchEngine  # noqa: E402
from tests.unit.models.compress import tiny  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes")
    tiny.bundle(folder / "bundle", tiny.base(folder / "base"))
    return folder / "bundle"


def batches(*shapes: tuple[int, int]) -> list[np.ndarray]:
    return [RNG.integers(5, 40, shape).astype(np.int64) for shape in shapes]


def test_padded_says_what_unpadded_says(bundle: Path) -> None:
    # More rows than one pass holds, lengths of one bucket and of several, one row alone.
    given = batches((70, 5), (3, 16), (9, 17), (1, 30), (2, STEP - 1))
    loaded = load_bundle(bundle)
    exact = TorchEngine(loaded, device="cpu").run(given)
    found = FixedShapes(restore(loaded), tokens=8 * STEP).run(given)
    assert len(found) == len(given)
    for one, other, batch in zip(found, exact, given, strict=True):
        for a, b in zip(one, other, strict=True):
            assert a.shape == b.shape and len(a) == len(batch) and a.dtype == np.float32
            np.testing.assert_allclose(a, b, atol=2e-5)


def test_a_row_computes_the_same_whatever_its_mates(bundle: Path) -> None:
    (given,) = batches((20, 11))
    shapes = FixedShapes(restore(load_bundle(bundle)), tokens=8 * STEP)
    together = shapes.run([given])[0]
    for row in (0, 7, 19):
        alone = shapes.run([given[row : row + 1]])[0]
        assert all(np.array_equal(a[0], b[row]) for a, b in zip(alone, together, strict=True))


def test_results_outlive_the_next_run(bundle: Path) -> None:
    first, second = batches((4, 6), (4, 6))
    shapes = FixedShapes(restore(load_bundle(bundle)), tokens=8 * STEP)
    kept = shapes.run([first])[0]
    before = [head.copy() for head in kept]
    shapes.run([second])
    assert all(np.array_equal(a, b) for a, b in zip(kept, before, strict=True))


def test_texts_read_ahead_come_back_in_order(bundle: Path) -> None:
    loaded = load_bundle(bundle)
    engine = TorchEngine(loaded, device="cpu")
    texts = [tiny.TEXTS[i % len(tiny.TEXTS)] + " x" * (i % 7) for i in range(50)]
    whole = Classifier(loaded, engine, "test").outputs(texts)
    engine.window = 8
    windowed = Classifier(loaded, engine, "test").outputs(texts)
    for name, values in whole.items():
        np.testing.assert_allclose(windowed[name], values, atol=2e-5)
