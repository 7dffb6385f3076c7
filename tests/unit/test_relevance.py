"""Personal relevance: what is followed, bad before good, grave before slight, fresh before old."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.domain import ClassifiedArticle
from monitor.relevance import HALF_LIFE, MOST_LEAN, Ranked, lean, rank
from tests.support.make import T0, classified, risk

NAMES = {"acme": "Acme", "zenith": "Zenith"}
NOW = T0 + timedelta(hours=6)


def ranked(*items: ClassifiedArticle, topics: Sequence[str] = (), lean: float = 0) -> list[Ranked]:
    leans = {"acme": lean} if lean else {}
    return rank(items, NAMES, frozenset(topics), leans, NOW)


def order(*items: ClassifiedArticle, lean: float = 0) -> list[str]:
    return [each.item.article.title for each in ranked(*items, lean=lean)]


def test_what_nobody_follows_is_not_there() -> None:
    other = classified("a", "Other", companies=("orbit",))
    assert ranked(other) == []
    (one,) = ranked(other, topics=["Earnings"])
    assert one.why == "Earnings" and one.relevance > 0


def test_the_order_of_a_risk_desk() -> None:
    grave = classified("a", "Grave", score=-0.5, risks=[risk(severity=5)])
    slight = classified("b", "Slight", score=-0.5, risks=[risk(severity=2)])
    denied = classified("c", "Denied", score=-0.5, risks=[risk(severity=5, stage="denied")])
    bad, good = classified("d", "Bad", score=-0.9), classified("e", "Good", score=0.9)
    unread = classified("f", "Unread", score=None, sentiment=None)
    aside = classified("g", "Aside", score=None, sentiment=None, field="lead")
    items = (aside, unread, good, bad, denied, slight, grave)
    assert order(*items) == ["Grave", "Slight", "Bad", "Denied", "Good", "Unread", "Aside"]


def test_a_half_life_halves() -> None:
    new, old = classified("a", published_at=NOW), classified("b", published_at=NOW - HALF_LIFE)
    first, second = ranked(old, new)
    assert first.item is new and second.relevance * 2 == first.relevance
    (ahead,) = ranked(classified("c", published_at=NOW + HALF_LIFE))  # a fast clock gains nothing
    assert ahead.relevance == first.relevance


def test_verdicts_lean_and_are_said() -> None:
    acme, zenith = classified("a", "A"), classified("b", "Z", companies=("zenith",))
    assert order(acme, zenith, lean=-0.4) == ["Z", "A"]
    assert "your verdicts −0.40" in ranked(acme, lean=-0.4)[0].why


@given(st.lists(st.tuples(st.sampled_from(["acme", "x"]), st.sampled_from(["true", "false"]))))
def test_a_lean_is_bounded_and_follows_the_verdicts(judged: list[tuple[str, str]]) -> None:
    before = lean(judged).get("acme", 0.0)
    assert abs(before) < MOST_LEAN
    assert lean([*judged, ("acme", "true")])["acme"] > before
    assert lean([*judged, ("acme", "wrong_company")])["acme"] < before
    assert lean([*judged, ("acme", "duplicate")]).get("acme", 0.0) == before
