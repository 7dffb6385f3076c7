"""A search draws by seed, holds folds apart, never reads the test split, and survives a kill."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is in foreshock[train]")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from models.bundle import write_manifest  # noqa: E402
from models.dataset.keys import folded_key  # noqa: E402
from models.errors import DataError, ModelError  # noqa: E402
from models.hashes import file_sha256  # noqa: E402
from models.training.config import load_config, make_config  # noqa: E402
from models.training.data import load_sources  # noqa: E402
from models.training.fitted import Places  # noqa: E402
from models.training.folds import folds  # noqa: E402
from models.training.search import (  # noqa: E402
    SearchConfig,
    draw_trials,
    load_search,
    rungs,
)
from models.training.toml import dumps  # noqa: E402
from models.training.trials import search  # noqa: E402
from monitor.cli import app  # noqa: E402
from tests.unit.models.compress import tiny  # noqa: E402

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[4]
MOODS = {"negative": "falls", "neutral": "deal", "positive": "rises"}


def searching(space: dict[str, Any], **more: Any) -> SearchConfig:
    return SearchConfig.model_validate({"space": space, **more})


RECIPE = make_config({"heads": {"a": {}}, "data": [{"head": "a", "file": "f"}]}, "test")


def test_draws_are_the_seeds_and_lie_where_they_may() -> None:
    space = {
        "fit.lr": {"low": 1e-5, "high": 1e-2, "scale": "log"},
        "adapter.rank": {"low": 2, "high": 5},
        "heads.a.batch": [16, 32],
    }
    trials = draw_trials(searching(space, trials=300), RECIPE)
    assert len({trial.told() for trial in trials}) == len(trials) == 300
    assert trials == draw_trials(searching(space, trials=300), RECIPE)
    assert trials != draw_trials(searching(space, trials=300, seed=2), RECIPE)
    rates = [trial.config.fit.lr for trial in trials]
    assert min(rates) >= 1e-5 and max(rates) <= 1e-2
    # As many per power of ten: a third below 1e-4 each way, where a linear draw has one in a hundred.
    assert 70 <= sum(rate < 1e-4 for rate in rates) <= 130
    assert {trial.config.adapter.rank for trial in trials} == {2, 3, 4, 5}
    assert {trial.config.heads["a"].batch for trial in trials} == {16, 32}


def test_a_grid_is_every_combination_and_a_small_space_ends() -> None:
    lists = {"fit.lr": [1e-3, 1e-4], "adapter.kind": ["full", "lora"]}
    found = draw_trials(searching(lists, method="grid"), RECIPE)
    assert [(t.config.fit.lr, t.config.adapter.kind) for t in found] == [
        (1e-3, "full"), (1e-3, "lora"), (1e-4, "full"), (1e-4, "lora"),
    ]  # fmt: skip
    assert len(draw_trials(searching(lists, trials=50), RECIPE)) == 4


def test_a_setting_that_is_none_is_named_before_anything_runs() -> None:
    with pytest.raises(ModelError, match=r"trial 1: fit\.lr: Input should be greater than 0"):
        draw_trials(searching({"fit.lr": [-1.0]}), RECIPE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[space]\n"data.file" = ["g"]', "changes what is measured"),
        ('[space]\n"heads.a.kind" = ["multi"]', "changes what is measured"),
        ('method = "grid"\n[space]\n"fit.lr" = {low = 1, high = 2}', "a grid needs a list"),
        ('[space]\n"fit.lr" = {low = 0, high = 2, scale = "log"}', "above 0 on a log scale"),
        ("[space]", "nothing to search"),
        ('folds = 1\n[space]\n"fit.lr" = [1.0]', "nothing to train on"),
        ('fold = 2\n[space]\n"fit.lr" = [1.0]', "fold: Extra inputs"),
    ],
)
def test_a_wrong_file_is_told_what_to_change(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "search.toml"
    path.write_text(text)
    with pytest.raises(ModelError, match=said):
        load_search(path)


def test_rungs_are_as_many_as_trials_and_epochs_allow() -> None:
    def of(halving: int, trials: int, epochs: int) -> list[float]:
        space = {"fit.seed": list(range(trials)), "fit.epochs": [epochs]}
        chosen = searching(space, method="grid", halving=halving)
        return rungs(chosen, draw_trials(chosen, RECIPE))

    assert of(3, 9, 9) == pytest.approx([1 / 9, 1 / 3, 1])
    assert of(3, 9, 5) == pytest.approx([1 / 3, 1])
    assert of(3, 2, 9) == of(0, 9, 9) == [1.0]


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1),
        st.one_of(
            st.text(st.characters(exclude_categories=["Cs"])),
            st.integers(-(2**60), 2**60),
            st.booleans(),
            st.floats(allow_nan=False, allow_infinity=False),
            st.lists(st.text(st.characters(exclude_categories=["Cs"]))),
            st.lists(st.dictionaries(st.text(min_size=1), st.integers(0, 9), min_size=1), min_size=1),
            st.dictionaries(st.text(min_size=1), st.dictionaries(st.text(min_size=1), st.booleans())),
        ),
    )
)  # fmt: skip
def test_what_is_written_as_toml_is_read_back(table: dict[str, Any]) -> None:
    assert tomllib.loads(dumps(table)) == table


def labelled(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("split", "sentiment", "text"), *rows])
    return path


def sentences(split: str, count: int) -> list[tuple[str, str, str]]:
    names = "abcdefghijklmnopqrstuvwxyz"
    moods = list(MOODS)
    return [
        (split, moods[i % 3], f"{names[i % 26] * 3}{names[i // 26]} {MOODS[moods[i % 3]]} {split}")
        for i in range(count)
    ]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Of a set whose test rows hold a label no head has: who reads one, fails."""
    start = tiny.base(tmp_path / "tiny-bert")
    rows = sentences("train", 36) + sentences("valid", 9) + [("test", "no such label", "bank")]
    labelled(tmp_path / "moods.csv", rows)
    path = tmp_path / "recipe.toml"
    path.write_text(
        f'base = "{start.folder}"\nmax_tokens = 32\n[heads.sentiment]\nbatch = 8\n'
        '[[data]]\nhead = "sentiment"\nfile = "moods.csv"\nlabel = "sentiment"\n'
        '[adapter]\nkind = "full"\n[fit]\nepochs = 4\nprecision = "float32"\n'
    )
    return path


