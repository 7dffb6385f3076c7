"""The surge rule, and the law that makes replays repeatable: how minutes are batched changes nothing."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.aggregate.baselines import Baselines, Rate
from monitor.alert.reports import Reports
from monitor.alert.surge import MINUTE_US, Surge, SurgeRule, surges
from monitor.domain import Dimension, to_micros
from tests.support.make import T0

RULE = SurgeRule(windows_minutes=(30,), min_negative=3)
T0_US = to_micros(T0)
Row = tuple[int, str, int, int]  # minute after T0, key, items, how many of them are negative


def known(days: float = 10.0, swing: float = 1.1) -> Baselines:
    rate = Rate(0.5, 0.2, 1.3, None, 0.4, 0.1, {30 * MINUTE_US: swing})
    profile = np.linspace(0.5, 1.5, 168)
    return Baselines(T0, days, profile / profile.mean(), {("company", "acme"): rate})


def items_of(rows: list[Row], copies: bool = False) -> pd.DataFrame:
    """Every item of some rows; each has a title of its own unless all are copies."""
    items = [
        (key, T0_US + minute * MINUTE_US, "negative" if at < negative else "positive")
        for minute, key, count, negative in rows
        for at in range(count)
    ]
    frame = pd.DataFrame(items, columns=["key", "published_us", "sentiment"])
    names = [f"{at:06}" for at in range(len(frame))]
    titles = "One text" if copies else [f"Text {name}" for name in names]
    return frame.assign(id=names, revision="r", title=titles, score=-0.5)


def minute_rows(items: pd.DataFrame) -> pd.DataFrame:
    frame = items.assign(
        start_us=items["published_us"],
        items=1,
        negative=(items["sentiment"] == "negative").astype(int),
        positive=(items["sentiment"] == "positive").astype(int),
    )
    frame = frame.groupby(["start_us", "key"], as_index=False)[
        ["items", "negative", "positive"]
    ].sum()
    return frame.assign(neutral=0, score_sum=frame["negative"] * -500_000)


def decide(
    items: pd.DataFrame,
    begin: int,
    end: int,
    rule: SurgeRule = RULE,
    baselines: Baselines | None = None,
) -> list[Surge]:
    """Decide the minutes from ``begin`` to ``end`` on the rows the alert stage would read."""
    after_us, until_us = T0_US + begin * MINUTE_US, T0_US + end * MINUTE_US
    rows = minute_rows(items)
    seen = rows[(rows["start_us"] >= after_us - rule.longest_us) & (rows["start_us"] < until_us)]

    def reports_of(dimension: Dimension, key: str, start_us: int, end_us: int) -> Reports:
        inside = items["published_us"].between(start_us, end_us, inclusive="left")
        return Reports(items[inside & (items["key"] == key)])

    return surges(
        rule, baselines or known(), Dimension.COMPANY, seen, after_us, until_us, reports_of
    )


rows = st.lists(
    st.tuples(
        st.integers(0, 120),
        st.sampled_from(["acme", "zenith"]),
        st.integers(1, 6),
        st.integers(0, 1),
    ).map(lambda row: (row[0], row[1], row[2], row[2] * row[3])),
    min_size=1,
    max_size=40,
)


@settings(max_examples=40)
@given(rows, st.lists(st.integers(1, 120), max_size=4), st.booleans())
def test_deciding_minutes_in_any_batches_gives_the_same_surges(
    found: list[Row], cuts: list[int], copies: bool
) -> None:
    items = items_of(found, copies)
    whole = decide(items, 0, 121)
    shuffled = items.sample(frac=1, random_state=len(found))
    ends = [0, *sorted(cuts), 121]
    parts = [surge for begin, end in pairwise(ends) for surge in decide(shuffled, begin, end)]
    order = [(surge.key, surge.end_us) for surge in whole]
    assert order == sorted(set(order))
    assert sorted(parts, key=lambda surge: (surge.key, surge.end_us)) == whole


@given(rows)
def test_a_surge_counts_its_window(found: list[Row]) -> None:
    items = items_of(found)
    for surge in decide(items, 0, 121):
        mine = items[
            (items["key"] == surge.key)
            & items["published_us"].between(surge.start_us, surge.end_us, inclusive="left")
        ]
        negative = int((mine["sentiment"] == "negative").sum())
        assert (surge.items, surge.negative) == (len(mine), negative)
        assert surge.negative >= RULE.min_negative
        assert surge.z >= RULE.negative_z
        rate = known().rate(Dimension.COMPANY, surge.key)
        assert surge.negative / surge.items >= RULE.least_share(rate)


@given(rows)
def test_without_negative_items_nothing_fires_however_many_there_are(found: list[Row]) -> None:
    assert decide(items_of([(at, key, 9 * n, 0) for at, key, n, _ in found]), 0, 121) == []


def test_negative_news_of_a_quiet_company_is_a_surge() -> None:
    first, *_ = decide(items_of([(minute, "acme", 2, 2) for minute in range(5)]), 0, 10)
    assert (first.score, first.usual_share) == (-0.5, 0.4)
    assert first.negative == first.items <= 10
    assert first.z > RULE.negative_z
    assert first.expected < 0.5


def test_many_items_of_the_usual_mood_are_no_surge() -> None:
    """An earnings day: ten times the news, as many of it negative as always."""
    busy = [(minute, "acme", 5, 2) for minute in range(10)]
    assert decide(items_of(busy), 0, 20) == []
    worse = [(minute, "acme", 5, 4) for minute in range(10)]
    assert decide(items_of(worse), 0, 20)


def test_a_key_that_swings_needs_more() -> None:
    items = items_of([(minute, "acme", 2, 2) for minute in range(5)])
    assert decide(items, 0, 10)
    assert decide(items, 0, 10, baselines=known(swing=16.0)) == []


def test_forty_copies_are_one_report() -> None:
    burst: list[Row] = [(minute, "acme", 4, 4) for minute in range(10)]
    assert decide(items_of(burst), 0, 20)
    assert decide(items_of(burst, copies=True), 0, 20) == []


@pytest.mark.parametrize(("days", "count"), [(6.9, 0), (7.0, 1)])
def test_nothing_is_decided_before_the_baseline_is_warm(days: float, count: int) -> None:
    found = decide(items_of([(0, "acme", 9, 9)]), 0, 10, baselines=known(days))
    assert len(found) == count


def test_old_items_leave_the_window() -> None:
    items = items_of([(0, "acme", 9, 9), (29, "acme", 1, 0), (30, "acme", 1, 0)])
    ends = [(surge.end_us - T0_US) // MINUTE_US for surge in decide(items, 0, 60)]
    assert ends == [1, 30]


def test_the_rule_tells_its_life() -> None:
    assert SurgeRule(quiet_hours=1, cooldown_hours=2).life.quiet == timedelta(hours=1)
