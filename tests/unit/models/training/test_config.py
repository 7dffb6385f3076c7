"""Recipes: what is wrong with one is said by key."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import ModelError
from models.labels import HeadKind
from models.training.config import RECIPES, load_config

GOOD = '[heads.topic]\n[[data]]\nhead = "topic"\nfile = "topic.csv"\n'


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_of_the_package_is_one(path: Path) -> None:
    config = load_config(path)
    assert config.heads
    # What is shipped learns from MIT data only; the others say what theirs is.
    allowed = {"MIT"} if path.stem.startswith("foreshock-en") else {"MIT", "research"}
    assert {entry.licence for entry in config.data} <= allowed


def test_a_change_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(GOOD)
    changes = ["fit.epochs=2", "base=some/base", "heads.topic.kind=multi", 'languages=["en", "de"]']
    config = load_config(path, changes)
    assert (config.fit.epochs, config.base) == (2, "some/base")
    assert config.heads["topic"].kind is HeadKind.MULTI
    assert config.languages == ("en", "de")


@pytest.mark.parametrize(
    ("content", "changes", "said"),
    [
        (GOOD + "[fit]\nepoch = 3\n", [], r"fit.epoch: Extra inputs are not permitted"),
        (GOOD, ["fit.epochs=0"], r"fit.epochs: Input should be greater than or equal to 1"),
        (GOOD, ["fit.epochs"], r"expected KEY=VALUE"),
        (GOOD, ["base.x=1", "base.x.y=1"], r"'x' is not a section"),
        (GOOD.replace('head = "topic"', 'head = "mood"'), [], r"data.0.head: no head 'mood'"),
        (GOOD + "[heads.mood]\n", [], r"heads.mood: no \[\[data\]\] entry trains it"),
        (GOOD, ["heads.topic.kind=target"], r"data.0.target: a target head, and no other, needs"),
        (
            GOOD,
            ["base=x", "start=y"],
            r"start: a run goes on from a bundle or from a base, not both",
        ),
        (GOOD, ["remember.weight=1"], r"remember.bundle: name the model before"),
        (
            GOOD,
            ["augment.kinds=['back_translation']"],
            r"back_translation, and nothing else, needs",
        ),
        (GOOD, ["augment.away=x", "augment.back=y"], r"back_translation, and nothing else, needs"),
        (GOOD, ["augment.heads=['mood']"], r"augment.heads: no head 'mood'"),
        (GOOD + "replay = true\n", [], r"data: nothing to learn, every set is replay"),
        (GOOD, ["replay.share=1.0"], r"replay.share: Input should be less than 1"),
        ("heads = [", [], r"not TOML"),
    ],
)
def test_a_wrong_recipe_is_one_clear_error(
    tmp_path: Path, content: str, changes: list[str], said: str
) -> None:
    path = tmp_path / "r.toml"
    path.write_text(content)
    with pytest.raises(ModelError, match=said):
        load_config(path, changes)


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="name a recipe with --config"):
        load_config(tmp_path / "absent.toml")
