"""Every engine reads the shipped bundle alike.

The stated tolerance: float32 engines (torch on the CPU, exported ONNX) give the same labels and logits
within 1e-3; the shipped graph, int8, agrees with them on at least nine of ten labels of each head.
"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="onnxruntime is in foreshock[train]")

from models.bundle import load_bundle
from models.classifier import Classifier
from models.compress.onnx_graph import OnnxEngine, export_onnx
from models.compress.trained import load_trained
from models.engines import Engine
from models.engines.choice import ENGINES

pytestmark = pytest.mark.filterwarnings("ignore")
FLOAT_TOLERANCE = 1e-3
INT8_AGREEMENT = 0.9
WHO = ("Acme", "Brightwater Bank", "the ECB", "Zephyr Oil & Gas", "Orion Pharma", "U.S. stocks")
DID = ("cuts dividend after heavy loss", "beats forecasts, shares surge", "to hold annual meeting",
       "raises full-year outlook", "sued by regulator over disclosures", "prices $2 bln bond",
       "crude slips 3% on inventories", "names new chief executive", "agrees to buy Nimbus")  # fmt: skip


def texts() -> list[str]:
    pairs = [f"{who} {did}" for who in WHO for did in DID]
    return random.Random(2).sample(pairs, 50)


def test_all_engines_agree_on_the_shipped_bundle(tmp_path: Path) -> None:
    from models.engines.openvino import OpenVinoEngine
    from models.engines.torch import TorchEngine

    bundle = load_bundle()
    exported = tmp_path / "model.onnx"
    export_onnx(load_trained().model, exported)
    engines: dict[str, Engine] = {
        "openvino": OpenVinoEngine(bundle, threads=1),
        "torch": TorchEngine(bundle, device="cpu"),
        "onnx": OnnxEngine(exported, list(bundle.outputs), threads=1),
    }
    assert set(ENGINES) - {"auto"} <= set(engines), "a new engine has to be added here"
    logits = {name: Classifier(bundle, e, "").logits(texts()) for name, e in engines.items()}
    for head, exact in logits["torch"].items():
        for name, found in logits.items():
            same = float((found[head].argmax(axis=1) == exact.argmax(axis=1)).mean())
            apart = float(np.abs(found[head] - exact).max())
            print(f"{head} {name}: labels agree {same:.2f}, logits differ {apart:.4f} at most")
            if name == "openvino" and bundle.precision["openvino"] == "int8":
                assert same >= INT8_AGREEMENT, f"{head} of {name}"
            else:
                assert same == 1.0, f"{head} of {name}"
                assert apart <= FLOAT_TOLERANCE, f"{head} of {name}"
