"""Training end to end on a tiny base and a few dozen rows: bundle, engines, resuming."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

torch = pytest.importorskip("torch", reason="torch is in foreshock[train]")
pytest.importorskip("nncf", reason="nncf is in foreshock[train]")

from models.base import resolve_base  # noqa: E402
from models.bundle import CARD, CURVE, RISK_COVERAGE, load_bundle  # noqa: E402
from models.classifier import Classifier  # noqa: E402
from monitor.cli import app  # noqa: E402

pytestmark = [
    pytest.mark.timeout(300),
    # torch and transformers warn of their own insides.
    pytest.mark.filterwarnings("ignore"),
]

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
    """A set per kind of head: topic and mood, mood towards one of two companies, events."""
    folder = tmp_path_factory.mktemp("labelled")
    rng = random.Random(5)
    who = ["Acme", "Orion", "Zephyr", "Nimbus"]
    events = ["", "fine", "fine|probe", "probe"]
    said = {"": "meets investors", "fine": "is fined", "fine|probe": "is fined and probed"}
    tables: dict[str, list[list[str]]] = {"topic": [], "sentiment": [], "target": [], "events": []}
    for split, count in (("train", 36), ("valid", 12), ("test", 12)):
        for i in range(count):
            for task, phrases in (("topic", TOPICS), ("sentiment", MOODS)):
                label = list(phrases)[i % 3]
                text = f"{rng.choice(who)} {phrases[label]} {rng.randint(1, 99)} on {split} {i}"
                tables[task].append([split, label, text, ""])
            winner, loser = rng.sample(who, 2)
            side = (winner, "positive") if i % 2 else (loser, "negative")
            text = f"{winner} beats {loser} in court on {split} {i}"
            tables["target"].append([split, side[1], text, side[0]])
            event = events[i % 4]
            text = f"{rng.choice(who)} {said.get(event, 'is probed')} on {split} {i}"
            tables["events"].append([split, event, text, ""])
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["split", "label", "text", "who"], *rows])
    return folder


@pytest.fixture(scope="module")
def recipe(base: Path, data: Path) -> Path:
    heads = {"topic": "single", "sentiment": "single", "target": "target", "events": "multi"}
    lines = [f'name = "tiny"\nversion = "7"\nbase = "{base}"']
    for head, kind in heads.items():
        lines.append(f'[heads.{head}]\nkind = "{kind}"\nbatch = 4')
        lines.append(f'[[data]]\nhead = "{head}"\nfile = "{head}.csv"\nlabel = "label"')
        if kind == "target":
            lines.append('target = "who"')
    lines.append('[adapter]\nkind = "full"\n[fit]\nlr = 5e-3\nepochs = 4\nprecision = "float32"')
    path = data / "recipe.toml"
    path.write_text("\n".join(lines))
    return path


# One thread: a pool of them costs more than it brings on matrices this small.
ENVIRON = os.environ | {"FORESHOCK_DATA": "/nonexistent", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def foreshock(*arguments: object) -> Result:
    """Run a command in this process: to load torch takes longer than to train these."""
    return CliRunner(env=ENVIRON).invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def trained(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "tiny"
    done = foreshock("train", "--config", recipe, "--out", out)
    assert done.exit_code == 0, done.stderr
    assert "epoch 1: loss" in done.stderr
    return out


def evaluate(bundle: Path, data: Path, engine: str, task: str) -> dict[str, Any]:
    done = foreshock(
        "evaluate", data / f"{task}.csv", "--task", task, "--text", "text", "--label", "label",
        "--model", bundle, "--engine", engine, "--json",
        *(["--target", "who"] if task == "target" else []),
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_training_writes_a_bundle_that_serves(trained: Path) -> None:
    bundle = load_bundle(trained)
    assert (bundle.name, bundle.version) == ("tiny", "7")
    assert bundle.method["kind"] == "full"
    assert bundle.training["epochs_run"] == 4
    rows = {"train": 36, "valid": 12, "test": 12}
    assert [source["rows"] for source in bundle.data] == [rows] * 4
    assert {head.name: len(head.labels) for head in bundle.heads} == {
        "topic": 20, "sentiment": 3, "target": 3, "events": 2,
    }  # fmt: skip
    assert all(len(source["sha256"]) == 64 for source in bundle.data)
    card = (trained / CARD).read_text()
    for words in ("frozen base", "float32 (torch)", "split test", "confusion", bundle.hash):
        assert words in card
    assert str(trained.parent) not in card
    for head in ("topic", "sentiment", "events"):
        assert (
            f"Share of {head} labels that change when 12 texts are only written otherwise" in card
        )
    assert "How far the sentiment score" in card
    for picture in (CURVE, RISK_COVERAGE):
        assert f"]({picture})" in card
        assert (trained / picture).read_bytes().startswith(b"\x89PNG")
    assert not trained.with_name("tiny.part").exists()


def test_int8_and_float32_give_the_same_labels(trained: Path, data: Path) -> None:
    for task in ("topic", "target"):
        served = evaluate(trained, data, "openvino", task)
        checked = evaluate(trained, data, "torch", task)
        assert served["confusion"] == checked["confusion"]
        # A phrase each: a model that learnt anything tells them apart.
        assert served["accuracy"] > 0.95
        measured = load_bundle(trained).metrics[f"{task} {task}"]["int8"]
        assert f"accuracy     {measured['accuracy']:.4f}" in (trained / CARD).read_text()


def test_a_headline_is_read_from_the_side_of_the_company_asked_about(trained: Path) -> None:
    text = "Acme beats Orion in court"
    found = Classifier.load(trained, "openvino").target_probabilities(
        [text] * 2, [["Acme"], ["Orion"]]
    )
    assert found[0].argmax() == 2  # positive
    assert found[1].argmax() == 0  # negative


def test_several_events_of_one_text(trained: Path, data: Path) -> None:
    found = evaluate(trained, data, "openvino", "events")
    assert found["macro_f1"] > 0.95
    assert set(found["classes"]) == {"fine", "probe"}


def test_a_second_run_does_not_overwrite_checkpoints(trained: Path, recipe: Path) -> None:
    done = foreshock("train", "--out", trained, "--config", recipe)
    assert done.exit_code == 2
    assert "--resume" in done.stderr


def test_a_killed_training_resumes_to_the_same_figures(
    trained: Path, recipe: Path, tmp_path: Path
) -> None:
    out = tmp_path / "tiny"
    arguments = ["train", "--config", str(recipe), "--out", str(out)]
    running = subprocess.Popen(
        [sys.executable, "-m", "monitor.cli", *arguments], env=ENVIRON, stderr=subprocess.DEVNULL
    )
    progress = tmp_path / "tiny.checkpoints" / "progress.json"
    until = time.monotonic() + 250
    while not progress.exists():
        assert running.poll() is None and time.monotonic() < until
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert 1 <= len(json.loads(progress.read_text())["curve"]) < 4
    assert not out.exists()
    set_of_topics = recipe.parent / "topic.csv"
    whole = set_of_topics.read_bytes()
    try:
        set_of_topics.write_bytes(whole.replace(b"Acme", b"Acne", 1))
        drifted = foreshock(*arguments, "--resume")
        assert drifted.exit_code == 2
        assert "made with data.topic=" in drifted.stderr
    finally:
        set_of_topics.write_bytes(whole)
    done = foreshock(*arguments, "--resume")
    assert done.exit_code == 0, done.stderr
    resumed, unbroken = load_bundle(out), load_bundle(trained)
    assert resumed.training["curve"] == unbroken.training["curve"]
    assert resumed.metrics == unbroken.metrics


def test_torchrun_trains_one_bundle(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "shared"
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone",
         "-m", "monitor.cli", "train", "--config", recipe, "--out", out, "--set", "fit.epochs=1"],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=250,
        env=ENVIRON | {"CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert load_bundle(out).training["epochs_run"] == 1
    # The first speaks and writes; nothing of the other is left.
    assert done.stderr.count("bundle written to") == done.stderr.count("epoch 1: loss") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"shared", "shared.checkpoints"}


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    done = foreshock("train", "--out", tmp_path / "b")
    assert done.exit_code == 2
    assert "twitter_topic.csv.gz: no such file; looked in" in done.stderr


def test_any_label_set_with_one_command(data: Path, base: Path, tmp_path: Path) -> None:
    done = foreshock(
        "train", "--data", data / "events.csv", "--head", "label", "--out", tmp_path / "any",
        "--set", f"base={base}", "--set", "adapter.rank=4", "--set", "fit.epochs=1",
        "--set", "fit.precision=float32", "--set", "baseline=false",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert load_bundle(tmp_path / "any").labels == {"label": ("", "fine", "fine|probe", "probe")}