def test_folds_share_no_near_text_and_hold_every_row_out_once(tmp_path: Path) -> None:
    texts = [f"company {'xyz'[i % 3]} posts record revenue of {i // 3} million" for i in range(9)]
    copies = [("train", list(MOODS)[i % 3], text) for i, text in enumerate(texts)]
    other = sentences("train", 30)
    labelled(tmp_path / "one.csv", [*copies, *other, ("valid", "neutral", "v")])
    # The same texts stand in another set of another head.
    labelled(tmp_path / "two.csv", [*copies, *other[:20], ("valid", "neutral", "v")])
    config = make_config(
        {
            "heads": {"sentiment": {}, "mood": {}},
            "data": [
                {"head": "sentiment", "file": "one.csv"},
                {"head": "mood", "file": "two.csv", "label": "sentiment"},
            ],
        },
        "test",
    )
    sources = load_sources(config, tmp_path, ("train",))
    made = folds(sources, 3, seed=1)
    for number, source in enumerate(sources):
        held = [text for fold in made for text in fold[number].splits["valid"].texts]
        assert sorted(held) == sorted(source.splits["train"].texts)
    for fold in made:
        trained = {folded_key(t) for source in fold for t in source.splits["train"].texts}
        out = {folded_key(t) for source in fold for t in source.splits["valid"].texts}
        assert trained and out and not trained & out
        for source in fold:
            for part in source.splits.values():
                assert len(part.labels) == len(part.texts)
            assert set(source.splits["valid"].labels.tolist()) == {0, 1, 2}
    with pytest.raises(DataError, match="ask for fewer folds"):
        folds(sources, 45, seed=1)


