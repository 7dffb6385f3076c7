"""Flips, intervals and bias, on classifiers whose faults are known."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import ModelError
from models.labels import SENTIMENTS
from models.metrics import softmax
from models.robustness import Bounds, counterfactual, flips, robustness_report, wilson


class Known:
    """A classifier that says what a function of the text says: a score, in [-1, 1]."""

    engine_detail = "by rule"

    def __init__(self, score: Callable[[str], float], labels: tuple[str, ...] = SENTIMENTS) -> None:
        self._score = score
        self.bundle = SimpleNamespace(
            name="known", version="1", labels={"sentiment": labels}, heads=()
        )

    def logits(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        scores = np.array([self._score(text) for text in texts], dtype=np.float32)
        return {"sentiment": np.stack([-scores, np.full_like(scores, 0.1), scores], axis=1)}

    def probabilities(self, texts: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        return {head: softmax(logits) for head, logits in self.logits(texts).items()}


def known(score: Callable[[str], float], **more: Any) -> Any:
    return Known(score, **more)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        # R: prop.test(hits, n, correct = FALSE)$conf.int
        (10, 100, 0.05522914, 0.17436566),
        (0, 10, 0.0, 0.27753280),
        (10, 10, 0.72246720, 1.0),
        (1, 2, 0.09453121, 0.90546879),
        (0, 0, 0.0, 1.0),
    ],
)
def test_wilson(hits: int, n: int, low: float, high: float) -> None:
    assert wilson(hits, n) == pytest.approx((low, high), abs=1e-6)


def test_wilson_wants_a_share() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        wilson(3, 2)


TEXTS = ["Shares of Halden plunge today", "Halden profit jumps 20%", "Orion meets in May", " "]


def test_a_classifier_that_reads_case_flips_on_case_only() -> None:
    found = {
        f.perturbation: f
        for f in flips(known(lambda t: -1.0 if t.isupper() else 1.0), TEXTS, "sentiment")
    }
    assert (found["upper"].changed, found["upper"].flipped) == (3, 3)
    assert found["upper"].share == 1.0
    assert found["upper"].interval == wilson(3, 3)
    assert sum(f.flipped for f in found.values()) == 3
    assert [name for name, f in found.items() if f.exceeded] == ["upper"]
    assert found["full_width"].changed == 3
    assert found["full_width"].read_otherwise == 0
    assert found["synonyms"].changed == 1


def test_a_perturbation_that_changes_nothing_has_no_share() -> None:
    found = {f.perturbation: f for f in flips(known(len), ["1 2"], "sentiment")}
    assert found["synonyms"].share is None
    assert found["synonyms"].interval == (0.0, 1.0)


def test_a_fair_classifier_keeps_the_bounds() -> None:
    for shift in counterfactual(known(lambda t: -2.0 if "fall" in t else 2.0)):
        assert shift.exceeded == ()
        assert shift.mean == 0
        assert shift.flipped == 0


@pytest.mark.parametrize(
    ("kind", "group", "names"),
    [
        ("gender", "female", ("Mary", "Susan", "Jennifer", "Linda", "Karen", "Emily", "Priya", "Mei")),
        ("company", "once in distress", ("Enron", "Lehman", "Wirecard", "Evergrande", "Theranos", "FTX")),
        ("country", "Africa", ("Nigeria", "Kenya", "South Africa", "Egypt")),
    ],
)  # fmt: skip
def test_a_biased_classifier_is_caught(kind: str, group: str, names: tuple[str, ...]) -> None:
    biased = known(lambda text: -1.0 if any(name in text for name in names) else 1.0)
    found = {shift.kind: shift for shift in counterfactual(biased)}
    shift = found.pop(kind)
    assert next(iter(shift.groups)) == group, "the worst group comes first"
    assert shift.share > 0.1
    assert {line.split()[0] for line in shift.exceeded} >= {"mean", "p95", "flips", "group"}
    assert all(other.exceeded == () for other in found.values())


def test_real_texts_are_swapped_where_they_name_one() -> None:
    texts = ["Boeing slips", "Boeing and Ford slip", "$Ford slips", "Weil slips", "All is calm"]
    found = {s.kind: s for s in counterfactual(known(lambda t: 0.5), texts)}
    assert found["company"].real == 1
    assert found["gender"].real == 0
    strict = counterfactual(known(lambda t: len(t) / 90), bounds=Bounds(0, 0, 0, 0))
    assert all(shift.exceeded for shift in strict)


def test_the_report_in_three_forms() -> None:
    told: list[tuple[int, int]] = []
    report = robustness_report(
        known(lambda t: 1.0), TEXTS, "sentiment", progress=lambda *a: told.append(a)
    )
    record = json.loads(json.dumps(report.as_json()))
    assert [s["kind"] for s in record["counterfactual"]] == ["company", "country", "gender"]
    assert max(map(len, report.as_text().splitlines())) <= 110
    for text in (report.as_text(), report.as_markdown()):
        assert "typo_swap" in text
        assert "gender" in text
    assert all(0 < done <= total for done, total in told)
    assert [done for done, total in told if done == total]


def test_what_cannot_be_measured() -> None:
    with pytest.raises(ModelError, match="no head 'topic'"):
        robustness_report(known(len), TEXTS, "topic")
    with pytest.raises(ModelError, match="all are empty"):
        flips(known(len), [" "], "sentiment")
    with pytest.raises(ModelError, match="has no sentiment"):
        counterfactual(known(len, labels=("down", "flat", "up")))
