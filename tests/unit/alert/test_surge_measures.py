"""Surge rules that measure something else, or that have to hold: the laws that all share."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alert.reports import Reports
from monitor.alert.surge import MINUTE_US, Measure, Surge, SurgeRule, surges
from monitor.domain import Dimension
from tests.unit.alert.test_surge import T0_US, Row, items_of, known, minute_rows, rows

BASE = SurgeRule(windows_minutes=(10, 30), min_negative=3, min_items=3, volume_z=3.0, share_z=1.0)
RULES = {
    "volume": replace(BASE, measure=Measure.VOLUME),
    "share": replace(BASE, measure=Measure.SHARE),
    "held": replace(BASE, hold_minutes=15),
    "volume held": replace(BASE, measure=Measure.VOLUME, hold_minutes=40),
}


def decide(items: pd.DataFrame, begin: int, end: int, rule: SurgeRule) -> list[Surge]:
    """Decide the minutes from ``begin`` to ``end`` on the rows the alert stage would read."""
    after_us, until_us = T0_US + begin * MINUTE_US, T0_US + end * MINUTE_US
    found = minute_rows(items)
    seen = found["start_us"].between(after_us - rule.lookback_us, until_us, inclusive="left")

    def reports_of(dimension: Dimension, key: str, start_us: int, end_us: int) -> Reports:
        inside = items["published_us"].between(start_us, end_us, inclusive="left")
        return Reports(items[inside & (items["key"] == key)])

    return surges(rule, known(), Dimension.COMPANY, found[seen], after_us, until_us, reports_of)


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=10)
@given(found=rows, cuts=st.lists(st.integers(1, 200), max_size=4))
def test_deciding_minutes_in_any_batches_gives_the_same_surges(
    name: str, found: list[Row], cuts: list[int]
) -> None:
    items, rule = items_of(found), RULES[name]
    whole = decide(items, 0, 201, rule)
    ends = [0, *sorted(cuts), 201]
    parts = [surge for begin, end in pairwise(ends) for surge in decide(items, begin, end, rule)]
    assert sorted(parts, key=lambda surge: (surge.key, surge.end_us)) == whole


@settings(max_examples=20)
@given(rows)
def test_what_held_was_a_surge_all_the_time(found: list[Row]) -> None:
    items, rule = items_of(found), RULES["held"]
    at_once = {(s.key, s.end_us) for s in decide(items, 0, 201, replace(rule, hold_minutes=0))}
    for surge in decide(items, 0, 201, rule):
        since = surge.end_us - rule.hold_us
        assert any(
            key == surge.key and since - 31 * MINUTE_US <= end <= since for key, end in at_once
        )


def test_a_burst_holds_as_long_as_its_window_and_no_longer() -> None:
    burst = items_of([(minute, "acme", 2, 2) for minute in range(3)])
    rule = replace(BASE, windows_minutes=(30,), hold_minutes=15)
    at_once = decide(burst, 0, 200, replace(rule, hold_minutes=0))
    assert decide(burst, 0, 200, rule)[0].end_us == at_once[0].end_us + rule.hold_us
    assert decide(burst, 0, 200, replace(rule, hold_minutes=40)) == []
