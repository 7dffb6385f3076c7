"""From a rules file to the rules that count: names are looked up in watchlist, risk pack and topics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from models.labels import TOPICS
from monitor.alert.absence import AbsenceRule, Of
from monitor.alert.compound import CompoundRule
from monitor.alert.exposure import ExposureRule
from monitor.alert.rulefile import BUILT_IN, nearest, read_rules
from monitor.alert.ruleschema import Absence, Compound, Exposure, Story, StoryCommon, Surge, Which
from monitor.alert.ruleset import RuleSet
from monitor.alert.story import StoryRule
from monitor.alert.surge import Measure, SurgeRule
from monitor.domain import Company, Dimension, digest
from monitor.entities.fold import fold
from monitor.entities.relations import Relations
from monitor.errors import ConfigError
from monitor.yamlfile import Place, YamlFile

Models = Story | Surge | Absence | Compound | Exposure


@dataclass(frozen=True, slots=True)
class World:
    """What a rules file may speak of, and the thresholds of rules that leave them out."""

    companies: tuple[Company, ...]
    families: Mapping[str, str]  # of each event of the risk pack
    story: StoryRule
    surge: SurgeRule
    relations: Relations | None = None


def load_rules(path: Path | None, world: World) -> RuleSet:
    """Read the rules of a file or folder; ``None`` is the shipped file.

    Raises
    ------
    ConfigError
        One line for every mistake, with file, line and what to change.
    """
    documents = read_rules(path or BUILT_IN)
    binder = _Binder(world)
    made: list[Any] = []
    for file, document in documents:
        for number, rule in enumerate(document.rules):
            binder.begin(file, ("rules", number), rule)
            made += binder.bind(rule)
    for file, document in documents:
        for number, rule in enumerate(document.rules):
            if isinstance(rule, Compound):
                binder.check_parts(file, ("rules", number), rule)
    if binder.wrong:
        raise ConfigError("\n".join(binder.wrong))
    return RuleSet(
        story=tuple(rule for rule in made if isinstance(rule, StoryRule)),
        surge=tuple(rule for rule in made if isinstance(rule, SurgeRule)),
        absence=tuple(rule for rule in made if isinstance(rule, AbsenceRule)),
        compound=tuple(rule for rule in made if isinstance(rule, CompoundRule)),
        exposure=tuple(rule for rule in made if isinstance(rule, ExposureRule)),
        hash=digest("\0".join(file.text for file, _ in documents)),
    )


class _Binder:
    """Makes rules out of what was written, and collects what is wrong with it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.wrong: list[str] = []
        self.rules: dict[str, Models] = {}
        self.place_of: dict[str, str] = {}

    def begin(self, file: YamlFile, place: Place, rule: Models) -> None:
        self.file, self.place, self.name = file, place, rule.name
        if rule.name in self.rules:
            self._wrong(["name"], f"is given in {self.place_of[rule.name]} already; rename one")
        self.rules.setdefault(rule.name, rule)
        self.place_of.setdefault(rule.name, file.where(place))

    def bind(self, rule: Models) -> Iterable[Any]:
        match rule:
            case Story():
                return self._story(rule)
            case Surge():
                return self._surge(rule)
            case Absence():
                return [_absence(rule)]
            case Compound():
                return [_compound(rule)]
            case Exposure():
                return self._exposure(rule)

    def check_parts(self, file: YamlFile, place: Place, rule: Compound) -> None:
        """Parts of a compound rule are rules that speak of companies or topics."""
        self.file, self.place, self.name = file, place, rule.name
        for key in ("all", "any", "none"):
            for number, part in enumerate(getattr(rule, key)):
                known = {
                    name
                    for name, each in self.rules.items()
                    if isinstance(each, Story | Surge | Exposure)
                }
                if part not in known:
                    named = self.rules.get(part)
                    kind = f"is a rule of kind {named.kind}" if named else "is no rule here"
                    what = f"{part!r} {kind}; name story, surge or exposure rules"
                    self._wrong([key, number], f"{what}; {nearest(part, known)}")

    # Kinds ------------------------------------------------------------------------------------------

    def _story(self, rule: Story) -> Iterator[StoryRule]:
        yield from self._by_group(rule.for_groups, self._story_base(rule))

    def _story_base(self, rule: StoryCommon) -> StoryRule:
        return replace(
            self.world.story,
            **_stated(rule, set(StoryRule.__dataclass_fields__))
            | {
                "companies": self._companies(rule.only, rule.exclude),
                "events": self._events(rule),
                "stages": frozenset(rule.stages),
                "exclude_publishers": frozenset(rule.exclude.publishers),
            },
        )

    def _surge(self, rule: Surge) -> Iterator[SurgeRule]:
        base = replace(
            self.world.surge,
            **_stated(rule, set(SurgeRule.__dataclass_fields__))
            | {
                "measure": Measure(rule.measure),
                "companies": self._companies(rule.only, rule.exclude),
                "topics": self._topics(rule),
            },
        )
        if rule.dimensions is not None:
            base = replace(base, dimensions=tuple(Dimension(each) for each in rule.dimensions))
        if Dimension.COMPANY not in base.dimensions and rule.for_groups:
            self._wrong(["for_groups"], "needs the dimension company")
        yield from self._by_group(rule.for_groups, base)

    def _exposure(self, rule: Exposure) -> Iterator[ExposureRule]:
        if self.world.relations is None:
            self._wrong(["kind"], "needs relations; name their file in [watchlist] relations")
        yield ExposureRule(
            story=self._story_base(rule),
            relations=self.world.relations or Relations(),
            kinds=frozenset(rule.relations),
            companies=self._companies(rule.told, Which(), "told"),
            lessen=rule.lessen,
        )

    # Names ------------------------------------------------------------------------------------------

    def _events(self, rule: StoryCommon) -> frozenset[str] | None:
        wanted = self._event_names(rule.events, rule.families, [])
        hidden = self._event_names(rule.exclude.events, rule.exclude.families, ["exclude"])
        if not rule.events and not rule.families:
            if not hidden:
                return None
            wanted = frozenset(self.world.families)
        return wanted - hidden

    def _event_names(
        self, events: Sequence[str], families: Sequence[str], place: list[str | int]
    ) -> frozenset[str]:
        self._check([*place, "events"], events, self.world.families, "risk event")
        known = set(self.world.families.values())
        self._check([*place, "families"], families, known, "family of risk events")
        return frozenset(events) | {
            event for event, family in self.world.families.items() if family in families
        }

    def _topics(self, rule: Surge) -> frozenset[str] | None:
        for key, which in (("only", rule.only), ("exclude", rule.exclude)):
            self._check([key, "topics"], which.topics, TOPICS, "topic")
        if not rule.only.topics and not rule.exclude.topics:
            return None
        return frozenset(rule.only.topics or TOPICS) - frozenset(rule.exclude.topics)

    def _companies(self, only: Which, exclude: Which, key: str = "only") -> frozenset[str] | None:
        """Return the ids of the companies that a rule is about; ``None`` for all there are."""
        if not _tests(only) and not _tests(exclude):
            return None
        self._check_which(key, only)
        self._check_which("exclude", exclude)
        return frozenset(
            company.id
            for company in self.world.companies
            if all(_fits(company, *test) for test in _tests(only))
            and not any(_fits(company, *test) for test in _tests(exclude))
        )

    def _check_which(self, key: str, which: Which) -> None:
        for field, names in _tests(which):
            known = {value for each in self.world.companies for value in _values(each, field)}
            folded = {fold(name) for name in known}
            for number, name in enumerate(names):
                if fold(name) not in folded:
                    shown = (
                        {c.name for c in self.world.companies} if field == "companies" else known
                    )
                    what = _SINGULAR[field]
                    self._wrong(
                        [key, field, number],
                        f"no company of the watchlist has the {what} {name!r}; {nearest(name, shown)}",
                    )

    def _check(
        self, place: list[str | int], names: Sequence[str], known: Iterable[str], what: str
    ) -> None:
        known = set(known)
        for number, name in enumerate(names):
            if name not in known:
                self._wrong([*place, number], f"no {what} {name!r}; {nearest(name, known)}")

    def _by_group(self, for_groups: Mapping[str, Any], base: Any) -> Iterator[Any]:
        """Yield the rule for each group that has its own thresholds, then for all other companies."""
        if not for_groups:
            yield base
            return
        groups = {group for company in self.world.companies for group in company.groups}
        left = base.companies
        if left is None:
            left = frozenset(company.id for company in self.world.companies)
        for group, given in for_groups.items():
            if group not in groups:
                what = f"no company of the watchlist has the group {group!r}"
                self._wrong(["for_groups", group], f"{what}; {nearest(group, groups)}")
            mine = left & {c.id for c in self.world.companies if group in c.groups}
            left -= mine
            own: dict[str, Any] = {"companies": mine}
            if isinstance(base, SurgeRule):
                own["dimensions"] = (Dimension.COMPANY,)  # the rule itself speaks of topics
            yield replace(base, **_stated(given) | own)
        yield replace(base, companies=left)

    def _wrong(self, key: Sequence[str | int], what: str) -> None:
        where = self.file.where([*self.place, *key])
        spelt = ".".join(part for part in key if isinstance(part, str))
        self.wrong.append(f"{where}: rule `{self.name}`: `{spelt}` {what}")


