"""Abstaining: surer answers are righter ones, and a threshold keeps the precision it was set for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.abstain import risk_coverage


def rows(hits: list[bool], confidence: list[float]) -> tuple[np.ndarray, np.ndarray]:
    truth = np.array([0 if hit else 1 for hit in hits])
    return truth, np.array([[c, 1 - c] for c in confidence])


def test_a_curve_by_hand() -> None:
    curve = risk_coverage(*rows([True, True, False, True], [0.9, 0.8, 0.7, 0.6]))
    assert curve.accuracy.tolist() == pytest.approx([1, 1, 2 / 3, 3 / 4])
    assert curve.accuracy_at(0.5) == 1
    assert curve.threshold(1.0) == 0.8
    assert curve.threshold(0.75) == 0.6


def test_equal_confidence_is_answered_together() -> None:
    curve = risk_coverage(*rows([True, False], [0.8, 0.8]))
    assert curve.accuracy.tolist() == [0.5, 0.5]
    assert curve.threshold(0.9) == 1.0


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.55, 0.6, 0.7, 0.9])), min_size=1),
    st.floats(0.01, 1.0),
)
def test_a_threshold_keeps_its_precision(found: list[tuple[bool, float]], precision: float) -> None:
    hits, confidence = zip(*found, strict=True)
    curve = risk_coverage(*rows(list(hits), list(confidence)))
    least = curve.threshold(precision)
    answered = [hit for hit, sure in found if sure >= least]
    if answered:
        assert np.mean(answered) >= precision
