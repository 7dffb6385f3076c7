"""Who is asked what, over a real store: nothing twice, others' items blind, known ones among the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.domain import LabelRole
from monitor.relabel.answers import answer
from monitor.relabel.candidates import Asked, load, queue
from monitor.relabel.heads import NotALabel, Question, checked
from monitor.relabel.plan import Plan
from monitor.relabel.queue import KNOWN, SECOND
from monitor.relabel.samplers import BY_CHANCE
from monitor.store import Store, acts, alerts, labels
from monitor.store.labels import LabelRefused
from tests.support.make import T0, alert, classified
from tests.unit.relabel.desk import HEADS, SENTIMENT, fill, news, say

PLAN = Plan(second=0.0, known=0.0)


def asked(store: Store, who: str = "ann", plan: Plan = PLAN, seed: int = 1) -> list[Asked]:
    return queue(load(store, plan.pool), plan, HEADS, who, seed, 1_000)


def titles(found: list[Asked]) -> set[str]:
    return {each.item.article.title for each in found}


def test_everything_that_was_read_is_asked_once_and_no_copy_of_it(sqlite_store: Store) -> None:
    items = news()
    copies = [classified(f"copy {n}", items[n].article.title.upper()) for n in range(5)]
    fill(sqlite_store, [*items, *copies, classified("unread", "X", topic=None, sentiment=None)])
    found = asked(sqlite_store)
    assert len(found) == len(items)
    assert {t.casefold() for t in titles(found)} == {i.article.title.casefold() for i in items}
    assert all(each.choice.why for each in found)
    assert found[0].questions == (SENTIMENT, Question("topic"))
    assert found == asked(sqlite_store) != asked(sqlite_store, seed=2)


def test_what_a_person_answered_is_left_out_until_they_take_it_back(sqlite_store: Store) -> None:
    items = news(6)
    fill(sqlite_store, [*items, classified("copy", items[0].article.title)])
    first = say(sqlite_store, items[0], "neutral")
    (again,) = [a for a in asked(sqlite_store) if a.item.article.title == items[0].article.title]
    assert again.item == items[0] and again.questions == (Question("topic"),)
    say(sqlite_store, items[0], "Macro", question=Question("topic"))
    assert titles(asked(sqlite_store)) == {item.article.title for item in items[1:]}
    with sqlite_store.write() as connection:
        labels.withdraw(connection, first, "ann", T0 + timedelta(days=2))
    (again,) = [a for a in asked(sqlite_store) if a.item.article.title == items[0].article.title]
    assert again.questions == (SENTIMENT,)


def test_a_second_person_is_asked_blind_and_a_third_is_not(sqlite_store: Store) -> None:
    items = news(10)
    fill(sqlite_store, items)
    say(sqlite_store, items[0], "neutral", "ann")
    for who in ("ann", "bob"):
        say(sqlite_store, items[1], "neutral", who)
    plan = replace(PLAN, second=0.3)
    reasons = {each.item.article.id: each.choice for each in asked(sqlite_store, "eve", plan)}
    assert len(reasons) == 9 and items[1].article.id not in reasons
    choice = reasons[items[0].article.id]
    assert (choice.sampler, choice.why) == (SECOND, BY_CHANCE)
    assert items[0].article.id not in {a.item.article.id for a in asked(sqlite_store, "eve")}


def test_known_items_are_hidden_among_the_others(sqlite_store: Store) -> None:
    items = news(10)
    fill(sqlite_store, items)
    say(sqlite_store, items[0], "neutral", "kit", role=LabelRole.KNOWN)
    plan = replace(PLAN, known=0.2)
    checks = [a for a in asked(sqlite_store, "ann", plan) if a.choice.sampler == KNOWN]
    assert [(a.item, a.choice.why) for a in checks] == [(items[0], BY_CHANCE)]
    # Who gave the answer is not checked against it.
    assert not [a for a in asked(sqlite_store, "kit", plan) if a.choice.sampler == KNOWN]


def test_evidence_of_a_false_alert_is_asked_with_what_it_quoted(sqlite_store: Store) -> None:
    from monitor.domain import Evidence

    old = classified("old", "Acme files for protection of its mark", published_at=T0)
    fill(sqlite_store, [*news(20), old])
    article = old.article
    proof = Evidence(
        *(article.id, article.revision, T0, "wire.example", article.title, None, "files for", -0.5, "")
    )  # fmt: skip
    false = alert(evidence=(proof,))
    with sqlite_store.write() as connection:
        alerts.save(connection, false)
        acts.judge(connection, false.id, "bob", T0, "false")
    plan = replace(PLAN, pool=5, shares={"wrong": 1.0})
    (found,) = asked(sqlite_store, plan=plan)
    assert (found.item, found.evidence) == (old, "files for")
    assert found.choice.why == "evidence of an alert that was judged false"


def test_readings_that_do_not_fit_together_are_asked(sqlite_store: Store) -> None:
    one, two = (
        classified(n, "Acme widens loss", sentiment=s)
        for n, s in (("a", "negative"), ("b", "neutral"))
    )
    towards = classified("c", "Acme gains as rival fails", sentiment="positive")
    mention = replace(towards.mentions[0], sentiment="negative", score=-0.8)
    fill(sqlite_store, [one, two, replace(towards, mentions=(mention,)), *news(5)[1:]])
    found = asked(sqlite_store, plan=replace(PLAN, shares={"disagreement": 1.0}))
    assert {each.item.article.title: each.choice.why for each in found} == {
        "Acme widens loss": "copies of it are read differently",
        "Acme gains as rival fails": "read one way in all, and another towards a company",
    }


def test_a_label_is_one_of_the_head_and_an_adjudicator_is_a_third(sqlite_store: Store) -> None:
    item = news(1)[0]
    fill(sqlite_store, [item])
    wrong = [
        (Question("sentiment"), "good", "no label 'good'; labels are negative, neutral"),
        (Question("mood"), "good", "no head 'mood'; heads are"),
        (Question("target"), "negative", "needs a company"),
        (Question("topic", "acme"), "Macro", "not about one company"),
        (Question("risk"), "recall|flood", "no label 'flood'"),
    ]
    for question, value, why in wrong:
        with pytest.raises(NotALabel, match=why):
            say(sqlite_store, item, value, question=question)
    assert checked(HEADS, Question("risk"), "recall|bank_run") == "bank_run|recall"
    assert checked(HEADS, Question("risk"), "") == ""
    say(sqlite_store, item, "neutral", "ann")
    with pytest.raises(LabelRefused, match="ann labelled it; somebody else"):
        say(sqlite_store, item, "negative", "ann", role=LabelRole.ADJUDICATION)
    say(sqlite_store, item, "negative", "eve", role=LabelRole.ADJUDICATION)


def test_what_the_model_said_is_taken_down(sqlite_store: Store) -> None:
    item = news(1)[0]
    fill(sqlite_store, [item])
    with sqlite_store.write() as connection:
        said = answer(
            connection, HEADS, item, Question("topic"), "Macro", "ann", T0, sampler="rare",
            guess_shown=True,
        )  # fmt: skip
    assert (said.predicted, said.probability, said.model_version) == ("Earnings", 0.9, "test 1")
    assert said.guess_shown and said.sampler == "rare"
