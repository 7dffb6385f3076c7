"""What an update of an article changed."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from monitor.changes import Change, Part, changes
from monitor.domain import Article, revision_of
from tests.support.make import classified


def article(title: str, lead: str) -> Article:
    known = classified(title=title).article
    return replace(known, lead=lead, revision=revision_of(title, lead))


def test_sentences_that_went_and_came_english_and_chinese() -> None:
    before = article("A", "Sales fell 3.5% in May. Shares lost 4 percent! It will cut jobs.")
    after = article("A", "Sales fell 3.5% in May. It will cut 900 jobs. The union protests.")
    gone, come = (
        "Shares lost 4 percent! It will cut jobs.",
        "It will cut 900 jobs. The union protests.",
    )
    assert changes(before, after) == (Change(Part.LEAD, gone, come),)
    before, after = (
        article("A", "公司违约。股价下跌。"),
        article("A", "公司违约。股价跌停。评级下调。"),
    )
    assert changes(before, after) == (Change(Part.LEAD, "股价下跌。", "股价跌停。 评级下调。"),)
    assert changes(after, after) == ()


leads = st.lists(st.sampled_from(["One.", "Two!", "三。", "Four"]), max_size=6).map(" ".join)


@given(leads, leads)
def test_a_change_is_told_both_ways(one: str, other: str) -> None:
    first, second = article("A", one), article("A", other)
    there, back = changes(first, second), changes(second, first)
    assert bool(there) == (one != other) == bool(back)
    assert [each.part for each in there] == [each.part for each in back]
