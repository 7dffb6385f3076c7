"""What a training learns from the desk, and what it never sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.domain import ClassifiedArticle, LabelRole
from monitor.relabel.standing import Basis
from monitor.retrain.collect import Collected, collect, is_held_out
from monitor.retrain.old import old_texts
from monitor.retrain.plan import RetrainPlan
from monitor.store import Store
from monitor.stories.copies import report_key
from tests.support.make import T0, classified
from tests.unit.relabel.desk import HEADS, fill, news, say

PLAN = RetrainPlan(single=3)


@pytest.fixture
def items() -> list[ClassifiedArticle]:
    return news(120)


@pytest.fixture
def store(tmp_path: Path, items: list[ClassifiedArticle]) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'store.db'}")
    fill(store, items)
    yield store
    store.close()


def collected(store: Store, plan: RetrainPlan = PLAN) -> Collected:
    return collect(store, HEADS, ("en",), plan)


def sides(
    items: Sequence[ClassifiedArticle],
) -> tuple[list[ClassifiedArticle], list[ClassifiedArticle]]:
    """Items that are learnt, and items that are held out."""
    held = [i for i in items if is_held_out(report_key(i.article.title), PLAN.held_out)]
    return [i for i in items if i not in held], held


def test_two_people_teach_and_measure_and_nothing_does_both(
    store: Store, items: list[ClassifiedArticle]
) -> None:
    learnt, held = sides(items)
    for item in items:
        say(store, item, "negative", "ann")
        say(store, item, "negative", "bob", 1)
    found = collected(store)
    assert {each.text for each in found.train} == {each.article.title for each in learnt}
    assert {each.text for each in found.held_out} == {each.article.title for each in held}
    assert len(held) > 10
    assert all(each.trusted and each.who == ("ann", "bob") for each in found.train)
    assert found.trusted("sentiment") == len(learnt)
    assert found.through == 240


def test_one_person_teaches_little_and_measures_nothing(
    store: Store, items: list[ClassifiedArticle]
) -> None:
    learnt, held = sides(items)
    for minute, item in enumerate(items):
        say(store, item, "positive", "mallory", minute)
    found = collected(store)
    assert found.held_out == ()
    # The newest of what is not held out.
    assert [each.text for each in found.train] == [
        each.article.title for each in learnt[::-1][: PLAN.single]
    ]
    assert found.trusted("sentiment") == 0
    assert found.left_out == {
        "held out, and of one person only": len(held),
        "more than one person alone may teach": len(learnt) - PLAN.single,
    }


def test_an_adjudicator_alone_is_one_person(store: Store, items: list[ClassifiedArticle]) -> None:
    learnt, _ = sides(items)
    alone, with_one, between, against = learnt[:4]
    decides: dict[str, Any] = {"role": LabelRole.ADJUDICATION}
    say(store, alone, "positive", "mallory", 5, **decides)
    say(store, with_one, "positive", "ann")
    say(store, with_one, "positive", "eve", 5, **decides)
    for who, value in (("ann", "positive"), ("bob", "negative")):
        say(store, between, value, who)
        say(store, against, value, who)
    say(store, between, "negative", "eve", 5, **decides)
    say(store, against, "neutral", "eve", 5, **decides)
    found = {each.text: each for each in collected(store).train}
    assert {text: each.trusted for text, each in found.items()} == {
        alone.article.title: False,
        with_one.article.title: True,
        between.article.title: True,
        against.article.title: False,
    }
    assert found[between.article.title].who == ("bob", "eve")
    assert found[between.article.title].basis is Basis.ADJUDICATION


def test_who_is_seldom_right_on_known_items_teaches_nothing_alone(
    store: Store, items: list[ClassifiedArticle]
) -> None:
    learnt, _ = sides(items)
    for item in learnt[:12]:
        say(store, item, "negative", "lead", role=LabelRole.KNOWN)
        say(store, item, "positive", "mallory", 1)
        say(store, item, "negative", "ann", 1)
    for item in learnt[12:14]:
        say(store, item, "positive", "mallory", 2)
    say(store, learnt[14], "positive", "ann", 2)
    found = collected(store)
    assert {each.text for each in found.train} == {
        *(item.article.title for item in (*learnt[:12], learnt[14]))
    }
    assert all(each.value == "negative" for each in found.train[1:])
    assert found.left_out["annotator seldom right on known items"] == 2


def test_copies_fall_on_one_side_and_count_once(store: Store) -> None:
    title = "Acme to close 3 plants"
    copies = [
        classified("c0", title),
        classified("c1", f"UPDATE 2-{title}"),
        classified("c2", title),
    ]
    fill(store, copies)
    for item in copies[:2]:
        for who in ("ann", "bob"):
            say(store, item, "negative", who)
    say(store, copies[2], "positive", "mallory")  # does not undo what two people say
    found = collected(store)
    (only,) = (*found.train, *found.held_out)
    assert only.value == "negative"
    assert found.left_out["copy of a text"] == 2
    for who in ("ann", "bob"):
        say(store, copies[2], "positive", who, 2)
    assert (*collected(store).train, *collected(store).held_out) == ()


def test_what_cannot_be_learnt_is_counted(store: Store, items: list[ClassifiedArticle]) -> None:
    heads = {"sentiment": replace(HEADS["sentiment"], labels=("negative", "neutral"))}
    for who in ("ann", "bob"):
        say(store, items[0], "positive", who)
    found = collect(store, heads, ("en",), PLAN)
    assert found.left_out == {"label that the champion does not have": 1}
    assert collect(store, {}, ("en",), PLAN).left_out == {"head that the champion does not have": 1}
    assert collect(store, HEADS, ("zh",), PLAN).left_out == {
        "language that the champion does not read": 1
    }


def test_old_texts_are_none_that_are_learnt_or_measured(items: list[ClassifiedArticle]) -> None:
    learnt, _ = sides(items)
    taken = frozenset(report_key(item.article.title) for item in learnt[:30])
    plan = RetrainPlan(old=50)
    found = old_texts(HEADS["sentiment"], (), items, taken, plan)
    assert len(found) == 50
    keys = {report_key(each.text) for each in found}
    assert len(keys) == 50 and not keys & taken
    assert not any(is_held_out(key, plan.held_out) for key in keys)
    assert old_texts(HEADS["sentiment"], (), items[::-1], taken, plan) == found
    assert old_texts(HEADS["sentiment"], (), items, taken, replace(plan, seed=2)) != found


def test_a_label_taken_back_teaches_nothing(store: Store, items: list[ClassifiedArticle]) -> None:
    from monitor.store import labels

    learnt, _ = sides(items)
    for who in ("ann", "bob"):
        number = say(store, learnt[0], "negative", who)
    with store.write() as connection:
        labels.withdraw(connection, number, "bob", T0 + timedelta(days=2))
    (only,) = collected(store).train
    assert not only.trusted
