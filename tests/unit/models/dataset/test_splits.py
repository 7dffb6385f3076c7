"""Splits never leak, whatever the seed; leaks are found with their lines."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.dataset.keys import clusters, folded_key, same_key
from models.dataset.leaks import Placed, leaks, read_placed
from models.dataset.near import near_duplicates
from models.dataset.rows import check_out, read_table, write_table
from models.dataset.splits import split_rows
from models.errors import DataError

FORMS = (
    "{} beats estimates, shares up {}%",
    "{} cuts its dividend by {} cents a share after a weak quarter",
    "Regulator opens probe of {}, {} people said to be questioned",
    "UPDATE 1-{} to raise ${} million in a rights issue, sources say",
)
NAMES = ("Acme", "Acme Inc", "Brightwater", "Brightwater Bank", "Orion", "Cobalt Mining Corp")


def rows(rng: random.Random, count: int) -> list[str]:
    return [
        rng.choice(FORMS).format(rng.choice(NAMES), rng.randrange(99))
        + " "
        + rng.choice("abcdefgh") * 1
        for _ in range(count)
    ]


def placed(texts: list[str], names: tuple[str, ...]) -> list[Placed]:
    return [Placed("a", i, s, t) for i, (s, t) in enumerate(zip(names, texts, strict=True))]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(80, 200), st.booleans())
def test_a_split_never_leaks(seed: int, count: int, grouped: bool) -> None:
    rng = random.Random(seed)
    texts = rows(rng, count)
    labels = [rng.choice("xy") for _ in texts]
    groups = [rng.choice(["", "", *map(str, range(80))]) for _ in texts] if grouped else None
    try:
        found = split_rows(texts, labels, groups, seed=seed)
    except DataError as error:  # groups may join nearly all
        assert "belong together" in str(error)
        return
    assert leaks(placed(texts, found.names)) == []
    for key in (same_key, folded_key):
        where: dict[str, set[str]] = {}
        for t, name in zip(texts, found.names, strict=True):
            where.setdefault(key(t), set()).add(name)
        assert all(len(names) == 1 for names in where.values())
    keys = sorted({folded_key(text) for text in texts})
    split_of = {folded_key(t): n for t, n in zip(texts, found.names, strict=True)}
    for pair in near_duplicates(keys, seed=seed % 7):
        assert split_of[keys[pair.first]] == split_of[keys[pair.second]]
    for group in set(groups or ()) - {""}:
        held = {n for n, g in zip(found.names, groups or (), strict=True) if g == group}
        assert len(held) == 1
    assert split_rows(texts, labels, groups, seed=seed).names == found.names


def distinct(count: int) -> list[str]:
    rng = random.Random(1)
    return ["".join(rng.choices("abcdefghijklmnop ", k=40)) for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_dealt_out_in_their_shares(seed: int) -> None:
    labels = ["common"] * 800 + ["some"] * 180 + ["rare"] * 20
    found = split_rows(distinct(1000), labels, seed=seed)
    counts = Counter(zip(found.names, labels, strict=True))
    assert counts["train", "rare"] == 16
    assert counts["valid", "rare"] == counts["test", "rare"] == 2
    assert counts["valid", "some"] == 18
    assert counts["test", "common"] == 80


def test_seeds_differ_and_a_share_of_nothing_gets_nothing() -> None:
    texts = distinct(200)
    assert split_rows(texts, seed=1).names != split_rows(texts, seed=2).names
    two = split_rows(texts, shares={"train": 0.9, "valid": 0.1, "test": 0.0})
    assert Counter(two.names) == {"train": 180, "valid": 20}


def test_what_cannot_be_split_is_told() -> None:
    with pytest.raises(DataError, match=r"add up to 1, got train 0\.8, test 0\.1"):
        split_rows(["a"], shares={"train": 0.8, "test": 0.1})
    with pytest.raises(DataError, match=r"nothing left for .*: 9 rows are only 1 clusters"):
        split_rows([f"Acme Q{i} profit" for i in range(9)])


def test_clusters_join_through_each_other() -> None:
    texts = [
        "$AAPL up 5%",
        "$MSFT $AMZN up 7%",
        "gold is flat",
        "silver is flat today",
        "GOLD is flat",
    ]
    assert clusters(texts).tolist() == [0, 0, 1, 2, 1]
    assert clusters(texts, ["g", "", "", "g", ""]).tolist() == [0, 0, 1, 0, 1]


def test_a_crowd_of_one_form_costs_its_members_not_its_pairs() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    crowd = [
        f"{a}{b}{c} eps beats by analysts, beats on revenue this quarter says the whole board"
        for a in letters[:9] for b in letters for c in letters[:9]
    ]  # fmt: skip
    assert np.unique(clusters(crowd)).tolist() == [0]
    names = tuple(("train", "test")[i % 2] for i in range(len(crowd)))
    found = leaks(placed(crowd, names))
    assert {row.line for leak in found for row in (leak.first, leak.second)} == set(
        range(len(crowd))
    )
    assert len(found) < 20 * len(crowd)


def test_leaks_are_named_once_with_their_places(tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    path.write_text(
        "split,title\n"
        "train,Oil falls as OPEC meets in Vienna https://t.co/a\n"
        "train,Acme EPS of $1.20 beats\n"
        "test,oil falls as OPEC meets in Vienna\n"
        "valid,Acme EPS of $3.45 beats\n"
        "test,Oil falls as OPEC meets in Vienna again\n"
        "test,Something else entirely happens elsewhere\n"
        "test,Something else entirely happens elsewhere\n"
    )
    found = leaks(read_placed([path]))
    assert [(k.kind, k.first.line, k.second.line) for k in found[:2]] == [
        ("same", 2, 4),
        ("folded", 3, 5),
    ]
    assert [(k.kind, k.first.line, k.second.line) for k in found[2:]] == [("near", 2, 6)]
    assert 0.8 <= found[2].similarity < 1
    assert found[0].first.place == "set.csv line 2 (train)"
    assert len(leaks(read_placed([path]), kinds=["same"])) == 1
    assert len(leaks(read_placed([path]), kinds=["folded"])) == 1


def test_files_named_for_their_split_are_one_set(tmp_path: Path) -> None:
    (tmp_path / "x.test.jsonl").write_text('{"text": "Oil falls"}\n')
    (tmp_path / "train.csv").write_text("text\nGold rises\nOIL FALLS\n")
    (leak,) = leaks(read_placed([tmp_path / "x.test.jsonl", tmp_path / "train.csv"]))
    assert (leak.first.file, leak.first.line) == ("train.csv", 3)
    (tmp_path / "news.csv").write_text("text,body\nOil falls,x\n")
    with pytest.raises(DataError, match=r"news\.csv: no column 'split'"):
        read_placed([tmp_path / "news.csv"])
    with pytest.raises(
        DataError, match=r"line 2: no column 'title'; its columns are 'text', 'body'"
    ):
        read_placed([tmp_path / "news.csv"], "title")


SHARED = Path(__file__).resolve().parents[5] / "shared" / "data" / "labelled"


@pytest.mark.parametrize("name", ["twitter_sentiment", "sentfin_entity_sentiment"])
def test_our_own_sets_keep_their_promise(name: str) -> None:
    path = SHARED / f"{name}.csv.gz"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    assert leaks(read_placed([path]), kinds=["same"]) == []


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.jsonl.gz"])
def test_tables_come_back_as_they_were(tmp_path: Path, name: str) -> None:
    rows = [{"a": 'x, "y"\nz', "b": "=1+1"}, {"a": "央行", "b": ""}]
    write_table(tmp_path / name, ("a", "b"), rows)
    first = (tmp_path / name).read_bytes()
    table = read_table(tmp_path / name)
    assert [dict(row) for row in table.rows] == rows
    write_table(tmp_path / name, table.columns, table.rows)
    assert (tmp_path / name).read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a file named"):
        check_out(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="its folder does not exist"):
        check_out(tmp_path / "no" / "a.csv")
    with pytest.raises(DataError, match="is the file that is read"):
        check_out(tmp_path / "a.csv", tmp_path / ".." / tmp_path.name / "a.csv")
