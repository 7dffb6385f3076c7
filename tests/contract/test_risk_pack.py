"""Every rule of the built-in pack holds its own samples. A rule without samples does not load."""

import pytest

from monitor.domain import RiskMatch
from monitor.stories import RiskPack, RiskRule

PACK = RiskPack.load()
RULES = list(PACK.rules.values())


def matched(rule: RiskRule, text: str) -> list[RiskMatch]:
    return [match for match in PACK.match(text) if match.rule == rule.id]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_samples(rule: RiskRule) -> None:
    assert rule.samples and rule.not_samples
    for text in rule.samples:
        assert matched(rule, text), text
        severities = {rule.severity, *(grade.severity for grade in rule.grades)}
        assert matched(rule, text)[0].severity in severities
    for text in rule.not_samples:
        assert not matched(rule, text), text


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_reads_both_languages(rule: RiskRule) -> None:
    assert any(text.isascii() for text in rule.samples)
    assert any(not text.isascii() for text in rule.samples)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_no_pattern_matches_nothing_at_all(rule: RiskRule) -> None:
    for pattern in rule.patterns:
        assert not pattern.regex.search("")
        assert pattern.literals
