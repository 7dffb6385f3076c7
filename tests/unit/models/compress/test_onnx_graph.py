"""An exported file computes what torch computes, for any batch and length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnxruntime", reason="onnxruntime is in foreshock[train]")

from models.base import Base
from models.compress.onnx_graph import TOLERANCE, OnnxEngine, export_onnx
from models.compress.trained import outputs
from models.errors import BundleError
from tests.unit.models.compress import tiny

pytestmark = pytest.mark.filterwarnings("ignore")


def test_any_batch_and_length(tiny_base: Base, tmp_path: Path) -> None:
    model = tiny.model(tiny_base)
    path = tmp_path / "model.onnx"
    assert export_onnx(model, path) <= TOLERANCE
    engine = OnnxEngine(path, ["sentiment", "topic"], threads=1)
    for shape in ((1, 2), (1, 64), (7, 11)):
        ids = np.random.default_rng(1).integers(0, 60, shape)
        sentiment, topic = engine.run([ids])[0]
        with torch.inference_mode():
            expected = outputs(model, torch.from_numpy(ids))
        assert np.abs(sentiment - expected["sentiment"].numpy()).max() <= TOLERANCE
        assert np.abs(topic - expected["topic"].numpy()).max() <= TOLERANCE
    with pytest.raises(BundleError, match="no output 'risk'; it has topic, sentiment"):
        OnnxEngine(path, ["risk"])


def test_no_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"gone\.onnx"):
        OnnxEngine(tmp_path / "gone.onnx", ["topic"])