def test_a_search_ends_with_the_best_as_a_recipe(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "found"
    space = {"fit.lr": [1e-7, 3e-3, 1e-6], "fit.dropout": [0.0]}
    chosen = searching(space, method="grid", halving=3)
    places = Places(out, tmp_path / "work", beside=tmp_path)
    ranked = search(load_config(recipe), chosen, places)
    assert ranked[0].trial.settings["fit.lr"] == 3e-3
    # One rung of two epochs for all, then all four for the best of three.
    assert [tried.epochs for tried in ranked] == [4, 2, 2]
    assert ranked[0].spread is None
    best = load_config(out / "best.toml")
    assert best.fit == ranked[0].trial.config.fit
    assert load_sources(best, out, ("train",))[0].path == tmp_path / "moods.csv"
    told = json.loads((out / "search.json").read_text())
    assert [trial["figure"] for trial in told["trials"]] == [t.figure for t in ranked]
    assert told["measured_on"] == "validation"
    assert not list((tmp_path / "work").rglob("*.safetensors"))
    with pytest.raises(DataError, match="no such label"):
        load_sources(best, out)


def test_teachers_who_saw_the_folds_are_refused(recipe: Path, tmp_path: Path) -> None:
    made = tiny.bundle(tmp_path / "teacher", tiny.base(tmp_path / "other-bert"))
    seen = ({"name": "moods", "sha256": file_sha256(tmp_path / "moods.csv")},)
    write_manifest(replace(made, data=seen))
    taught = load_config(recipe, [f'distil.teachers=["{made.folder}"]'])
    places = Places(tmp_path, tmp_path / "work", beside=tmp_path)
    with pytest.raises(ModelError, match="trained on what the folds hold out"):
        search(taught, searching({"fit.lr": [1e-3]}, folds=2), places)
    held = {"remember.bundle": [str(made.folder)], "remember.weight": [0.5]}
    started = searching(held, folds=2)
    with pytest.raises(ModelError, match="trained on what the folds hold out"):
        search(load_config(recipe), started, places)


def arguments(recipe: Path, out: Path, *more: str) -> list[str]:
    file = recipe.with_name("search.toml")
    file.write_text('trials = 3\nfolds = 2\n[space]\n"fit.lr" = {low = 1e-3, high = 1e-2}\n')
    return [
        *("train", "--config", str(recipe), "--search", str(file)),
        *("--out", str(out), "--json", *more),
    ]


def test_a_killed_search_goes_on_to_the_same_end(recipe: Path, tmp_path: Path) -> None:
    environ = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    broken = tmp_path / "broken"
    running = subprocess.Popen(
        [sys.executable, "-m", "monitor.cli", *arguments(recipe, broken)], cwd=tmp_path, env=environ,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    work = tmp_path / "broken.checkpoints"
    until = time.monotonic() + 200
    # The second trial is under way: a checkpoint of it is there, its result is not.
    while not list(work.glob("trial-002/*/epoch-*.safetensors")):
        assert running.poll() is None and time.monotonic() < until
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not (broken / "search.json").exists()
    first = {path: path.stat().st_mtime_ns for path in work.glob("trial-001/*/epochs-*.json")}
    assert first
    chosen = load_search(recipe.with_name("search.toml"))
    with pytest.raises(ModelError, match="add --resume to go on"):
        search(load_config(recipe), chosen, Places(broken, work, beside=tmp_path))
    other = load_config(recipe, ["fit.epochs=3"])
    with pytest.raises(ModelError, match="made with another recipe"):
        search(other, chosen, Places(broken, work, beside=tmp_path, resume=True))
    done = CliRunner().invoke(app, arguments(recipe, broken, "--resume"))
    assert done.exit_code == 0, done.stderr
    for path, at in first.items():
        assert path.stat().st_mtime_ns == at  # a trial that was through is not run again
    whole = search(
        load_config(recipe), chosen, Places(tmp_path / "whole", tmp_path / "w", beside=tmp_path)
    )
    assert json.loads(done.stdout)["trials"] == [tried.as_json() for tried in whole]
    assert all(tried.spread is not None and len(tried.folds) == 2 for tried in whole)
