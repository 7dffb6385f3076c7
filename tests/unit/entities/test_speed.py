"""A watchlist of many thousands must not slow the stream down; `tests.bench.resolver` has the figure."""

from __future__ import annotations

from monitor.entities import Resolver
from tests.bench.resolver import made_up, titles_per_s

TITLES = [
    f"UPDATE {number}-Borabano Motors shares fall as lenders weigh a plan for the group"
    for number in range(3_000)
]


def test_six_thousand_companies_leave_thousands_of_titles_a_second() -> None:
    resolver = Resolver(made_up())
    found = resolver.resolve(TITLES[0])
    assert [mention.alias for mention in found] == ["Borabano Motors"]
    assert titles_per_s(resolver, TITLES) >= 5_000
