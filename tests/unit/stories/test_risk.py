from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.domain import MODEL
from monitor.errors import ConfigError
from monitor.stories import RiskPack
from monitor.stories.literals import required_literals
from monitor.stories.sentences import sentences

PACK = RiskPack.load()


@pytest.mark.parametrize(
    ("text", "rule", "stage"),
    [
        ("Acme files for bankruptcy", "bankruptcy", "confirmed"),
        ("Acme denies it will file for bankruptcy", "bankruptcy", "denied"),
        ("Acme rules out bankruptcy, shares jump", "bankruptcy", "denied"),
        ("Acme bankruptcy rumours are untrue", "bankruptcy", "denied"),
        ("Acme has no plans to recall cars", "recall", "denied"),
        ("Judge dismisses Acme fraud lawsuit", "lawsuit", "denied"),
        ("Court denies Acme appeal of fraud verdict", "fraud", "confirmed"),
        ("Acme settles fraud charges, denies wrongdoing", "fraud", "confirmed"),
        ("Acme may file for bankruptcy", "bankruptcy", "rumour"),
        ("Acme considering bankruptcy -sources", "bankruptcy", "rumour"),
        ("U.S. wants Acme to plead guilty in tax dispute-report", "fine", "rumour"),
        ("Is Acme heading for bankruptcy?", "bankruptcy", "rumour"),
        ("Acme recalls 5,000 cars that may catch fire", "recall", "confirmed"),
        ("Ten years after the Acme bankruptcy", "bankruptcy", "stale"),
        ("TIMELINE-Acme CEO steps down after data breach", "cyber", "stale"),
        ("公司否认资金链断裂", "liquidity_squeeze", "denied"),
        ("公司澄清\uff1a破产传闻不实", "bankruptcy", "denied"),
        ("传闻公司将裁员", "layoffs", "rumour"),
        ("十年前的破产案回顾", "bankruptcy", "stale"),
        ("公司被立案调查", "probe", "confirmed"),
    ],
)
def test_stage(text: str, rule: str, stage: str) -> None:
    assert {match.rule: match.stage for match in PACK.match(text)}.get(rule) == stage


def test_a_year_before_the_date_makes_it_stale() -> None:
    text = "How the airline went into bankruptcy in 2002"
    assert PACK.match(text)[0].stage == "confirmed"
    assert PACK.match(text, published_at=datetime(2008, 9, 8, tzinfo=UTC))[0].stage == "stale"
    assert PACK.match(text, published_at=datetime(2002, 9, 8, tzinfo=UTC))[0].stage == "confirmed"


def test_evidence_is_the_sentence_as_written_and_the_firmest_wins() -> None:
    lead = "The lender said all is well. ACME Bank files for Bankruptcy protection. Shares fell."
    matches = {match.rule: match for match in PACK.match("Acme could file for bankruptcy", lead)}
    assert matches["bankruptcy"].stage == "confirmed"
    assert matches["bankruptcy"].evidence == "ACME Bank files for Bankruptcy protection."


def test_gravest_first_and_each_rule_once() -> None:
    matches = PACK.match(
        "Acme cuts jobs, sued over fraud, files for bankruptcy, bankruptcy court says"
    )
    assert [match.severity for match in matches] == sorted(
        (m.severity for m in matches), reverse=True
    )
    assert len({match.rule for match in matches}) == len(matches)


@pytest.mark.parametrize(
    "text",
    [
        "SHAREHOLDER ALERT: Smith LLP announces investigation of Acme for fraud",
        "Research and Markets: Bankruptcy market 2014-2018",
        "Fitch affirms Acme at A",
        "Acme opens a store",
    ],
)
def test_noise_is_no_event(text: str) -> None:
    assert PACK.match(text) == ()


GOOD = """
version: "7"
rules:
  - {id: leak, label: Leak, family: safety, severity: 3, en: ['(?:oil|gas) leaks?'],
     samples: [gas leak], not: [x]}
"""


def pack(tmp_path: Path, text: str) -> RiskPack:
    path = tmp_path / "pack.yaml"
    path.write_text(text, "utf-8")
    return RiskPack.load(path)


