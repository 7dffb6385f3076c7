"""The built-in pack as a whole, and packs of several files."""

from pathlib import Path

import pytest

from monitor.errors import ConfigError
from monitor.stories import RiskPack
from monitor.stories.riskfile import CONFIDENCE

PACK = RiskPack.load()
# What is news of a company without being a risk: told, and never an alert by itself.
QUIET = {
    "settlement",
    "appointment",
    "consumer_complaint",
    "dividend",
    "dividend_cut",
    "financing",
    "layoffs",
    "lawsuit",
    "legal_matter",
    "ownership_change",
    "rating_action",
    "results",
    "share_plunge",
    "supply_disruption",
    "takeover",
    "trade_barrier",
    "weak_results",
    "workforce",
}
# Families that alerts of earlier versions are filed under: renaming one reopens what was told.
FILED = {
    "bank_run": "liquidity",
    "bankruptcy": "default",
    "credit_downgrade": "rating",
    "cyber": "cyber",
    "fine": "regulatory",
    "fraud": "fraud",
    "probe": "legal",
    "profit_warning": "earnings",
    "recall": "product",
    "rescue": "liquidity",
    "takeover": "deal",
}


def test_what_is_below_an_alert() -> None:
    assert {rule.event for rule in PACK.rules.values() if rule.severity < 3} == QUIET


@pytest.mark.parametrize(("event", "family"), FILED.items())
def test_families_stay(event: str, family: str) -> None:
    assert PACK.rules[event].family == family


def test_an_event_has_one_family() -> None:
    families: dict[str, set[str]] = {}
    for rule in PACK.rules.values():
        families.setdefault(rule.event, set()).add(rule.family)
    assert all(len(each) == 1 for each in families.values())


def test_both_languages_have_patterns() -> None:
    for rule in PACK.rules.values():
        english = {pattern.words for pattern in rule.patterns}
        assert english == {True, False}, rule.id


RULE = """
  - {id: NAME, label: Leak, family: safety, severity: 3, en: ['(?:oil|gas) leaks?'],
     samples: [gas leak], not: [x]}
"""


def folder(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text, "utf-8")
    return tmp_path


def test_a_folder_is_one_pack(tmp_path: Path) -> None:
    path = folder(
        tmp_path,
        shared="version: '3'\nstages: {denied: ['no [^,]*$']}\n",
        one="rules:" + RULE.replace("NAME", "one"),
        two="rules:" + RULE.replace("NAME", "two"),
    )
    pack = RiskPack.load(path)
    assert list(pack.rules) == ["one", "two"] and pack.version == "3"
    assert pack.match("no gas leak")[0].stage == "denied"
    assert pack.rules["one"].confidence == CONFIDENCE
    assert RiskPack.load(path) is pack  # read once
    before = pack.hash
    folder(tmp_path, two="rules:" + RULE.replace("NAME", "other"))
    assert RiskPack.load(path).hash != before


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "holds no .*yaml"),
        ({"a": "version: '1'", "b": "version: '1'"}, "b.yaml: `version` is given in .*a.yaml"),
        (
            {"a": "rules:" + RULE.replace("NAME", "x"), "b": "rules:" + RULE.replace("NAME", "x")},
            "b.yaml: rule `x` is given twice",
        ),
        ({"a": "version: '1'"}, "at least one rule"),
        ({"a": "rules: 3"}, "a.yaml: `rules` must be a list"),
    ],
)
def test_a_wrong_folder_is_named(tmp_path: Path, files: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        RiskPack.load(folder(tmp_path, **files))
