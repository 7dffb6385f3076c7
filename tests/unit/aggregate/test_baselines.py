"""Laws of the baselines."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from monitor.aggregate.baselines import MONDAY_US, Baselines, compute
from monitor.aggregate.deviations import z_score
from monitor.aggregate.swings import HOUR_US
from monitor.domain import Dimension, from_micros, to_micros
from tests.support.make import T0

WEEK = timedelta(days=7)
MINUTE_US = 60_000_000


def history(
    first: datetime, market: NDArray[np.int64], company: NDArray[np.int64] | None = None
) -> pd.DataFrame:
    """Hour buckets from hourly counts; every item is negative."""
    frames = []
    for dimension, key, counts in (("market", "all", market), ("company", "acme", company)):
        if counts is None:
            continue
        start_us = to_micros(first) + np.arange(len(counts)) * HOUR_US
        frame = pd.DataFrame({"start_us": start_us, "items": counts, "negative": counts})
        frames.append(frame[frame["items"] > 0].assign(dimension=dimension, key=key))
    return pd.concat(frames).assign(positive=0, neutral=0, score_sum=0)


def after(first: datetime, counts: NDArray[np.int64]) -> datetime:
    return first + timedelta(hours=len(counts))


counts = st.lists(st.integers(0, 200), min_size=24, max_size=24 * 20).map(
    lambda values: np.array([1, *values], dtype=np.int64)
)
firsts = st.integers(0, 24 * 21).map(lambda hours: T0 + timedelta(hours=hours))


@given(firsts, counts)
def test_the_profile_has_mean_one_over_the_hours_seen(
    first: datetime, market: NDArray[np.int64]
) -> None:
    known = compute(history(first, market), after(first, market))
    hours = (to_micros(first) - MONDAY_US) // HOUR_US + np.arange(len(market))
    assert known.profile.shape == (168,)
    assert (known.profile > 0).all()
    assert known.profile[hours % 168].mean() == pytest.approx(1)
    assert known.days == pytest.approx(len(market) / 24)


@given(firsts, counts, st.integers(1, 60))
def test_the_same_news_some_weeks_later_gives_the_same(
    first: datetime, market: NDArray[np.int64], weeks: int
) -> None:
    company = market // 7
    known = compute(history(first, market, company), after(first, market))
    later = compute(
        history(first + weeks * WEEK, market, company), after(first + weeks * WEEK, market)
    )
    assert (known.profile == later.profile).all()
    assert known.rates == later.rates


@given(firsts, st.integers(2, 400), st.integers(5, 60))
def test_a_constant_stream_is_never_unusual(first: datetime, pace: int, days: int) -> None:
    market = np.full(24 * days, pace, dtype=np.int64)
    as_of = after(first, market)
    known = compute(history(first, market, market), as_of)
    rate = known.rate(Dimension.COMPANY, "acme")
    assert rate.items_per_hour == pytest.approx(pace)
    assert rate.dispersion == 1.0
    ends_us = to_micros(as_of) + np.arange(1, 100) * 7 * MINUTE_US
    expected = rate.items_per_hour * known.weight(ends_us, 3 * HOUR_US)
    assert np.abs(z_score(np.full(99, 3.0 * pace), expected, rate.dispersion)).max() < 0.05


@given(counts, st.integers(0, 10_000), st.integers(1, 2_000))
def test_the_weight_of_a_window_is_the_sum_of_its_minutes(
    market: NDArray[np.int64], end_minute: int, width_minutes: int
) -> None:
    known = compute(history(T0, market), after(T0, market))
    end_us = to_micros(T0) + end_minute * MINUTE_US
    starts_us = end_us - np.arange(1, width_minutes + 1) * MINUTE_US
    by_minute = known.profile[(starts_us - MONDAY_US) // HOUR_US % 168].sum() / 60
    whole = known.weight(np.array([end_us]), width_minutes * MINUTE_US)[0]
    assert whole == pytest.approx(by_minute, rel=1e-9, abs=1e-6)


def test_one_crisis_does_not_hide_the_next() -> None:
    """A day of ten times the news is cut down to what the busiest of the other days had."""
    quiet = np.full(24 * 28, 10, dtype=np.int64)
    company = np.full(24 * 28, 2, dtype=np.int64)
    crisis = company.copy()
    crisis[24 * 10 : 24 * 11] *= 10

    def rate(counts: NDArray[np.int64]) -> float:
        known = compute(history(T0, quiet, counts), after(T0, quiet))
        return known.rate(Dimension.COMPANY, "acme").items_per_hour

    assert rate(crisis) == pytest.approx(rate(company), rel=0.01)


def test_clumped_news_needs_more_to_be_unusual() -> None:
    market = np.full(24 * 28, 10, dtype=np.int64)
    even = np.full(24 * 28, 2, dtype=np.int64)
    clumped = np.zeros(24 * 28, dtype=np.int64)
    clumped[:: 24 * 2] = 96  # the same number, on every other day
    known = compute(history(T0, market, clumped), after(T0, market))
    regular = compute(history(T0, market, even), after(T0, market))
    observed, expected = np.array([40.0]), np.array([6.0])
    z_clumped, z_even = (
        z_score(observed, expected, found.rate(Dimension.COMPANY, "acme").dispersion)[0]
        for found in (known, regular)
    )
    assert 0 < z_clumped < z_even / 2


def test_a_key_without_history_has_the_floor_rate() -> None:
    market = np.full(24 * 7, 10, dtype=np.int64)
    known = compute(history(T0, market), after(T0, market))
    rate = known.rate(Dimension.COMPANY, "unknown")
    assert rate.items_per_hour == known.floor > 0
    assert rate.score_mean is None


def test_before_any_news_there_is_no_history() -> None:
    known = compute(history(T0, np.zeros(0, dtype=np.int64)), T0)
    assert known == Baselines(T0, 0.0, known.profile, {})
    assert (known.profile == 1).all()


def test_a_busy_hour_of_the_week_is_learnt() -> None:
    """Monday nine o'clock has ten times the news: after four weeks ten times is expected."""
    market = np.full(24 * 28, 10, dtype=np.int64)
    market[:: 24 * 7] = 100
    known = compute(history(T0, market), after(T0, market))
    nine = (to_micros(T0) - MONDAY_US) // HOUR_US % 168
    assert 4 < known.profile[nine] / np.median(known.profile) <= 10
    assert from_micros(MONDAY_US).weekday() == 0


