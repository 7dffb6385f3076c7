"""A training run refuses texts it would be measured by, names their rows, and can be told to go on."""

from __future__ import annotations

import random
import time
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pytest

from models.errors import DataError
from models.training.config import TrainConfig, make_config
from models.training.data import load_sources
from models.training.leaks import check_leaks, without_leaks


def config(*files: Path, leaks: str = "refuse", **more: object) -> TrainConfig:
    data = [{"head": "mood", "file": str(file), "label": "mood", **more} for file in files]
    return make_config({"heads": {"mood": {}}, "data": data, "leaks": leaks}, "test")


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["split,mood,text,kind", *rows]) + "\n")
    return path


CLEAN = ("train,up,Acme soars,a", "train,down,Acme falls,a", "valid,up,Orion soars on beat,a")


def test_a_text_in_two_splits_is_refused_with_its_rows_and_the_way_out(tmp_path: Path) -> None:
    path = write(tmp_path / "set.csv", *CLEAN, "test,up,ACME soars https://t.co/x,a")
    recipe = config(path)
    with pytest.raises(DataError) as error:
        check_leaks(recipe, load_sources(recipe))
    said = str(error.value)
    assert "set.csv line 2 (train) and set.csv line 5 (test) 'Acme soars'" in said
    assert "`foreshock data leaks set.csv --text text --kind same`" in said
    assert "`foreshock data split`" in said
    assert 'leaks = "drop" in the recipe trains without them, "warn" nevertheless' in said
    notes: list[str] = []
    rest = without_leaks(load_sources(recipe), notes.append)
    assert rest[0].splits["train"].texts == ("Acme falls",)
    assert rest[0].splits["train"].labels.tolist() == [0]
    assert len(rest[0].splits["test"]) == 1
    assert "set.csv: 1 training rows left out" in notes.pop()
    assert check_leaks(recipe, rest)["mood"]["same"] == 0
    known = config(path, leaks="warn")
    assert check_leaks(known, load_sources(known), notes.append) == {"mood": {"same": 1, "near": 0}}
    assert "1 pairs of a training row" in notes[0]


def test_the_sets_of_a_head_are_looked_at_as_one_and_only_the_rows_that_are_read(
    tmp_path: Path,
) -> None:
    first = write(tmp_path / "first.csv", *CLEAN)
    other = write(
        tmp_path / "other.csv", "train,up,Delta gains,b", "train,up,orion SOARS on beat,a"
    )
    recipe = config(first, other)
    with pytest.raises(DataError, match=r"other\.csv line 3 \(train\) and first\.csv line 4"):
        check_leaks(recipe, load_sources(recipe))
    # The row that leaks is not read.
    left_out = make_config(
        {
            "heads": {"mood": {}},
            "data": [
                {"head": "mood", "file": str(first)},
                {"head": "mood", "file": str(other), "where": {"kind": "b"}},
            ],
        },
        "test",
    )
    assert check_leaks(left_out, load_sources(left_out))["mood"]["same"] == 0
    # Another head is another question.
    heads: dict[str, Any] = {"mood": {}, "else": {}}
    data = [{"head": "mood", "file": str(first)}]
    data.append({"head": "else", "file": str(other), "label": "mood"})
    write(other, "train,up,orion SOARS on beat,a", "valid,up,Zephyr stalls,a")
    apart = make_config({"heads": heads, "data": data}, "test")
    assert check_leaks(apart, load_sources(apart)) == {
        "mood": {"same": 0, "near": 0},
        "else": {"same": 0, "near": 0},
    }


def test_near_texts_are_counted_and_told_of(tmp_path: Path) -> None:
    long = "Brightwater Bank cuts its dividend for the first time in twenty years"
    path = write(
        tmp_path / "set.csv",
        f"train,down,{long},a",
        "train,up,Acme EPS of $1.10 beats,a",
        f"valid,down,{long} today,a",
        "test,up,Acme EPS of $2.31 beats,a",
    )
    recipe = config(path)
    notes: list[str] = []
    counts = check_leaks(recipe, load_sources(recipe), notes.append)
    assert counts == {"mood": {"same": 0, "near": 2}}
    assert "2 pairs of a training row" in notes[0]
    assert "`foreshock data leaks set.csv --text text --kind folded --kind near`" in notes[0]


def test_thirty_thousand_rows_take_seconds(tmp_path: Path) -> None:
    rng = random.Random(1)
    words = ["".join(rng.choices(ascii_lowercase, k=rng.randrange(3, 9))) for _ in range(2_000)]
    splits = rng.choices(["train", "valid", "test"], [8, 1, 1], k=30_000)
    rows = [f"{split},up,{' '.join(rng.choices(words, k=12))},a" for split in splits]
    recipe = config(write(tmp_path / "set.csv", *rows))
    sources = load_sources(recipe)
    start = time.process_time()
    check_leaks(recipe, sources)
    assert time.process_time() - start < 15
