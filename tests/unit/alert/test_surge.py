"""The surge rule, and the law that makes replays repeatable: how minutes are batched changes nothing."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.aggregate.baselines import Baselines, Rate
from monitor.alert.surge import MINUTE_US, Surge, SurgeRule, surges
from monitor.domain import Dimension, to_micros
from tests.support.make import T0

RULE = SurgeRule(windows_minutes=(30,), min_negative=3, min_items=6)
T0_US = to_micros(T0)


def known(days: float = 10.0) -> Baselines:
    rate = Rate(0.5, 0.2, 1.3, 1.1, None)
    profile = np.linspace(0.5, 1.5, 168)
    return Baselines(T0, days, profile / profile.mean(), {("company", "acme"): rate})


def minute_rows(rows: list[tuple[int, str, int, int]]) -> pd.DataFrame:
    """Bucket rows from (minute after T0, key, items, negative), one for each minute and key."""
    frame = pd.DataFrame(rows, columns=["minute", "key", "items", "negative"])
    frame = frame.groupby(["minute", "key"], as_index=False).sum()
    return frame.assign(
        start_us=T0_US + frame["minute"] * MINUTE_US,
        positive=frame["items"] - frame["negative"],
        neutral=0,
        score_sum=frame["negative"] * -500_000,
    )


def decide(frame: pd.DataFrame, begin: int, end: int, rule: SurgeRule = RULE) -> list[Surge]:
    """Decide the minutes from ``begin`` to ``end`` on the rows the alert stage would read."""
    after_us, until_us = T0_US + begin * MINUTE_US, T0_US + end * MINUTE_US
    seen = frame[(frame["start_us"] >= after_us - rule.longest_us) & (frame["start_us"] < until_us)]
    return list(surges(rule, known(), Dimension.COMPANY, seen, after_us, until_us))


rows = st.lists(
    st.tuples(
        st.integers(0, 120),
        st.sampled_from(["acme", "zenith"]),
        st.integers(1, 6),
        st.integers(0, 1),
    ).map(lambda row: (row[0], row[1], row[2], row[2] * row[3])),
    min_size=1,
    max_size=60,
)


@given(rows, st.lists(st.integers(1, 120), max_size=6))
def test_deciding_minutes_in_any_batches_gives_the_same_surges(
    found: list[tuple[int, str, int, int]], cuts: list[int]
) -> None:
    frame = minute_rows(found)
    whole = decide(frame, 0, 121)
    shuffled = frame.sample(frac=1, random_state=len(found))
    ends = [0, *sorted(cuts), 121]
    parts = [surge for begin, end in pairwise(ends) for surge in decide(shuffled, begin, end)]
    order = [(surge.key, surge.end_us) for surge in whole]
    assert order == sorted(order)
    assert sorted(parts, key=lambda surge: (surge.key, surge.end_us)) == whole


@given(rows)
def test_a_surge_counts_its_window(found: list[tuple[int, str, int, int]]) -> None:
    frame = minute_rows(found)
    for surge in decide(frame, 0, 121):
        mine = frame[
            (frame["key"] == surge.key)
            & (frame["start_us"] < surge.end_us)
            & (frame["start_us"] >= surge.end_us - RULE.longest_us)
        ]
        assert (surge.items, surge.negative) == (mine["items"].sum(), mine["negative"].sum())
        enough = RULE.min_negative if surge.measure == "negative" else RULE.min_items
        assert surge.observed >= enough
        assert surge.z >= (RULE.negative_z if surge.measure == "negative" else RULE.volume_z)


def test_negative_news_of_a_quiet_company_is_a_surge() -> None:
    frame = minute_rows([(minute, "acme", 2, 2) for minute in range(5)])
    first, *_ = decide(frame, 0, 10)
    assert (first.measure, first.observed, first.score) == ("negative", first.negative, -0.5)
    assert first.z > RULE.negative_z
    assert first.expected < 0.5


def test_volume_alone_has_to_be_further_out() -> None:
    frame = minute_rows([(minute, "acme", 3, 0) for minute in range(6)])
    found = decide(frame, 0, 10)
    assert {surge.measure for surge in found} == {"volume"}
    assert all(surge.z >= RULE.volume_z for surge in found)


@pytest.mark.parametrize(("days", "count"), [(2.9, 0), (3.0, 1)])
def test_nothing_is_decided_before_the_baseline_is_warm(days: float, count: int) -> None:
    frame = minute_rows([(0, "acme", 9, 9)])
    found = list(surges(RULE, known(days), Dimension.COMPANY, frame, T0_US, T0_US + 10 * MINUTE_US))
    assert len(found) == count


def test_old_items_leave_the_window() -> None:
    frame = minute_rows([(0, "acme", 9, 9), (29, "acme", 1, 0), (30, "acme", 1, 0)])
    ends = [(surge.end_us - T0_US) // MINUTE_US for surge in decide(frame, 0, 60)]
    assert ends == [1, 30]


def test_the_rule_tells_its_life() -> None:
    assert SurgeRule(quiet_hours=1, cooldown_hours=2).life.quiet == timedelta(hours=1)