_SINGULAR = {
    "companies": "name",
    "groups": "group",
    "sectors": "sector",
    "countries": "country",
}


def _tests(which: Which) -> list[tuple[str, tuple[str, ...]]]:
    return [(field, names) for field in _SINGULAR if (names := getattr(which, field))]


def _fits(company: Company, field: str, names: Sequence[str]) -> bool:
    mine = {fold(value) for value in _values(company, field)}
    return any(fold(name) in mine for name in names)


def _values(company: Company, field: str) -> tuple[str, ...]:
    if field == "companies":
        return (company.id, company.name, *company.aliases)
    if field == "groups":
        return company.groups
    value = company.sector if field == "sectors" else company.country
    return () if value is None else (value,)


def _stated(given: Any, known: set[str] | None = None) -> dict[str, Any]:
    """Return what was written, less what the rule has no field for by that name."""
    written = {key: getattr(given, key) for key in given.model_fields_set}
    return {
        key: value
        for key, value in written.items()
        if value is not None and (known is None or (key in known and key not in _LOOKED_UP))
    }


# Fields that are made from what was written, rather than taken over.
_LOOKED_UP = {"events", "stages", "measure", "dimensions", "companies", "topics"}


def _absence(rule: Absence) -> AbsenceRule:
    given = _stated(rule, set(AbsenceRule.__dataclass_fields__))
    return AbsenceRule(
        **given
        | {
            "of": Of(rule.of),
            "names": frozenset(rule.names),
            "exclude": frozenset(rule.exclude),
        }
    )


def _compound(rule: Compound) -> CompoundRule:
    return CompoundRule(
        name=rule.name,
        description=rule.description,
        all_of=rule.all,
        any_of=rule.any,
        none_of=rule.none,
        within=timedelta(hours=rule.within_hours),
        severity=rule.severity,
        quiet_hours=rule.quiet_hours,
        cooldown_hours=rule.cooldown_hours,
    )
