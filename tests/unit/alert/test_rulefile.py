"""Rules files: what they mean, and how mistakes are told."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.alert.rulebind import World, load_rules
from monitor.alert.ruleschema import KINDS
from monitor.alert.ruleset import RuleSet
from monitor.alert.story import StoryRule
from monitor.alert.surge import Measure, SurgeRule
from monitor.domain import Company, Dimension
from monitor.entities.relations import Relations
from monitor.errors import ConfigError
from monitor.settings import Settings
from monitor.stories.risk import RiskPack

PAGE = Path(__file__).parents[3] / "deploy" / "docs" / "rules.md"


def read(tmp_path: Path, world: World, text: str) -> RuleSet:
    file = tmp_path / "rules.yaml"
    file.write_text(text, "utf-8")
    return load_rules(file, world)


def test_the_shipped_rules_are_what_the_settings_say(world: World) -> None:
    settings = Settings()
    story = replace(settings.story.rule(), min_severity=2)
    shipped = load_rules(None, replace(world, story=story, surge=settings.surge.rule()))
    assert (shipped.story, shipped.surge) == ((story,), (SurgeRule(),))
    assert not (*shipped.absence, *shipped.compound, *shipped.exposure)
    assert load_rules(None, world).story == (StoryRule(),)


def test_a_rule_departs_from_the_settings_only_where_it_says_so(
    tmp_path: Path, world: World
) -> None:
    rules = read(
        tmp_path,
        replace(world, surge=SurgeRule(share_z=1.5)),
        """
rules:
  - {name: noise, kind: surge, description: d, measure: volume, dimensions: [topic],
     hold_minutes: 30, exclude: {topics: [Macro]}}
  - {name: firm, kind: story, description: d, min_severity: 4, families: [insolvency],
     exclude: {events: [default], publishers: [blog.example]}, stages: [confirmed]}
""",
    )
    (surge,), (story,) = rules.surge, rules.story
    assert (surge.measure, surge.share_z, surge.hold_minutes) == (Measure.VOLUME, 1.5, 30)
    assert surge.dimensions == (Dimension.TOPIC,)
    assert not surge.watches(Dimension.TOPIC, "Macro")
    assert surge.watches(Dimension.TOPIC, "Earnings")
    assert (story.min_severity, story.severe) == (4, StoryRule().severe)
    assert story.events == frozenset({"bankruptcy"})
    assert story.exclude_publishers == {"blog.example"}


def test_only_and_exclude_choose_companies(tmp_path: Path, world: World) -> None:
    def companies(only: str, exclude: str = "{}") -> set[str] | None:
        text = (
            f"rules: [{{name: a, kind: story, description: d, only: {only}, exclude: {exclude}}}]"
        )
        (rule,) = read(tmp_path, world, text).story
        return None if rule.companies is None else set(rule.companies)

    assert companies("{}") is None
    assert companies("{groups: [loans]}") == {"acme", "zenith"}
    assert companies("{groups: [loans], countries: [de]}") == {"zenith"}
    assert companies("{sectors: [Retail]}", "{companies: [acme]}") == {"orbit"}
    assert companies("{}", "{countries: [US, DE]}") == {"acme"}


def test_groups_have_their_own_thresholds_and_the_first_counts(
    tmp_path: Path, world: World
) -> None:
    rules = read(
        tmp_path,
        world,
        """
rules:
  - name: trouble
    kind: story
    description: d
    for_groups:
      core: {min_severity: 1}
      loans: {min_severity: 5}
