"""A candidate by a recipe: the champion trained on as a whole, its other heads kept by old texts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is in foreshock[train]")
pytest.importorskip("nncf", reason="nncf is in foreshock[train]")

from models.bundle import Bundle  # noqa: E402
from models.classifier import Classifier  # noqa: E402
from models.labels import Head  # noqa: E402
from monitor.errors import ConfigError  # noqa: E402
from monitor.relabel.standing import Basis  # noqa: E402
from monitor.retrain.collect import Sample  # noqa: E402
from monitor.retrain.old import Old  # noqa: E402
from monitor.retrain.plan import RetrainPlan  # noqa: E402
from monitor.retrain.recipe import by_recipe  # noqa: E402
from monitor.retrain.refit import Lesson  # noqa: E402
from tests.unit.models.compress import tiny  # noqa: E402

pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]

RECIPE = """
[adapter]
rank = 8
[fit]
lr = 0.01
epochs = 12
patience = 12
average = 0.5
precision = "float32"
"""


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("tiny")
    return tiny.bundle(folder / "bundle", tiny.base(folder / "base"))


def texts(words: Sequence[str], count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    found = {" ".join([*words, *draw.choices("abcdefgh0123", k=3)]): None for _ in range(count)}
    return list(found)


def sample(text: str, value: str) -> Sample:
    return Sample(
        "sentiment", value, text, "", text, "", "en", "wire", ("ann", "bob"), Basis.AGREEMENT
    )


def answers(bundle: Bundle, head: str, rows: Sequence[str]) -> list[str]:
    found = Classifier.load(bundle.folder, "openvino").logits(rows)[head].argmax(axis=1)
    return [bundle.labels[head][at] for at in found.tolist()]


def agreement(one: Bundle, other: Bundle, head: str, rows: Sequence[str]) -> float:
    pairs = zip(answers(one, head, rows), answers(other, head, rows), strict=True)
    return sum(a == b for a, b in pairs) / len(rows)


def test_the_whole_model_learns_what_is_new_and_keeps_its_other_head(
    champion: Bundle, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    said = answers(champion, "sentiment", texts(["oil", "deal"], 40, 1))
    wanted = min(("negative", "positive"), key=said.count)
    topic, sentiment = (head for head in champion.heads)
    old = [
        Old(text)
        for words in (["profit", "rises"], ["bank", "cuts"])
        for text in texts(words, 60, 2)
    ]
    lessons = [
        Lesson(topic, (), old),
        Lesson(sentiment, [sample(t, wanted) for t in texts(["oil", "deal"], 90, 3)], old),
    ]
    plan = RetrainPlan(recipe=recipe)
    told: list[str] = []
    made = by_recipe(
        champion,
        lessons,
        tmp_path / "made",
        "1+1",
        plan,
        lambda what, done, total: told.append(what),
    )
    assert (made.name, made.version) == (champion.name, "1+1")
    assert {head.name: head.labels for head in made.heads} == {
        head.name: head.labels for head in champion.heads
    }
    assert made.training["start"]["hash"] == champion.hash
    assert "training" in told
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    fresh = texts(["oil", "deal"], 60, 9)
    assert answers(made, "sentiment", fresh).count(wanted) / len(fresh) > 0.9
    unseen = texts(["profit", "rises"], 40, 8) + texts(["bank", "cuts"], 40, 8)
    for head in ("topic", "sentiment"):
        assert agreement(champion, made, head, unseen) > 0.7


def test_a_recipe_that_would_lose_the_embedding_is_refused(tmp_path: Path) -> None:
    from models.bundle import load_bundle

    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    shipped = load_bundle()
    heads: list[Head] = [head for head in shipped.heads if head.name == "sentiment"]
    lessons = [Lesson(head, [sample("Acme falls", "negative")], ()) for head in heads]
    with pytest.raises(ConfigError, match=r"write \[embedding\] weight above 0"):
        by_recipe(shipped, lessons, tmp_path / "made", "4+1", RetrainPlan(recipe=recipe))
