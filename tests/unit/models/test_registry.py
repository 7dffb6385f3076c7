"""Bundles listed, shown, compared, checked and handed out."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="torch is in foreshock[train]")

from models import registry
from models.base import Base, resolve_base
from models.bundle import MANIFEST, WEIGHTS, Bundle
from models.classifier import Classifier
from models.errors import BundleError, ModelError
from monitor.cli.bundles import models_app
from tests.unit.models.compress import tiny

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny.base(tmp_path_factory.mktemp("base") / "tiny-bert")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, start: Base) -> Bundle:
    return tiny.bundle(tmp_path_factory.mktemp("bundles") / "tiny", start)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, start: Base) -> Bundle:
    return tiny.bundle(tmp_path_factory.mktemp("others") / "other", start, "other", seed=6)


@pytest.fixture
def copy(made: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made.folder, tmp_path / "copy"))


def invoke(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(models_app, [str(argument) for argument in arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def test_list_names_the_shipped_and_the_given(made: Bundle) -> None:
    for given in (made.folder, made.folder.parent):
        code, out, _ = invoke("list", given, "--json")
        found = {entry["name"]: entry for entry in json.loads(out)}
        assert code == 0
        assert set(found) == {"foreshock-en", "tiny"}
        assert found["tiny"]["hash"] == made.hash
        assert found["tiny"]["heads"] == {"topic": 4, "sentiment": 3}
        assert found["tiny"]["metrics"] == {"news": {"accuracy": 0.8, "macro_f1": 0.75}}
        assert found["tiny"]["problem"] is None
    _, out, _ = invoke("list", made.folder)
    assert f"tiny 1  {made.hash[:12]}  en  topic 4, sentiment 3" in out


def test_a_damaged_bundle_is_listed_with_its_problem(copy: Path) -> None:
    (copy / WEIGHTS).write_bytes(b"no")
    (found,) = (e for e in registry.bundles([copy]) if e.folder == copy)
    assert found.problem is not None
    assert WEIGHTS in found.problem
    (copy / MANIFEST).write_text("{")
    assert "not JSON" in str(registry.entry(copy).problem)
    assert registry.entry(copy).as_json()["name"] == "copy"


def test_a_folder_without_bundles_is_said(tmp_path: Path) -> None:
    for folder, said in ((tmp_path, "holds no bundle"), (tmp_path / "gone", "no such folder")):
        code, _, error = invoke("list", folder)
        assert code == 2
        assert said in error


def test_show_by_path_and_by_name(made: Bundle) -> None:
    code, out, _ = invoke("show", made.folder)
    assert code == 0
    for said in (made.hash, "head topic: 4 labels, temperature 1.0", "Energy | Oil", "abab"):
        assert said in out
    assert json.loads(invoke("show", "foreshock-en", "--json")[1])["name"] == "foreshock-en"
    code, _, error = invoke("show", "nothing")
    assert code == 2
    assert "comes with foreshock: " in error


def test_diff_tells_what_changed(made: Bundle, other: Bundle) -> None:
    same = registry.diff(made.folder, made.folder)
    assert not any(same[part] for part in ("settings", "labels", "metrics"))
    assert same["data"] == [[], []]
    assert set(same["weights"].values()) == {0.0}
    found = registry.diff(made.folder, other.folder)
    assert found["settings"]["name"] == ["tiny", "other"]
    moved = {group for group, distance in found["weights"].items() if distance}
    assert moved == {"heads.topic", "heads.sentiment"}
    assert "encoder.encoder.layer.1" in found["weights"]
    code, out, _ = invoke("diff", made.folder, other.folder)
    assert code == 0
    assert "settings name: tiny -> other" in out


def test_diff_measures_the_relative_distance(made: Bundle, copy: Path) -> None:
    from safetensors.numpy import load_file, save_file

    state = load_file(copy / WEIGHTS)
    state["heads.topic.weight"] = state["heads.topic.weight"] * np.float32(1.5)
    state["heads.topic.bias"] = state["heads.topic.bias"] * np.float32(1.5)
    state["heads.sentiment.bias"] = np.zeros(9, dtype=np.float32)
    content = json.loads((copy / MANIFEST).read_text())
    content["metrics"]["news"]["int8"]["accuracy"] = 0.9
    content["data"] = []
    (copy / MANIFEST).write_text(json.dumps(content))
    save_file(state, copy / WEIGHTS)
    found = registry.diff(made.folder, copy)
    assert found["weights"]["heads.topic"] == pytest.approx(0.5)
    assert found["weights"]["heads.sentiment"] is None
    assert found["metrics"]["news.int8.accuracy"] == [0.8, 0.9, pytest.approx(0.1)]
    assert found["data"] == [["news abababababab"], []]


def test_a_sound_bundle_verifies(made: Bundle) -> None:
    assert registry.verify(made.folder) == []
    assert invoke("verify", made.folder) == (0, f"{made.folder}: ok\n", "")


def _pickle(folder: Path) -> None:
    (folder / "extra.onnx").write_bytes(pickle.dumps({"a": 1}))


def _absolute(folder: Path) -> None:
    content = json.loads((folder / MANIFEST).read_text())
    content["training"] = {"command": "foreshock train --topic=/srv/topics.csv"}
    (folder / MANIFEST).write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda f: (f / "model.pkl").write_bytes(b"x"), "model.pkl: may not be in a bundle"),
        (_pickle, "extra.onnx: holds a pickle"),
        (lambda f: (f / "more.bin").write_bytes(b"\0" * 9), "more.bin: may not be in a bundle"),
        (lambda f: (f / "more.xml").write_text("<html>"), "not an OpenVINO graph"),
        (lambda f: (f / "more.safetensors").write_bytes(b"\0" * 9), "not safetensors"),
        (lambda f: (f / "more").mkdir(), "more: a folder"),
        (lambda f: (f / "card.md").symlink_to("/etc/passwd"), "card.md: a link"),
        (_absolute, "training.command holds an absolute path"),
        (lambda f: (f / WEIGHTS).write_bytes(b"\0" * 9), "weights.safetensors: damaged"),
        (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json: missing"),
        (lambda f: (f / MANIFEST).write_text("[]"), "bundle.json: missing, not JSON"),
    ],
)
def test_harm_is_found(copy: Path, harm: Callable[[Path], object], said: str) -> None:
    harm(copy)
    code, out, _ = invoke("verify", copy)
    assert code == 1
    assert said in out


@pytest.mark.parametrize(
    ("text", "absolute"),
    [
        ("/data/x.csv", True), ("a --topic /x", True), ("C:\\x", True), ("~/x", True),
        ("file:///x", True), ("\\\\host\\x", True), ("and/or", False), ("Fed / ECB", False),
        ("1/2", False), ("https://a.org/b", False), ("data/x.csv", False), ("M&A", False),
    ],
)  # fmt: skip
def test_what_an_absolute_path_is(copy: Path, text: str, absolute: bool) -> None:
    content = json.loads((copy / MANIFEST).read_text())
    (copy / MANIFEST).write_text(json.dumps(content | {"training": {"a": [text]}}))
    assert any("absolute" in problem for problem in registry.verify(copy)) is absolute


@pytest.mark.parametrize("form", ["bundle", "openvino-fp32", "torch"])
def test_export_to_a_folder(form: str, made: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, printed, error = invoke("export", made.folder, "--out", out, "--format", form)
    assert code == 0, error
    assert printed.startswith(f"{out}: ")
    if form == "bundle":
        assert registry.verify(out) == []
        return
    about = json.loads((out / "labels.json").read_text())
    assert about["labels"]["sentiment"] == ["negative", "neutral", "positive"]
    if form == "torch":
        assert resolve_base(str(out)).folder == out
        assert (out / "heads.safetensors").is_file()


def test_a_tar_has_the_same_bytes_every_time(made: Bundle, tmp_path: Path) -> None:
    for number in (1, 2):
        registry.export(made.folder, tmp_path / str(number) / "tiny.tar")
    one, two = (tmp_path / str(number) / "tiny.tar" for number in (1, 2))
    assert one.read_bytes() == two.read_bytes()
    (tmp_path / "out").mkdir()
    # By the program: Python's own asks for a filter that 3.11 has only since its fourth release.
    subprocess.run(["tar", "-xf", one, "-C", tmp_path / "out"], check=True)
    again = Classifier.load(tmp_path / "out" / "tiny", engine="openvino").logits(tiny.TEXTS)
    first = Classifier.load(made.folder, engine="openvino").logits(tiny.TEXTS)
    assert all(np.array_equal(first[head], again[head]) for head in first)


def test_export_refuses(made: Bundle, copy: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is there already"):
        registry.export(made.folder, copy)
    with pytest.raises(ModelError, match="expected one of bundle, onnx"):
        registry.export(made.folder, tmp_path / "x", "pickle")
    (copy / "a.pkl").write_bytes(b"")
    with pytest.raises(BundleError, match="foreshock models verify"):
        registry.export(copy, tmp_path / "x")
    assert not (tmp_path / "x").exists()
