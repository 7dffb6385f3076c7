"""The story rule: which items speak for an alert, and which are held back, with the reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.alert.about import subjects
from monitor.alert.story import Names, StoryRule
from monitor.domain import MODEL, ClassifiedArticle, DateStatus, Mention, RiskMatch
from tests.support.make import T0, classified, risk

RULE = StoryRule()
NAMES = Names(
    companies={"acme": "Acme Corp", "zenith": "Zenith"},
    episodes={"bankruptcy": "insolvency", "default": "insolvency"},
    two_sided=frozenset({"takeover"}),
)


def test_what_concerns_the_rule() -> None:
    assert RULE.concerns(classified(risks=[risk(severity=3)]))
    assert not RULE.concerns(classified(risks=[risk(severity=2)]))
    assert not RULE.concerns(classified(risks=[]))
    assert not RULE.concerns(classified(companies=(), risks=[risk(severity=5)]))


def test_an_event_that_only_the_model_read_has_to_be_sure() -> None:
    unsure = replace(risk(severity=5), rule=MODEL, confidence=0.9)
    sure = replace(unsure, confidence=0.98)
    milder = risk("recall", 3)
    assert not RULE.concerns(classified(risks=[unsure]))
    assert RULE.concerns(classified(risks=[sure]))
    item = classified(score=-0.9, risks=[unsure, milder])
    (finding,) = RULE.findings(item, NAMES, T0)
    assert (finding.event, finding.severity) == ("recall", 3)
    (finding,) = RULE.findings(classified(score=-0.9, risks=[sure, milder]), NAMES, T0)
    assert (finding.event, finding.details["rule"]) == ("bankruptcy", MODEL)


@pytest.mark.parametrize(
    ("score", "match", "date_status", "reason"),
    [
        (-0.3, risk(severity=3), DateStatus.OK, None),
        (-0.1, risk(severity=3), DateStatus.OK, None),  # probes and recalls are told neutrally
        (-0.05, risk(severity=3), DateStatus.OK, "model_disagrees"),
        (0.5, risk(severity=4), DateStatus.OK, None),
        (0.7, risk(severity=4), DateStatus.OK, "model_disagrees"),
        (0.5, risk("takeover", 4), DateStatus.OK, "model_disagrees"),
        (-0.5, risk("takeover", 4), DateStatus.OK, None),
        (
            None,
            risk(severity=3),
            DateStatus.OK,
            None,
        ),  # the model does not read it: the rule decides
        (0.9, risk(severity=4, stage="denied"), DateStatus.OK, None),  # a denial sounds positive
        (-0.9, risk(severity=5, stage="stale"), DateStatus.OK, "stale"),
        (-0.9, risk(severity=5), DateStatus.FUTURE, "undated"),
        (-0.9, risk(severity=5), DateStatus.MISSING, None),
    ],
)
def test_what_is_withheld_and_why(
    score: float | None, match: RiskMatch, date_status: DateStatus, reason: str | None
) -> None:
    item = classified(score=score, risks=[match], date_status=date_status)
    assert RULE.withheld(item, NAMES) == reason


@pytest.mark.parametrize(
    ("towards", "whole", "reason"),
    [
        (-0.1, -0.8, None),  # "Acme recalls cookers over burns": what befell it is told neutrally
        (0.1, -0.2, "model_disagrees"),
        (0.8, -0.9, "model_disagrees"),  # "Acme wins suit against Zenith"
        (-0.8, None, None),
    ],
)
def test_the_headline_has_half_of_the_say(
    towards: float, whole: float | None, reason: str | None
) -> None:
    mention = Mention("acme", "Acme", "title", 0, 4, score=towards)
    item = replace(classified(score=whole, risks=[risk(severity=3)]), mentions=(mention,))
    assert RULE.withheld(item, NAMES) == reason


def test_an_old_item_that_comes_late_is_withheld() -> None:
    late = classified(
        risks=[risk(severity=5)],
        date_status=DateStatus.STALE,
        published_at=T0,
        ingested_at=T0 + timedelta(days=30),
    )
    assert RULE.withheld(late, NAMES) == "stale"


def test_each_company_of_the_title_gets_a_finding() -> None:
    item = classified(companies=("acme", "zenith", "acme"), risks=[risk("default", 4)])
    found = list(RULE.findings(item, NAMES, T0))
    assert [(finding.fingerprint, finding.title) for finding in found] == [
        ("story|acme|insolvency", "Acme Corp: default"),
        ("story|zenith|insolvency", "Zenith: default"),
    ]
    assert all(finding.fires and finding.at == item.article.published_at for finding in found)
    assert found[0].evidence[0].quote == "words of default"


def test_a_rumour_says_so_and_fires_only_when_severe() -> None:
    (mild,) = RULE.findings(classified(risks=[risk(severity=3, stage="rumour")]), NAMES, T0)
    assert (mild.fires, mild.mark, mild.evidence[0].mark) == (False, "rumour", "rumour")
    (severe,) = RULE.findings(classified(risks=[risk("default", 4, "rumour")]), NAMES, T0)
    assert (severe.fires, severe.mark) == (True, "rumour")
    assert severe.title == "Acme Corp: default (unconfirmed)"


def test_an_old_story_republished_fires_nothing_and_is_known() -> None:
    item = classified(risks=[risk("bankruptcy", 5)], date_status=DateStatus.STALE)
    assert RULE.withheld(item, NAMES) is None
    (finding,) = RULE.findings(item, NAMES, T0)
    assert (finding.fires, finding.mark) == (False, "stale")


def test_the_gravest_match_speaks_and_at_equal_gravity_the_surest() -> None:
    item = classified(risks=[risk("fraud", 3), risk("default", 4, "rumour"), risk("bankruptcy", 4)])
    (finding,) = RULE.findings(item, NAMES, T0)
    assert (finding.event, finding.mark) == ("bankruptcy", "")


def named(*places: tuple[str, str]) -> ClassifiedArticle:
    mentions = tuple(Mention(company, company, field, 0, 4) for company, field in places)
    return replace(classified(), mentions=mentions)


def test_the_lead_counts_where_the_title_names_nobody() -> None:
    assert subjects(named(("acme", "title"), ("zenith", "lead"))) == ("acme",)
    assert subjects(named(("zenith", "lead"), ("acme", "lead"))) == ("zenith", "acme")
