"""Metrics against numbers worked out by hand, and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calibrate import LEAST_ROWS, fit_calibration, fit_temperature
from models.labels import sentiment_score
from models.metrics import expected_calibration_error, measure, softmax

TRUTH = np.array([0, 0, 0, 1, 1, 2])
PROBABILITIES = np.array(
    [
        [0.9, 0.1, 0.0],
        [0.8, 0.1, 0.1],
        [0.3, 0.6, 0.1],
        [0.2, 0.7, 0.1],
        [0.5, 0.4, 0.1],
        [0.0, 0.1, 0.9],
    ]
)


def test_metrics_by_hand() -> None:
    found = measure(TRUTH, PROBABILITIES)
    assert found.n == 6
    assert found.accuracy == pytest.approx(4 / 6)
    # Class 0: 2 of 3 guesses right, 2 of 3 found; class 1: 1 of 2 and 1 of 2; class 2: all.
    assert [c.f1 for c in found.classes] == pytest.approx([2 / 3, 1 / 2, 1.0])
    assert [c.support for c in found.classes] == [3, 2, 1]
    assert found.macro_f1 == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert found.weighted_f1 == pytest.approx((3 * 2 / 3 + 2 * 1 / 2 + 1) / 6)
    assert found.confusion.tolist() == [[2, 1, 0], [1, 1, 0], [0, 0, 1]]


def test_calibration_error_by_hand() -> None:
    # Two bins of ten: (0.5, 0.6] holds one wrong row at 0.6, (0.9, 1.0] one right row at 1.0.
    probabilities = np.array([[0.6, 0.4], [1.0, 0.0]])
    found = expected_calibration_error(np.array([1, 0]), probabilities, bins=10)
    assert found == pytest.approx((0.6 + 0.0) / 2)


def test_classes_that_never_occur_do_not_count_in_macro_f1() -> None:
    found = measure(np.array([0, 1]), np.array([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0]]))
    assert found.macro_f1 == 1.0
    assert found.classes[2].support == 0


def test_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        measure(np.array([], dtype=np.int64), np.empty((0, 3)))


@given(st.integers(0, 2**32 - 1), st.integers(1, 200), st.integers(2, 20))
def test_metrics_agree_with_scikit_learn(seed: int, rows: int, labels: int) -> None:
    sk = pytest.importorskip("sklearn.metrics", reason="scikit-learn is in foreshock[train]")
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, labels, rows)
    probabilities = softmax(rng.normal(size=(rows, labels)))
    guess = probabilities.argmax(axis=1)
    found = measure(truth, probabilities)
    assert found.accuracy == pytest.approx(sk.accuracy_score(truth, guess))
    for average, value in (("macro", found.macro_f1), ("weighted", found.weighted_f1)):
        assert value == pytest.approx(sk.f1_score(truth, guess, average=average, zero_division=0))


def test_a_temperature_makes_overconfident_logits_honest() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(20_000, 3)) * 2
    draws = softmax(honest).cumsum(axis=1) > rng.random((20_000, 1))
    truth = draws.argmax(axis=1)
    # Recovered to sampling error; the standard error of T here is below 0.03.
    assert fit_temperature(honest * 2.5, truth) == pytest.approx(2.5, abs=0.12)
    assert expected_calibration_error(truth, softmax(honest * 2.5)) > 0.05
    assert expected_calibration_error(truth, softmax(honest * 2.5, 2.5)) < 0.02


@given(st.integers(0, 99), st.floats(0.3, 5), st.floats(0.5, 4))
def test_a_power_keeps_the_order_of_a_rows_labels(
    seed: int, temperature: float, power: float
) -> None:
    logits = np.random.default_rng(seed).normal(size=(50, 5)) * 3
    ranked = np.take_along_axis(softmax(logits, temperature, power), logits.argsort(axis=1), axis=1)
    assert (np.diff(ranked, axis=1) >= 0).all()


def test_a_power_is_fitted_where_one_temperature_cannot_be_honest() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(20_000, 3)) * 2
    honest = softmax(logits, 1.5, 2.2)
    truth = (honest.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    alone = softmax(logits, fit_temperature(logits, truth))
    temperature, power = fit_calibration(logits, truth)
    assert power == pytest.approx(2.2, abs=0.15)
    assert expected_calibration_error(truth, alone) > 0.03
    assert expected_calibration_error(truth, softmax(logits, temperature, power)) < 0.01


def test_few_rows_get_a_temperature_alone() -> None:
    rng = np.random.default_rng(4)
    logits, truth = rng.normal(size=(LEAST_ROWS - 1, 3)), rng.integers(0, 3, LEAST_ROWS - 1)
    assert fit_calibration(logits, truth) == (fit_temperature(logits, truth), 1.0)


def test_score_is_positive_less_negative() -> None:
    assert sentiment_score((0.0, 1.0, 0.0)) == 0.0
    assert sentiment_score((0.25, 0.25, 0.5)) == 0.25
    with pytest.raises(ValueError, match="expected 3"):
        sentiment_score((0.5, 0.5))
