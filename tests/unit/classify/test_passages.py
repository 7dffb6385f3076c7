"""Long documents are decided by their gravest passage, which is kept; hearsay makes a rumour."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.routing import Router
from monitor.classify.passages import LEAD_CHARS, PASSAGE_CHARS, passages
from monitor.classify.stage import ClassifyStage
from monitor.clock import SystemClock
from monitor.domain import Article, Company
from monitor.entities.resolver import Resolver
from monitor.metrics import Metrics
from monitor.stories.risk import RiskPack

AT = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
DULL = "The committee met in spring and took note of the calendar for the coming season. " * 40
GRAVE = "Acme Corp has filed for Chapter 11 bankruptcy protection after its lenders walked away. "
OTHER = "It owes money to Beta Widgets for machines. "
COMPANIES = (Company("acme", "Acme Corp"), Company("beta", "Beta Widgets"))


@pytest.fixture(scope="module")
def stage() -> ClassifyStage:
    router = Router.load()
    resolver, pack = Resolver(COMPANIES), RiskPack.load(None)
    metrics = Metrics()
    return ClassifyStage(
        lambda: router, resolver, 1, pack, SystemClock(), metrics, hearsay=frozenset(["forum"])
    )


def report(body: str, source: str = "reports") -> Article:
    first = Article("a", "1", source, "p", None, "Sector review", body[:1_000], "en", AT, AT)
    return replace(first, body=body if len(body) > 1_000 else "")


def test_the_passage_that_decides_is_kept_as_evidence(stage: ClassifyStage) -> None:
    [found] = stage.classify([report(DULL + GRAVE + DULL + OTHER + DULL)])
    assert found.article.body == ""
    assert GRAVE.strip() in found.article.lead and len(found.article.lead) <= LEAD_CHARS
    assert {mention.company_id for mention in found.mentions} == {"acme", "beta"}
    for mention in found.mentions:
        assert found.article.lead[mention.start : mention.end].startswith(("Acme", "Beta"))
    assert [risk.event for risk in found.risks] == ["bankruptcy"]
    assert found.sentiment == "negative"
    assert (found.article.id, found.article.revision) == ("a", "1")


def test_short_articles_are_read_as_they_are_beside_long_ones(stage: ClassifyStage) -> None:
    short = report("Beta Widgets opens a plant.")
    first, _, last = stage.classify([short, report(DULL + GRAVE), short])
    assert first.article == last.article == short
    assert first.score == last.score == stage.classify([short])[0].score


def test_what_a_forum_reports_as_a_fact_is_a_rumour(stage: ClassifyStage) -> None:
    told, heard = stage.classify([report(GRAVE), report(GRAVE, "forum")])
    assert [risk.stage for risk in told.risks] == ["confirmed"]
    assert [risk.stage for risk in heard.risks] == ["rumour"]


@given(st.text(alphabet=st.sampled_from("abc .。银行!\n"), max_size=3_000))
@settings(max_examples=100, deadline=None)
def test_passages_hold_all_words_and_none_is_too_long(text: str) -> None:
    found = passages(text)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(len(each) <= PASSAGE_CHARS for each in found)
    chinese = [each for each in found if each.strip("银行。") == ""]
    assert all(len(each) <= PASSAGE_CHARS // 4 for each in chinese)
