"""Two models on the same rows: exact tests, and intervals that hold what they say."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.drift import kernel_width, mean_discrepancy, overconfidence, population_stability
from models.paired import Paired, paired


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_counts_are_of_the_rows_and_the_two_sides_mirror_each_other(
    rows: list[tuple[bool, bool]],
) -> None:
    first, second = (np.array(side) for side in zip(*rows, strict=True))
    found, mirrored = paired(first, second), paired(second, first)
    assert found.difference == pytest.approx(second.mean() - first.mean())
    assert (found.p_better, found.p_worse) == (mirrored.p_worse, mirrored.p_better)
    low, high = found.interval()
    assert low <= found.difference <= high


def test_the_test_is_the_binomial_one() -> None:
    found = Paired(100, 60, 66, 9, 3)
    assert found.p_better == sum(comb(12, k) for k in range(9, 13)) / 2**12
    assert found.p_worse == pytest.approx(1 - sum(comb(12, k) for k in range(0, 3)) / 2**12)
    assert Paired(100, 60, 60, 0, 0).p_better == 1.0


def test_equal_models_seldom_look_better() -> None:
    """At level 0.05 at most one of twenty pairs of equal models passes for better."""
    draw = np.random.default_rng(3)
    passed = 0
    for _ in range(400):
        rows = draw.random((2, 120)) < 0.8
        passed += paired(rows[0], rows[1]).p_better < 0.05
    assert passed <= 400 * 0.05 + 3 * (400 * 0.05 * 0.95) ** 0.5


def test_the_interval_holds_the_true_difference_as_often_as_it_says() -> None:
    draw = np.random.default_rng(4)
    held = 0
    for _ in range(300):
        kinds = draw.choice(3, 300, p=[0.1, 0.06, 0.84])  # gained, lost, neither
        low, high = paired(kinds == 1, kinds == 0).interval()
        held += low <= 0.04 <= high
    assert held >= 300 * 0.95 - 3 * (300 * 0.05 * 0.95) ** 0.5


def test_drift_is_quiet_on_the_same_and_speaks_on_another_distribution() -> None:
    draw = np.random.default_rng(5)
    one, other = draw.normal(size=(150, 8)), draw.normal(size=(150, 8))
    moved = draw.normal(0.6, 1, size=(150, 8))
    width = kernel_width(one)
    assert abs(mean_discrepancy(one, other, width)) < 0.005
    assert mean_discrepancy(one, moved, width) > 0.02
    assert population_stability({"a": 90, "b": 10}, {"a": 10, "b": 90}) > 1
    assert population_stability({"a": 90}, {"a": 900}) == 0.0
    chances = draw.uniform(0.5, 1.0, 2000)
    honest = draw.random(2000) < chances
    assert abs(overconfidence(chances, honest)) < 3
    assert overconfidence(chances, draw.random(2000) < chances - 0.1) > 3
