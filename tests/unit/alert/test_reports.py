"""Copies count once, whatever order they came in."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alert.reports import Reports, share_naming
from monitor.stories.copies import report_key

Item = tuple[int, str, str | None]  # published, title, sentiment


def reports(items: Sequence[Item]) -> Reports:
    frame = pd.DataFrame(items, columns=["published_us", "title", "sentiment"])
    names = [f"{at:03}" for at in range(len(items))]
    return Reports(frame.assign(id=names, revision="r", score=-0.5))


items = st.lists(
    st.tuples(
        st.integers(0, 20),
        st.sampled_from(["Acme falls", "ACME FALLS", "UPDATE 2-Acme falls", "Acme 3", "Acme 4"]),
        st.sampled_from(["negative", "positive", None]),
    ),
    max_size=30,
)


@given(items, st.integers(0, 20), st.integers(1, 20))
def test_a_window_holds_as_many_reports_as_it_has_titles(
    found: list[Item], start: int, width: int
) -> None:
    inside = [item for item in found if start <= item[0] < start + width]
    counted, read, negative = reports(found).count(start, start + width)
    assert counted == len({report_key(title) for _, title, _ in inside})
    assert negative <= read <= counted
    assert len(reports(found).negative(start, start + width)) == negative


@given(st.permutations(range(12)), st.integers(0, 12))
def test_the_order_of_arrival_changes_nothing(order: list[int], start: int) -> None:
    frame = pd.DataFrame(
        {
            "id": [f"{at:02}" for at in range(12)],
            "revision": "r",
            "title": ["Acme falls", "Acme rises", "Other"] * 4,
            "published_us": [at // 2 for at in range(12)],
            "sentiment": ["negative", "positive", None, "positive"] * 3,
            "score": [-at / 12 for at in range(12)],
        }
    )
    whole, shuffled = Reports(frame), Reports(frame.iloc[order])
    assert whole.count(start, 20) == shuffled.count(start, 20)
    assert whole.negative(start, 20) == shuffled.negative(start, 20)


def test_the_first_of_its_kind_tells_the_mood_and_the_most_negative_stand_first() -> None:
    frame = pd.DataFrame(
        [
            ("a", "Acme falls", 1, "negative", -0.4),
            ("b", "Acme falls!", 2, "negative", -0.9),
            ("c", "Acme sinks", 3, "negative", -0.8),
        ],
        columns=["id", "title", "published_us", "sentiment", "score"],
    )
    found = Reports(frame.assign(revision="r"))
    assert [id_ for id_, _ in found.negative(0, 9)] == ["c", "a"]
    assert [id_ for id_, _ in found.negative(2, 9)] == ["b", "c"]  # its first copy is outside


@pytest.mark.parametrize(
    "title", ["UPDATE 1-", "暴跌", "A-B", "IMF cuts outlook", "Acme -- 3 dead"]
)
def test_a_title_sent_once_more_is_a_copy(title: str) -> None:
    for prefix in ("RPT-", "UPDATE 3-", "RPT-UPDATE 3-", "REFILE - "):
        assert report_key(prefix + title) == report_key(title)


@pytest.mark.parametrize("title", ["!!!", "???", "-"])
def test_a_title_without_words_is_a_copy_of_itself_alone(title: str) -> None:
    assert report_key(title)
    assert report_key(title) != report_key(title + title)


def test_nothing_named_is_no_company() -> None:
    assert share_naming([[], []]) is None
    assert share_naming([]) is None
