"""The file of descriptions: ours says something of every label, and a wrong one is told by its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import DataError
from models.labels import KNOWN_LABELS, HeadKind
from models.zero_shot.labels import FOLDER, read_labels
from tests.unit.models.zero_shot.conftest import LABELS


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yaml")))
def test_the_files_of_the_package_describe_every_label_of_a_head_in_its_order(name: str) -> None:
    for head_name, described in read_labels(name).items():
        head = described.head(head_name)
        assert head.labels == KNOWN_LABELS[head_name]
        assert head.kind is HeadKind.SINGLE
        assert described.patterns
        words = [word for label in described.labels.values() for word in label.words]
        assert len(words) == len(set(words)), "a word stands for one label"
        assert all(label.words for label in described.labels.values())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"the bank {}"', '"the bank"', r"mood.templates: 'the bank' needs \{\} once"),
        ("so it [MASK]", "so it", r"mood.patterns: '\{\} so it' needs .* and \[MASK\] once"),
        ("descriptions: [profit rises, rises]", "descriptions: []", r"mood.labels.up.descriptions"),
        ("words: [rises]", "verbs: [rises]", r"mood.labels.up.verbs: Extra inputs"),
        ("    up: {", "    up: [", "not YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    path = tmp_path / "labels.yaml"
    path.write_text(LABELS.replace(old, new))
    assert path.read_text() != LABELS
    with pytest.raises(DataError, match=said):
        read_labels(path)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(DataError, match="or one that comes with foreshock: news"):
        read_labels("absent")
