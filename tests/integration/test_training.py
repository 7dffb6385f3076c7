"""Training end to end on a tiny base and a few dozen rows: bundle, engines, resuming."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is in foreshock[train]")
pytest.importorskip("nncf", reason="nncf is in foreshock[train]")

from models.base import resolve_base  # noqa: E402
from models.batches import Rows  # noqa: E402
from models.bundle import CARD, CURVE, load_bundle  # noqa: E402
from models.encoder import MultiHead, add_adapter, build, trained_state  # noqa: E402
from models.errors import ModelError  # noqa: E402
from models.fit import FitConfig, Watch, fit  # noqa: E402

pytestmark = [
    pytest.mark.timeout(300),
    # torch and transformers warn of their own insides.
    pytest.mark.filterwarnings("ignore"),
]

MAIN = """
import typer
from monitor.cli.model import COMMANDS
app = typer.Typer()
for command in COMMANDS:
    app.command()(command)
app()
"""
TOPICS = {
    "Earnings": "reports quarterly profit of",
    "Dividend": "declares quarterly dividend of",
    "Energy | Oil": "crude oil barrels pumped",
}
MOODS = {"negative": "plunges and warns", "neutral": "to hold meeting", "positive": "soars on beat"}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two narrow layers with the packaged base's tokenizer and fresh weights."""
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("tiny-bert")
    torch.manual_seed(1)
    config = BertConfig(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128
    )
    BertModel(config).save_pretrained(folder)
    tokenizer = resolve_base().folder / "tokenizer.json"
    (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelled")
    rng = random.Random(5)
    for task, phrases in (("topic", TOPICS), ("sentiment", MOODS)):
        with (folder / f"{task}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["split", task, "text"])
            for split, count in (("train", 36), ("valid", 12), ("test", 12)):
                for i in range(count):
                    label = list(phrases)[i % 3]
                    who = rng.choice(["Acme", "Orion", "Zephyr", "Nimbus"])
                    text = f"{who} {phrases[label]} {rng.randint(1, 99)} in {rng.randint(1, 12)}"
                    writer.writerow([split, label, text])
    return folder


def foreshock(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=250,
        # One thread: a pool of them costs more than it brings on matrices this small.
        env=os.environ | {"FORESHOCK_DATA": "/nonexistent", "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture(scope="module")
def trained(base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "tiny"
    done = foreshock(
        "train", "--out", out, "--topic", data / "topic.csv", "--sentiment", data / "sentiment.csv",
        "--base", base, "--method", "full", "--lr", "5e-3", "--epochs", "4", "--batch-size", "4",
        "--name", "tiny", "--version", "7", "--no-bfloat16",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "epoch 1: loss" in done.stderr
    return out


def evaluate(bundle: Path, data: Path, engine: str, task: str) -> dict[str, Any]:
    done = foreshock(
        "evaluate", data / f"{task}.csv", "--task", task, "--text", "text", "--label", task,
        "--model", bundle, "--engine", engine, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_training_writes_a_bundle_that_serves(trained: Path) -> None:
    bundle = load_bundle(trained)
    assert (bundle.name, bundle.version) == ("tiny", "7")
    assert bundle.method["kind"] == "full"
    assert bundle.training["epochs_run"] == 4
    assert [source["rows"] for source in bundle.data] == [{"train": 36, "valid": 12}] * 2
    assert all(len(source["sha256"]) == 64 for source in bundle.data)
    card = (trained / CARD).read_text()
    for words in ("frozen base", "float32 (torch)", "split test", "confusion", bundle.hash):
        assert words in card
    assert str(trained.parent) not in card
    assert (trained / CURVE).read_bytes().startswith(b"\x89PNG")
    assert not trained.with_name("tiny.part").exists()


def test_int8_and_float32_give_the_same_labels(
    trained: Path, data: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = evaluate(trained, data, "openvino", "topic")
    # The bundle keeps the base's name and hash, not this machine's path to it.
    monkeypatch.setenv("FORESHOCK_BASE", str(base))
    checked = evaluate(trained, data, "torch", "topic")
    assert served["confusion"] == checked["confusion"]
    # Three phrases, one topic each: a model that learnt anything tells them apart.
    assert served["accuracy"] > 0.95
    card = (trained / CARD).read_text()
    measured = load_bundle(trained).metrics["topic"]["int8"]
    assert f"accuracy     {measured['accuracy']:.4f}" in card


def test_a_second_run_does_not_overwrite_checkpoints(trained: Path, data: Path) -> None:
    done = foreshock(
        "train", "--out", trained, "--topic", data / "topic.csv",
        "--sentiment", data / "sentiment.csv",
    )  # fmt: skip
    assert done.returncode == 2
    assert "--resume" in done.stderr


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    done = foreshock("train", "--out", tmp_path / "b")
    assert done.returncode == 2
    assert "twitter_topic.csv.gz: no such file; name one with --topic" in done.stderr


def rows(seed: int, count: int) -> Rows:
    rng = random.Random(seed)
    labels = tuple(rng.randrange(3) for _ in range(count))
    ids = tuple([101, 2000 + label, *rng.choices(range(2100, 2200), k=3), 102] for label in labels)
    return Rows(ids, labels, tuple(i % 2 for i in range(count)))


def model(base: Path) -> MultiHead:
    torch.manual_seed(0)
    made = build(resolve_base(str(base)), {"topic": 3, "sentiment": 3})
    add_adapter(made, 4)
    return made


def test_a_resumed_run_ends_where_an_unbroken_one_does(base: Path, tmp_path: Path) -> None:
    train = {"topic": rows(1, 40), "sentiment": rows(2, 24)}
    valid = {"topic": rows(3, 12), "sentiment": rows(4, 12)}
    config = FitConfig(lr=1e-2, epochs=3, batch_size=8, patience=3)
    whole = model(base)
    curve = fit(whole, train, valid, config, tmp_path / "whole")

    class Killed(Exception):
        pass

    def die(epoch: object) -> None:
        raise Killed

    broken = tmp_path / "broken"
    with pytest.raises(Killed):
        fit(model(base), train, valid, config, broken, watch=Watch(epoch=die))
    resumed = model(base)
    assert fit(resumed, train, valid, config, broken, resume=True) == curve
    expected = trained_state(whole)
    assert expected.keys() == trained_state(resumed).keys()
    for name, tensor in trained_state(resumed).items():
        assert torch.equal(tensor, expected[name]), name
    with pytest.raises(ModelError, match=r"made with lr=0.01; resume with the same options"):
        fit(model(base), train, valid, FitConfig(lr=1, epochs=3, batch_size=8, patience=3), broken,
            resume=True)  # fmt: skip
