"""Labels to other tools and back: nothing lost on the way, and what counts can be trained on."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from models.training.config import make_config
from models.training.data import load_sources
from monitor.cli import app
from monitor.domain import Label, LabelRole
from monitor.errors import ConfigError
from monitor.relabel.exchange import FORMATS
from monitor.relabel.exchange.rows import harmless, plain
from monitor.relabel.exchange.take import take
from monitor.relabel.exchange.tasks import tasks_of
from monitor.relabel.heads import Question
from monitor.relabel.standing import standing
from monitor.store import Store, articles, labels
from tests.support.make import T0, classified
from tests.unit.relabel.desk import HEADS, fill, news, say

HOSTILE = (
    '=HYPERLINK("x")',
    "+1 800",
    "-5% in a day",
    "@SUM(A1)",
    '\'tis, "so"',
    "two\tcells",
)
NAMES = {"acme": "=Acme, Corp"}


@pytest.fixture
def desk(sqlite_store: Store) -> Store:
    """Items whose titles are formulas among others, labelled by several people in every role."""
    hostile = [classified(f"h{n}", title) for n, title in enumerate(HOSTILE)]
    fill(sqlite_store, [*hostile, *news(60)])
    for number, item in enumerate([*hostile, *news(60)]):
        say(sqlite_store, item, ("negative", "neutral", "positive")[number % 3], "ann", number)
        say(sqlite_store, item, ("Macro", "IPO")[number % 2], "ann", number, Question("topic"))
    for number, item in enumerate(hostile):
        say(sqlite_store, item, "neutral", "=bob", number, sampler="second", guess_shown=True)
        say(sqlite_store, item, "positive", "eve", number, Question("target", "acme"))
        say(
            sqlite_store,
            item,
            ("", "recall", "fine|recall")[number % 3],
            "eve",
            0,
            Question("risk"),
        )
    say(sqlite_store, hostile[0], "positive", "zoe", 5, role=LabelRole.ADJUDICATION)
    say(sqlite_store, hostile[1], "positive", "kit", 6, role=LabelRole.KNOWN)
    back = say(sqlite_store, hostile[2], "neutral", "kim", 6)
    with sqlite_store.write() as connection:
        labels.withdraw(connection, back, "kim", T0)
    return sqlite_store


def written(store: Store, form: str) -> str:
    with store.read() as connection:
        said = standing(labels.events(connection))
        keys = dict.fromkeys((each.article_id, each.revision) for each in said)
        items = articles.get(connection, list(keys))
    tasks = tasks_of(items, said, ["sentiment", "topic"], HEADS, NAMES)
    return FORMATS[form].write([task for task in tasks if task.labels], HEADS)


def stands(store: Store) -> list[Label]:
    with store.read() as connection:
        said = [replace(each, id=None) for each in standing(labels.events(connection))]
    return sorted(said, key=lambda each: (*map(str, each.question), each.who))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Store]:
    """Another database with the same news and no labels."""
    store = Store(f"sqlite:///{tmp_path / 'elsewhere.db'}")
    fill(store, [*(classified(f"h{n}", title) for n, title in enumerate(HOSTILE)), *news(60)])
    yield store
    store.close()


@pytest.mark.parametrize("form", FORMATS)
def test_labels_come_back_as_they_went(form: str, desk: Store, elsewhere: Store) -> None:
    text = written(desk, form)
    said = list(FORMATS[form].read(text, HEADS))
    with elsewhere.write() as connection:
        taken = take(connection, said, HEADS, T0)
    before, after = stands(desk), stands(elsewhere)
    assert (taken.added, taken.repeats, taken.unknown) == (len(before), 0, 0)
    if form in ("jsonl", "csv"):
        assert after == before and written(elsewhere, form) == text
    # Other tools know who said what of which item in which role, and no more.
    facts = [
        [(*each.question, each.value, each.who, each.role) for each in s] for s in (before, after)
    ]
    assert facts[0] == facts[1]
    for store in (desk, elsewhere):
        with store.write() as connection:
            again = take(connection, said, HEADS, T0)
        assert (again.added, again.repeats) == (0, len(before))


@given(st.text())
def test_a_cell_is_no_formula_and_is_read_back_equal(text: str) -> None:
    assert plain(harmless(text)) == text
    assert not harmless(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_no_cell_of_the_csv_is_a_formula(desk: Store) -> None:
    cells = [cell for row in csv.reader(written(desk, "csv").splitlines()) for cell in row]
    assert any("HYPERLINK" in cell for cell in cells) and "'=bob" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_the_documents_are_those_of_the_tools(desk: Store) -> None:
    task = json.loads(written(desk, "label-studio"))[0]
    assert set(task) == {"id", "data", "annotations", "predictions"}
    (choice,) = [r for r in task["annotations"][0]["result"] if r["from_name"] == "sentiment"]
    assert (choice["to_name"], choice["type"]) == ("text", "choices")
    assert choice["value"] == {"choices": [choice["value"]["choices"][0]]}
    record = json.loads(written(desk, "argilla"))[0]
    assert set(record) == {"id", "fields", "metadata", "suggestions", "responses"}
    assert set(record["suggestions"]["topic"]) == {"value", "score", "agent"}
    assert set(record["responses"]["topic"][0]) == {"value", "user_id"}


@pytest.mark.parametrize(
    ("form", "text", "why"),
    [
        ("jsonl", "{}\n", "line 1: no 'value'"),
        ("jsonl", '{"value": "x"\n', "line 1: not JSON"),
        ("csv", "article_id,value\na\n", "line 2: not as many fields"),
        ("csv", "article_id,value\na,b\n", "line 2: no 'head'"),
        ("label-studio", "{}", "expected a JSON list of tasks"),
        ("label-studio", '[{"data": {}}, {}]', "task 1: no 'data'"),
        (
            "argilla",
            '[{"metadata": {}, "responses": {"topic": [{"value": "x"}]}}]',
            "record 0: no 'arti",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(form: str, text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        list(FORMATS[form].read(text, HEADS))


def test_a_wrong_label_takes_nothing(desk: Store, elsewhere: Store) -> None:
    said = list(FORMATS["jsonl"].read(written(desk, "jsonl"), HEADS))
    said[-1] = replace(said[-1], value="splendid")
    with (
        pytest.raises(ConfigError, match=r"line \d+: head .*: no label 'splendid'"),
        elsewhere.write() as connection,
    ):
        take(connection, said, HEADS, T0)
    assert stands(elsewhere) == []


def test_the_commands(desk: Store, elsewhere: Store, tmp_path: Path) -> None:
    def foreshock(*arguments: str, store: Store = desk) -> Result:
        found = CliRunner().invoke(app, ["labels", *arguments, "--db", str(store.url)])
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        return found

    item = news(60)[7].article
    asked = json.loads(foreshock("queue", "--by", "lee", "--size", "5", "--json").stdout)
    assert len(asked) == 5 and asked[0]["heads"] == ["sentiment", "topic"]
    said = foreshock("add", item.id[:10], "--head", "sentiment", "--is", "neutral", "--by", "lee")
    assert said.exit_code == 0 and f"{item.id[:8]} sentiment is neutral" in said.stdout
    number = said.stdout.split()[1].rstrip(":")
    assert "(lee, annotation; the model said" in foreshock("list", "--who", "lee").stdout
    heads = json.loads(foreshock("agreement", "--json").stdout)["heads"]
    assert {each["head"] for each in heads} == {"sentiment", "topic", "target", "risk"}
    assert "alpha" in foreshock("agreement").stdout
    assert "adjudication: zoe" in foreshock("gold", "--head", "sentiment").stdout
    assert f"label {number}: withdrawn" in foreshock("withdraw", number, "--by", "lee").stdout
    disputed = foreshock("list", "--disputed", "--json", "--limit", "500").stdout
    assert {each["who"] for each in json.loads(disputed)} == {"ann", "=bob", "kim"} - {"kim"} | {
        "kim"
    }
    for form in FORMATS:
        out = tmp_path / f"labels-{form}"
        assert foreshock("export", str(out), "--format", form).exit_code == 0
        taken = foreshock("import", str(out), "--format", form, store=elsewhere)
        assert taken.exit_code == 0 and "labels taken" in taken.stdout
    items = tmp_path / "items.json"
    foreshock("queue", "--by", "lee", "--out", str(items), "--format", "argilla")
    assert json.loads(items.read_text("utf-8"))[0]["responses"] == {}
    assert foreshock("export", str(tmp_path / "x.doc")).exit_code == 2


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_what_counts_can_be_trained_on(desk: Store, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"gold.{ending}"
    command = ["labels", "export", str(out), "--training", "--head", "topic", "--db", str(desk.url)]
    assert CliRunner().invoke(app, command).exit_code == 0
    # As `foreshock train --data FILE --head topic` reads it.
    table = {"heads": {"topic": {}}, "data": [{"head": "topic", "file": str(out)}]}
    (source,) = load_sources(make_config(table, "--data", ()))
    assert {"train", "valid"} <= set(source.splits)
    texts = [text for split in source.splits.values() for text in split.texts]
    assert len(texts) == len(HOSTILE) + 60
    title = news(1)[0].article.title
    (split,) = [each for each in source.splits.values() if title in each.texts]
    place = split.texts.index(title)
    assert source.head.labels[int(split.labels[place])] == "Macro"
    if ending == "jsonl":
        assert set(HOSTILE[:4]) <= set(texts)
    two = [*command, "--least", "2"]
    assert CliRunner().invoke(app, two).exit_code == 2