""",
    )
    found = {company: rule.min_severity for rule in rules.story for company in rule.companies or ()}
    assert found == {"acme": 1, "zenith": 5, "orbit": 3}
    assert {rule.name for rule in rules.story} == {"trouble"}


HEAD = "rules:\n  - name: a\n    kind: story\n    description: d\n"
MISTAKES = {
    "a key": (f"{HEAD}    min_sevrity: 3\n", 5, "no such key `min_sevrity`; did you mean 'min_severity'?"),
    "a key of a section": (f"{HEAD}    only:\n      groop: [x]\n", 6, "did you mean 'groups'?"),
    "a value": (f"{HEAD}    min_severity: 9\n", 5, "`min_severity` 9 should be less than or equal to 5"),
    "a choice": (f"{HEAD}    stages: [sure]\n", 5, "'confirmed', 'amended' or 'rumour'"),
    "a list": (f"{HEAD}    events: bankruptcy\n", 5, "`events` must be a list, as in [bankruptcy]"),
    "an event": (f"{HEAD}    events: [bankrupcy]\n", 5, "did you mean 'bankruptcy'?"),
    "a group": (f"{HEAD}    only: {{groups: [lones]}}\n", 5, "did you mean 'loans'?"),
    "a company": (f"{HEAD}    only: {{companies: [Zenit]}}\n", 5, "did you mean 'Zenith'?"),
    "a group's": (f"{HEAD}    for_groups:\n      x: {{}}\n", 6, "known are core, loans"),
    "a kind": ("rules:\n  - {name: a, kind: stories}\n", 2, "did you mean 'story'?"),
    "no kind": ("rules:\n  - {name: a}\n", 2, "`kind` is missing"),
    "no name": ("rules:\n  - {kind: story, description: d}\n", 2, "`name` is missing"),
    "a key twice": (f"{HEAD}    description: e\n", 5, "is given on line 4 already"),
    "a name twice": (f"{HEAD}  - {{name: a, kind: surge, description: d}}\n", 5, "is given in"),
    "no YAML": ("rules: [\n", 2, "not YAML"),
    "no mapping": ("- a\n", 1, "must be a mapping with the key `rules`"),
    "a part": (
        f"{HEAD}  - {{name: b, kind: compound, description: d, all: [c]}}\n",
        5,
        "'c' is no rule here; name story, surge or exposure rules; known are a",
    ),
    "every publisher": (
        "rules:\n  - {name: b, kind: absence, description: d, of: publisher, silent_hours: 1}\n",
        2,
        "needs `names`",
    ),
    "no part": (f"{HEAD}  - {{name: b, kind: compound, description: d}}\n", 5, "under `all` or `any`"),
}  # fmt: skip


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_told_with_file_line_and_what_to_write(
    tmp_path: Path, world: World, what: str
) -> None:
    text, line, said = MISTAKES[what]
    with pytest.raises(ConfigError) as wrong:
        read(tmp_path, world, text)
    (told,) = str(wrong.value).splitlines()
    assert told.startswith(f"{tmp_path / 'rules.yaml'}:{line}: ")
    assert said in told


def test_exposure_needs_relations(tmp_path: Path, world: World) -> None:
    text = "rules: [{name: a, kind: exposure, description: d}]"
    assert read(tmp_path, world, text).exposure[0].companies is None
    with pytest.raises(ConfigError, match="relations"):
        read(tmp_path, replace(world, relations=None), text)


def test_a_folder_is_one_set_of_rules(tmp_path: Path, world: World) -> None:
    for name in ("b", "a"):
        text = f"rules: [{{name: {name}, kind: story, description: d}}]"
        (tmp_path / f"{name}.yaml").write_text(text, "utf-8")
    assert [rule.name for rule in load_rules(tmp_path, world)] == ["a", "b"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"no \*\.yaml"):
        load_rules(tmp_path / "empty", world)


def test_the_example_of_the_page_is_in_order(tmp_path: Path) -> None:
    pack = RiskPack.load()
    lists = Company("a", "Acme", country="US", sector="banks", groups=("core", "watch-closely"))
    world = World(
        companies=(lists,),
        families={rule.event: rule.family for rule in pack.rules.values()},
        story=StoryRule(),
        surge=SurgeRule(),
        relations=Relations(),
    )
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    rules = read(tmp_path, world, example)
    shown = {type(rule).__name__.removesuffix("Rule").lower() for rule in rules}
    assert shown == set(KINDS), "every kind has an example on the page"