def swings(company: NDArray[np.int64], hours: int = 3) -> float:
    """The dispersion of negative items in windows of some hours, of a company whose items all are."""
    market = np.full(len(company), 50, dtype=np.int64)
    known = compute(history(T0, market, company), after(T0, company), [hours * HOUR_US])
    return known.rate(Dimension.COMPANY, "acme").negative_dispersion(hours * HOUR_US)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.05, 1.0, 20.0]), st.sampled_from([3, 24]))
def test_news_without_swings_has_next_to_no_dispersion(seed: int, pace: float, hours: int) -> None:
    even = np.random.default_rng(seed).poisson(pace, 24 * 28).astype(np.int64)
    even[0] = 1
    assert 1.0 <= swings(even, hours) < 5.0


def test_bad_days_that_come_once_a_week_are_expected_to_come() -> None:
    """Four down days in four weeks: the fifth is within two standard deviations."""
    dice = np.random.default_rng(3)
    down = np.repeat(np.arange(28) % 7 == 2, 24)
    company = dice.poisson(np.where(down, 8.0, 2.0)).astype(np.int64)
    for hours in (3, 24):
        market = np.full(len(company), 50, dtype=np.int64)
        known = compute(history(T0, market, company), after(T0, company), [hours * HOUR_US])
        rate = known.rate(Dimension.COMPANY, "acme")
        expected = np.array([rate.negative_per_hour * hours])
        usual = z_score(np.array([8.0 * hours]), expected, 1.0).item()
        z = z_score(
            np.array([8.0 * hours]), expected, rate.negative_dispersion(hours * HOUR_US)
        ).item()
        assert z < 2.0 < usual


def test_two_days_of_crisis_do_not_hide_the_next() -> None:
    even = np.random.default_rng(5).poisson(2.0, 24 * 28).astype(np.int64)
    crisis = even.copy()
    crisis[24 * 10 : 24 * 12] *= 20
    assert swings(crisis) < 2 * swings(even)


@given(st.lists(st.integers(0, 20), min_size=24 * 8, max_size=24 * 10))
def test_the_usual_share_is_a_share(values: list[int]) -> None:
    company = np.array([1, *values], dtype=np.int64)
    frame = history(T0, company, company)
    frame["positive"], frame["negative"] = frame["items"] // 3, frame["items"] // 2
    rate = compute(frame, after(T0, company)).rate(Dimension.COMPANY, "acme")
    assert 0 < rate.share < 1
    assert rate.share_spread >= 0


def test_the_share_is_that_of_most_days() -> None:
    company = np.full(24 * 20, 2, dtype=np.int64)
    frame = history(T0, company, company)
    crisis = (frame["start_us"] - to_micros(T0)) // HOUR_US // 24 < 4
    frame["negative"] = np.where(crisis, 2, 1)
    frame["positive"] = frame["items"] - frame["negative"]
    rate = compute(frame, after(T0, company)).rate(Dimension.COMPANY, "acme")
    assert (rate.share, rate.share_spread) == (0.5, 0.0)


def test_too_few_items_tell_no_spread() -> None:
    market = np.full(24 * 20, 5, dtype=np.int64)
    company = np.zeros(24 * 20, dtype=np.int64)
    company[::48] = 1
    rate = compute(history(T0, market, company), after(T0, market)).rate(Dimension.COMPANY, "acme")
    assert rate.share_spread == float("inf")
    assert rate.share == pytest.approx(11 / 12)
