"""A bundle that does not match itself is refused, by the name of the file."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from models.bundle import FILES, MANIFEST, load_bundle, shipped_bundle, write_manifest
from models.classifier import Classifier
from models.errors import BundleError


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped_bundle(), tmp_path / "bundle"))


def test_the_shipped_bundle_vouches_for_itself() -> None:
    bundle = load_bundle()
    assert bundle.languages == ("en",)
    assert len(bundle.hash) == 64
    assert set(bundle.temperatures) == set(bundle.labels) >= {"topic", "sentiment"}


def test_powers_belong_to_the_hash_and_survive(copy: Path) -> None:
    bundle = replace(load_bundle(copy), powers={"target": 2.0})
    assert bundle.hash != load_bundle(copy).hash
    write_manifest(bundle)
    again = load_bundle(copy)
    assert (again.powers, again.hash) == ({"target": 2.0}, bundle.hash)


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleError, match=name) as caught:
        Classifier.load(copy)
    assert "foreshock train" in str(caught.value)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0.0, 0.5, 0.999])
def test_one_wrong_byte_is_noticed(copy: Path, name: str, place: float) -> None:
    data = bytearray((copy / name).read_bytes())
    data[int(place * (len(data) - 1))] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(BundleError, match=rf"{name}: damaged or of another bundle"):
        load_bundle(copy)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("schema_version", 1, "schema_version is 1, this foreshock reads 3"),
        ("temperatures", {"topic": 9.0, "sentiment": 1.0}, "edited by hand"),
        ("languages", ["en", "zh"], "edited by hand"),
        ("heads", [{"name": "topic", "kind": "single", "labels": ["a"]}], "edited by hand"),
        ("heads", [{"name": "topic", "kind": "guess", "labels": ["a"]}], "of another kind"),
        ("normalisation_version", 0, "normalisation 0"),
        ("files", {}, "names no hash of tokenizer.json"),
        ("architecture", {"model_type": "bert"}, "edited by hand"),
        ("base", None, "field missing or of another kind"),
    ],
)
def test_an_edited_manifest_is_refused(copy: Path, field: str, value: object, said: str) -> None:
    content = json.loads((copy / MANIFEST).read_text())
    (copy / MANIFEST).write_text(json.dumps(content | {field: value}))
    with pytest.raises(BundleError, match=said):
        load_bundle(copy)


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"'])
def test_a_manifest_that_is_none(copy: Path, content: str) -> None:
    (copy / MANIFEST).write_text(content)
    with pytest.raises(BundleError, match=MANIFEST):
        load_bundle(copy)


def test_metrics_are_not_part_of_the_hash(copy: Path) -> None:
    content = json.loads((copy / MANIFEST).read_text())
    (copy / MANIFEST).write_text(json.dumps(content | {"metrics": {}}))
    assert load_bundle(copy).hash == load_bundle().hash
