"""Several bundles measured as one: the mean of their calibrated probabilities, if their labels agree."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is in foreshock[train]")

from typer.testing import CliRunner

from models.bundle import Bundle, load_bundle, write_manifest
from models.classifier import Classifier
from models.labels import Head, HeadKind
from models.metrics import measure
from monitor.cli.model import COMMANDS
from tests.unit.models.compress import tiny

pytestmark = pytest.mark.filterwarnings(
    "ignore"
)  # torch and transformers warn of their own insides

MOODS = tiny.HEADS[1].labels


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Bundle]:
    folder = tmp_path_factory.mktemp("ensemble")
    base = tiny.base(folder / "base")
    return [tiny.bundle(folder / f"m{seed}", base, f"m{seed}", seed) for seed in (5, 6, 7)]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "moods.jsonl"
    rows = [{"mood": MOODS[i % 3], "text": f"{text} {i}"} for i, text in enumerate(tiny.TEXTS * 6)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def evaluate(file: Path, *arguments: object) -> tuple[int, str, str]:
    import typer

    app = typer.Typer()
    for command in COMMANDS:
        app.command()(command)
    done = CliRunner().invoke(
        app,
        ["evaluate", str(file), "--task", "sentiment", "--text", "text", "--label", "mood",
         "--engine", "openvino", *map(str, arguments)],
    )  # fmt: skip
    return done.exit_code, done.stdout, done.stderr


def test_the_mean_of_calibrated_probabilities_is_measured(
    bundles: list[Bundle], file: Path
) -> None:
    models = [option for bundle in bundles for option in ("--model", bundle.folder)]
    code, out, error = evaluate(file, *models, "--json")
    assert code == 0, error
    found = json.loads(out)
    texts = [json.loads(line)["text"] for line in file.read_text().splitlines()]
    each = [
        Classifier.load(b.folder, "openvino").probabilities(texts)["sentiment"] for b in bundles
    ]
    expected = measure(np.arange(len(texts)) % 3, np.mean(each, axis=0))
    assert found["ece"] == pytest.approx(expected.ece, abs=1e-9)
    assert found["confusion"]["rows_are_truth"] == expected.confusion.tolist()
    alone = [measure(np.arange(len(texts)) % 3, p) for p in each]
    assert all(abs(one.ece - expected.ece) > 1e-4 for one in alone)
    assert all(f"m{seed} 1 (" in found["model"] for seed in (5, 6, 7))


def test_other_labels_are_refused(bundles: list[Bundle], file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for path in bundles[0].folder.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    turned = Head("sentiment", HeadKind.SINGLE, MOODS[::-1])
    write_manifest(replace(load_bundle(other), folder=other, heads=(tiny.HEADS[0], turned)))
    code, out, error = evaluate(file, "--model", bundles[0].folder, "--model", other)
    assert (code, out) == (2, "")
    assert "positive, neutral, negative" in error
    assert "same labels in the same order" in error
    # A head that is not asked about may differ.
    topics = file.with_name("topics.jsonl")
    topics.write_text('{"topic": "Macro", "text": "deal"}\n')
    arguments = ("--task", "topic", "--label", "topic")
    models = ("--model", bundles[0].folder, "--model", other)
    assert evaluate(topics, *arguments, *models)[0] == 0


def test_perturbing_takes_one_model(bundles: list[Bundle], file: Path) -> None:
    models = ("--model", bundles[0].folder, "--model", bundles[1].folder)
    code, _, error = evaluate(file, *models, "--perturb")
    assert code == 2
    assert "give one --model" in error
