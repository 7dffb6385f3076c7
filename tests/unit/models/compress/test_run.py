"""Every method from a bundle to a bundle, measured, and the engines agree on what came out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from models.base import Base
from models.bundle import Bundle, load_bundle
from models.classifier import Classifier
from models.compress.run import METHODS
from models.registry import verify
from monitor.cli.bundles import models_app
from tests.unit.models.compress import tiny

pytestmark = pytest.mark.filterwarnings("ignore")


def invoke(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(models_app, ["compress", *map(str, arguments)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("method", METHODS)
def test_a_bundle_comes_out_and_is_measured(
    method: str, tiny_bundle: Bundle, labelled: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, printed, said = invoke(
        "--method", method, "--out", out, "--model", tiny_bundle.folder, "--data", labelled,
        "--task", "topic", "--split", "test", "--threads", "1", "--json",
    )  # fmt: skip
    assert code == 0, said
    found = json.loads(printed)
    for side in ("before", "after"):
        assert 0 <= found[side]["accuracy"] <= 1
        assert 0 <= found[side]["macro_f1"] <= 1
        assert found[side]["docs_per_s"] > 0
        assert found[side]["size_mb"] > 0
    assert verify(out) == []
    made = load_bundle(out)
    assert made.training["compressed"]["hash"] == tiny_bundle.hash
    served, exact = (
        Classifier.load(out, engine=e).logits(tiny.TEXTS) for e in ("openvino", "torch")
    )
    # bfloat16 keeps 8 bits: 1 in 256 of a logit of about 13, a few times over.
    allowed = {"int8": 1.0, "bfloat16": 0.2}.get(made.precision["openvino"], 2e-3)
    for head, logits in exact.items():
        assert np.abs(served[head] - logits).max() < allowed
    if method in ("trim-vocabulary", "fp32"):
        same = Classifier.load(tiny_bundle.folder, engine="openvino").logits(tiny.TEXTS)
        for head, logits in same.items():
            assert served[head] == pytest.approx(logits, abs=1e-4)


def test_a_base_comes_out_of_a_base(tiny_bundle: Bundle, tiny_base: Base, tmp_path: Path) -> None:
    out = tmp_path / "shallow"
    code, printed, said = invoke(
        "--method", "drop-layers", "--base", tiny_base.folder, "--out", out, "--layers", 1
    )
    assert code == 0, said
    assert "layers (top): 2 -> 1" in printed
    assert json.loads((out / "config.json").read_text())["num_hidden_layers"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--method", "prune-heads"], "name a file with --data"),
        (["--method", "int8"], "name some with --texts or --data"),
        (["--method", "trim-vocabulary"], "name some with --texts or --data"),
        (["--method", "drop-layers", "--layers", "2"], "expected from 1 to 1"),
        (["--method", "int8", "--base", "."], "needs a trained bundle"),
    ],
)
def test_what_is_missing_is_said(
    arguments: list[str], said: str, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    if "--base" not in arguments:
        arguments = [*arguments, "--model", str(tiny_bundle.folder)]
    code, _, error = invoke(*arguments, "--out", tmp_path / "out")
    assert code == 2
    assert said in error


def test_nothing_is_overwritten(tiny_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    code, _, error = invoke("--method", "fp32", "--model", tiny_bundle.folder, "--out", tmp_path)
    assert code == 2
    assert "is there already" in error


@pytest.mark.parametrize(
    "method",
    [
        {"kind": "bottleneck", "reduction": 4, "layout": "houlsby"},
        {"kind": "prefix", "length": 3},
        {"kind": "prompt", "length": 3},
    ],
    ids=lambda method: method["kind"],
)
def test_an_adapter_that_stays_is_compressed_with_its_encoder(
    method: dict[str, Any], tiny_base: Base, labelled: Path, tmp_path: Path
) -> None:
    source = tiny.bundle(tmp_path / "source", tiny_base, method=method)
    plain = tiny.bundle(tmp_path / "plain", tiny_base)
    given = ["--model", source.folder, "--data", labelled, "--task", "topic", "--split", "test"]

    def topic(folder: Path, engine: str) -> Any:
        return Classifier.load(folder, engine=engine).logits(tiny.TEXTS)["topic"]

    for name in ("int8", "drop-layers"):
        code, _, said = invoke("--method", name, "--out", tmp_path / name, *given)
        assert code == 0, said
    # Without it the answers are others; a graph and the model of one bundle answer alike.
    assert np.abs(topic(source.folder, "torch") - topic(plain.folder, "torch")).max() > 0.1
    for folder in (source.folder, tmp_path / "drop-layers"):
        assert topic(folder, "openvino") == pytest.approx(topic(folder, "torch"), abs=1e-4)
    exact = topic(tmp_path / "int8", "torch")
    # Random weights take int8 worse than trained ones.
    assert np.abs(topic(tmp_path / "int8", "openvino") - exact).max() < np.abs(exact).max() / 4
    code, _, said = invoke("--method", "prune-heads", "--out", tmp_path / "less", *given)
    assert code == 2
    assert f"cut through the {method['kind']} adapter of tiny" in " ".join(said.split())
