"""Agreement against published examples, laws of the coefficients, and which label counts."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from monitor.domain import Label, LabelRole
from monitor.relabel.agreement import (
    accuracies,
    agreements,
    cohen_kappa,
    krippendorff_alpha,
)
from monitor.relabel.standing import Basis, disputed, gold, standing
from tests.support.make import T0, label

VALUES = st.sampled_from(["negative", "neutral", "positive"])
UNITS = st.lists(st.lists(VALUES, max_size=4), min_size=1, max_size=20)


def columns(*rows: str) -> list[list[str]]:
    """Return the units of a table with a row for each observer; a dot is no value."""
    return [[value for value in unit if value != "."] for unit in zip(*rows, strict=True)]


@pytest.mark.parametrize(
    ("rows", "alpha"),
    [
        # Krippendorff 2011, Computing Krippendorff's alpha-reliability, examples A, B and C.
        (("0100000010", "1110010000"), 0.095),
        (("aabbdcccedda", "babbbccceddd"), 0.692),
        (("123321412...", "1233224125.3", ".3332342251.", "12332441251."), 0.743),
    ],
)
def test_alpha_is_that_of_the_published_examples(rows: tuple[str, ...], alpha: float) -> None:
    assert krippendorff_alpha(columns(*rows)) == pytest.approx(alpha, abs=0.0005)


@given(UNITS, st.randoms(use_true_random=False))
def test_alpha_knows_no_order_and_full_agreement_is_one(
    units: list[list[str]], chance: random.Random
) -> None:
    found = krippendorff_alpha(units)
    mixed = [chance.sample(unit, len(unit)) for unit in chance.sample(units, len(units))]
    assert krippendorff_alpha(mixed) == found
    assert found is None or found <= 1
    assert krippendorff_alpha([*units, ["negative"], []]) == found  # says nothing
    alike = [unit[:1] * 3 for unit in units if unit]
    if len({unit[0] for unit in alike}) > 1:
        assert krippendorff_alpha(alike) == 1.0


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=30))
def test_kappa_is_that_of_another_implementation_and_symmetric(
    pairs: list[tuple[str, str]],
) -> None:
    found = cohen_kappa(pairs)
    assert cohen_kappa([(b, a) for a, b in pairs]) == found
    if found is not None:
        ones, others = zip(*pairs, strict=True)
        assert found == pytest.approx(cohen_kappa_score(ones, others), abs=1e-12)
    else:
        assert len(set(pairs)) == 1


def test_no_data_is_no_agreement() -> None:
    assert cohen_kappa([]) is None and krippendorff_alpha([]) is None
    assert krippendorff_alpha([["a", "a"], ["a", "a"]]) is None


def event(number: int, value: str | None, who: str, minute: int = 0, **fields: object) -> Label:
    found = label(value=value, who=who, at=T0 + timedelta(minutes=minute), id=number)
    return replace(found, **fields)  # type: ignore[arg-type]


def test_the_newest_that_was_not_taken_back_stands() -> None:
    said = [
        event(1, "negative", "ann"),
        event(2, "neutral", "ann", 1),
        event(3, "positive", "ann", 2),
        event(4, None, "ann", 3, withdraws=3),
        event(5, "negative", "bob", 1),
    ]
    assert [(each.who, each.value) for each in standing(said)] == [
        ("ann", "neutral"),
        ("bob", "negative"),
    ]
    (waiting,) = disputed(said).values()
    assert waiting == {"ann": "neutral", "bob": "negative"} and gold(said) == {}
    third = [*said, event(6, "negative", "eve", 4)]
    (most,) = gold(third).values()
    assert (most.value, most.basis, most.who) == ("negative", Basis.AGREEMENT, ("bob", "eve"))
    assert gold(third, least=3) == {}
    decided = [*third, event(7, "neutral", "zoe", 5, role=LabelRole.ADJUDICATION)]
    (last,) = gold(decided).values()
    assert (last.value, last.basis, last.who) == ("neutral", Basis.ADJUDICATION, ("zoe",))
    assert disputed(decided) == {}
    backed = [*decided, event(8, None, "zoe", 6, role=LabelRole.ADJUDICATION, withdraws=7)]
    assert gold(backed) == gold(third)


@given(st.permutations(range(8)))
def test_what_counts_does_not_depend_on_the_order_of_events(order: list[int]) -> None:
    said = [
        event(1, "negative", "ann"), event(2, "neutral", "ann", 1), event(3, "neutral", "bob", 1),
        event(4, None, "bob", 3, withdraws=3), event(5, "positive", "eve", 1),
        event(6, "neutral", "zoe", 2), event(7, "positive", "kit", 5, role=LabelRole.KNOWN),
        event(8, None, "kit", 6, role=LabelRole.KNOWN, withdraws=7),
    ]  # fmt: skip
    mixed = [said[place] for place in order]
    assert gold(mixed) == gold(said) and standing(mixed) == standing(said)
    assert [each.value for each in gold(said).values()] == ["neutral"]


def test_agreement_and_accuracy_of_people() -> None:
    def on(number: int, value: str, who: str, **fields: object) -> Label:
        return replace(event(number, value, who), article_id=f"a{number // 10}", **fields)  # type: ignore[arg-type]

    said = [
        on(11, "negative", "ann"), on(12, "negative", "bob"),
        on(21, "neutral", "ann"), on(22, "positive", "bob"),
        on(31, "positive", "ann"),
        on(41, "positive", "ann"), on(42, "positive", "kit", role=LabelRole.KNOWN),
        on(51, "neutral", "ann"), on(52, "positive", "kit", role=LabelRole.KNOWN),
        on(53, "positive", "kit"),
    ]  # fmt: skip
    (found,) = agreements(said)
    assert (found.head, found.labelled, found.double, found.alike) == ("sentiment", 5, 3, 1)
    assert found.kappa[("ann", "bob")] == pytest.approx(1 / 3)
    assert found.disputed == 1
    (ann,) = accuracies(said)  # kit's own known answers are no check on kit
    assert (ann.who, ann.checked, ann.right, ann.share) == ("ann", 2, 1, 0.5)
    assert 0 < ann.low < 0.5 < ann.high < 1
