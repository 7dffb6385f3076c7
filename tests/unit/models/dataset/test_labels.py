"""Which labels look wrong, and which a model may give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.dataset.pseudo import choose, gold_keys, labelled_rows, refuse_gold, unlabelled
from models.dataset.quality import assess
from models.dataset.rows import read_table, write_table
from models.errors import DataError


def planted(rows: int = 300, wrong: int = 15) -> tuple[np.ndarray, list[str], set[int]]:
    """Three well-separated classes, some labels of the first called the second."""
    rng = np.random.default_rng(3)
    kinds = np.arange(rows) % 3
    vectors = np.eye(3, 8)[kinds] + rng.normal(0, 0.12, (rows, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = [("down", "flat", "up")[k] for k in kinds]
    swapped = {int(i) for i in rng.choice(np.flatnonzero(kinds == 0), wrong, replace=False)}
    for i in swapped:
        labels[i] = "flat"
    return vectors.astype(np.float32), labels, swapped


def test_planted_wrong_labels_are_found() -> None:
    pytest.importorskip("cleanlab")
    vectors, labels, swapped = planted()
    found = assess(vectors, labels, np.arange(len(labels)))
    # Confident learning is careful: what it names is wrong, not everything wrong is named.
    named = {issue.row for issue in found.issues}
    assert named <= swapped
    assert len(named) >= 8
    assert all((i.label, i.suggested) == ("flat", "down") for i in found.issues)
    assert all(i.label_probability < i.suggested_probability for i in found.issues)
    assert found.health == pytest.approx(1 - len(swapped) / len(labels), abs=0.03)
    worst = found.classes[0]
    assert worst.label == "flat"
    assert worst.wrong == pytest.approx(15 / 115, abs=0.06)
    assert {c.label: c.missed for c in found.classes}["down"] == pytest.approx(0.15, abs=0.07)
    assert found.as_json()["issues"] == len(named)


def test_copies_of_a_wrong_label_do_not_vouch_for_each_other() -> None:
    pytest.importorskip("cleanlab")
    vectors, labels, _ = planted(wrong=0)
    copies = np.repeat(vectors[:1], 12, axis=0)  # one text of "down", twelve times called "up"
    vectors = np.concatenate([vectors, copies])
    labels += ["up"] * 12
    together = np.concatenate([np.arange(300), np.full(12, 300)])
    found = {issue.row for issue in assess(vectors, labels, together).issues}
    assert found == set(range(300, 312))


def test_too_little_to_judge_is_told() -> None:
    pytest.importorskip("cleanlab")
    vectors = np.eye(6, dtype=np.float32)
    with pytest.raises(DataError, match="one label only"):
        assess(vectors, ["a"] * 6, np.arange(6))
    with pytest.raises(DataError, match="'b' labels a single row"):
        assess(vectors, [*"aaaaab"], np.arange(6))
    with pytest.raises(DataError, match="give more rows"):
        assess(vectors, [*"aaaabb"], np.array([0, 1, 2, 3, 4, 4]), folds=2)


def test_only_the_sure_are_labelled_and_no_class_crowds_out_the_others() -> None:
    top = [0.99, 0.98, 0.97, 0.96, 0.95, 0.93, 0.92, 0.91, 0.5]
    best = [0, 0, 0, 0, 1, 1, 1, 2, 2]
    probabilities = np.full((9, 3), 0.0)
    probabilities[range(9), best] = top
    names, readable = ("a", "b", "c"), [True] * 9
    plain = choose(probabilities, names, readable, 0.9, balance=False)
    assert [p.row for p in plain] == list(range(8))
    assert plain[7].label == "c"
    assert plain[7].probability == 0.91
    capped = choose(probabilities, names, readable, 0.9, balance=True)
    assert [p.row for p in capped] == [0, 1, 2, 4, 5, 6, 7]
    readable[0] = False
    assert choose(probabilities, names, readable, 0.9, balance=False)[0].row == 1
    assert choose(probabilities, names, [False] * 9, 0.0, balance=True) == []


def test_gold_labels_are_never_overwritten(tmp_path: Path) -> None:
    stream = tmp_path / "stream.csv"
    stream.write_text(
        "text,topic\nOil falls,\noil FALLS https://t.co/a,\nGold up,\nhttps://t.co/b,\n"
    )
    gold = tmp_path / "gold.csv"
    gold.write_text("title,topic\nGOLD up,Markets\n")
    table = read_table(stream)
    assert unlabelled(table, "text", ["topic"], gold_keys(gold, "title")) == [
        True, False, False, False,
    ]  # fmt: skip
    with pytest.raises(
        DataError, match=r"gold\.csv line 2: is labelled already \(topic 'Markets'\)"
    ):
        unlabelled(read_table(gold), "title", ["topic"], frozenset())
    with pytest.raises(DataError, match=r"gold\.csv line 2: holds labels that no model gave"):
        refuse_gold(gold)
    refuse_gold(tmp_path / "new.csv")
    probabilities = np.array([[0.0, 1.0]] * 4)
    chosen = choose(
        probabilities, ("Macro", "Energy | Oil"), [True, False, False, False], 0.9, False
    )
    out = tmp_path / "out.csv"
    write_table(out, *labelled_rows(table, "topic", chosen, "m 1 abc"))
    refuse_gold(out)
    (row,) = read_table(out).rows
    assert dict(row) == {
        "split": "train", "topic": "Energy | Oil", "topic_probability": "1.000000",
        "labelled_by": "m 1 abc", "text": "Oil falls",
    }  # fmt: skip