def test_a_pack_of_ones_own(tmp_path: Path) -> None:
    own = pack(tmp_path, GOOD)
    assert own.version == "7"
    assert own.match("Oil leak at sea")[0].event == "leak"
    assert own.hash == pack(tmp_path, GOOD).hash != pack(tmp_path, GOOD + "\n").hash


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("severity: 3", "severity: 9", "rule `leak`: severity 9"),
        ("severity: 3", "severity: true", "severity True"),
        (
            "(?:oil|gas) leaks?",
            "(oil",
            "rule `leak`: en: pattern '(oil' is not a regular expression",
        ),
        ("(?:oil|gas) leaks?", "[0-9]+", "no literal"),
        ("(?:oil|gas) leaks?", "Leak", "lower case"),
        ("family: safety", "familly: safety", "rule `leak`: unknown key `familly`"),
        ("family: safety, ", "", "rule `leak`: `family` is missing"),
        (", not: [x]", "", "`not` is missing"),
        ("not: [x]", "not: []", "not: give at least one text"),
        ("samples: [gas leak]", "samples: [1]", "rule `leak`: samples: must be a list of texts"),
        ("version:", "verzion:", "unknown key `verzion`"),
        ("rules:", "rules: [", "not YAML"),
        ("id: leak", "id: Big Leak", "lower-case"),
        ("label: Leak", "label: Leak, polarity: maybe", "polarity 'maybe'"),
        ("label: Leak", "label: Leak, confidence: 2", "confidence 2"),
        ("label: Leak", "label: Leak, compare: under", "compare 'under'"),
        ("label: Leak", "label: Leak, compare: below", "must name the two numbers"),
        ("label: Leak", "label: Leak, looks_back: often", "looks_back 'often'"),
    ],
)
def test_errors_name_file_rule_and_remedy(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as error:
        pack(tmp_path, GOOD.replace(old, new, 1))
    assert str(tmp_path / "pack.yaml") in str(error.value)
    assert says in str(error.value)


def test_two_rules_of_one_id_are_refused(tmp_path: Path) -> None:
    rule = GOOD[GOOD.index("  - {") :]
    with pytest.raises(ConfigError, match="given twice"):
        pack(tmp_path, GOOD + rule)


def test_a_missing_pack_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="check the path"):
        RiskPack.load(tmp_path / "none.yaml")


@given(st.text())
def test_any_text_is_read_the_same_twice(text: str) -> None:
    assert PACK.match(text) == PACK.match(text)


def test_a_huge_title_is_read_in_bounded_time() -> None:
    assert PACK.match("acme files " * 200_000) == ()


@given(st.text(alphabet="ab .!?。\uff1b;\n1"))
def test_sentences_are_in_order_and_lose_no_word(text: str) -> None:
    spans = list(sentences(text))
    kept = "".join(text[start:end] for start, end in spans)
    assert [c for c in kept if c.isalnum()] == [c for c in text if c.isalnum()]
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


@given(st.data())
def test_every_match_of_a_pattern_holds_one_of_its_literals(data: st.DataObject) -> None:
    rules = [rule for rule in PACK.rules.values()]
    pattern = data.draw(st.sampled_from([p for rule in rules for p in rule.patterns]))
    text = data.draw(st.from_regex(pattern.regex))
    assert any(literal in text for literal in pattern.literals)


def test_literals() -> None:
    assert required_literals("colou?rs?") == {"color", "colors", "colour", "colours"}
    assert required_literals("a|[0-9]+") == frozenset()
    assert required_literals("(?:rises|falls) .{0,9}sharply") == {"sharply"}


def test_the_words_that_decided_stand_in_the_evidence() -> None:
    (match,) = PACK.match("Shares slid on Monday. ＡＣＭＥ Corp files for bankruptcy, sources say")
    assert "bankruptcy" in match.words
    assert match.words in match.evidence
    (again,) = PACK.match("Quarterly notes", "A calm day.  Acme recalls 5,000 cars")
    assert again.words and again.words in again.evidence


def test_an_event_that_only_the_model_read() -> None:
    found = PACK.read_by_model(
        {"cyber": 0.93, "bankruptcy": 0.97, "nonsense": 0.99}, "Acme offline after attack"
    )
    assert [(m.event, m.rule, m.confidence, m.stage) for m in found] == [
        ("bankruptcy", MODEL, 0.97, "confirmed"),
        ("cyber", MODEL, 0.93, "confirmed"),
    ]
    rules = [rule for rule in PACK.rules.values() if rule.event == "bankruptcy"]
    assert found[0].severity == min(rule.severity for rule in rules)
    assert found[0].evidence == "Acme offline after attack"
    assert found[0].words == ""
    assert PACK.read_by_model({}, "Acme offline") == ()


@pytest.mark.parametrize(
    ("title", "stage"),
    [
        ("Acme denies systems were breached", "denied"),
        ("Acme may have lost its licence -sources", "rumour"),
        ("Ten years after the Acme collapse", "stale"),
        ("", "confirmed"),
    ],
)
def test_the_stage_of_what_only_the_model_read(title: str, stage: str) -> None:
    (found,) = PACK.read_by_model({"cyber": 0.9}, title)
    assert found.stage == stage
