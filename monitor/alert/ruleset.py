"""The alert rules that count: what a rules file says, for one watchlist, ready to be asked."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.alert.absence import AbsenceRule
from monitor.alert.compound import CompoundRule
from monitor.alert.exposure import ExposureRule
from monitor.alert.states import Finding, Life, rules_of
from monitor.alert.story import Names, StoryRule
from monitor.alert.surge import SurgeRule
from monitor.domain import Alert, AlertKind, ClassifiedArticle

Rule = StoryRule | SurgeRule | AbsenceRule | CompoundRule | ExposureRule


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules by kind, in the order of the file.

    A rule with ``for_groups`` is several here, of one name, that share no company.
    ``hash`` is over the files' content: the same rules, the same hash.
    """

    story: tuple[StoryRule, ...] = ()
    surge: tuple[SurgeRule, ...] = ()
    absence: tuple[AbsenceRule, ...] = ()
    compound: tuple[CompoundRule, ...] = ()
    exposure: tuple[ExposureRule, ...] = ()
    hash: str = ""

    def __iter__(self) -> Iterator[Rule]:
        yield from self.story
        yield from self.surge
        yield from self.exposure
        yield from self.absence
        yield from self.compound

    def life_of(self, alert: Alert) -> Life:
        return self.life(alert.kind, rules_of(alert))

    def life(self, kind: AlertKind, names: Container[str]) -> Life:
        """Return how long an alert of these rules lives: as the longest of them says.

        Where none of them is a rule any more, the rules of its kind say it, or the built-in ones.
        """
        kinds: dict[AlertKind, tuple[type, ...]] = {
            AlertKind.STORY: (StoryRule, ExposureRule),
            AlertKind.SURGE: (SurgeRule,),
            AlertKind.ABSENCE: (AbsenceRule,),
            AlertKind.COMPOUND: (CompoundRule,),
        }
        of_kind = [rule for rule in self if isinstance(rule, kinds[kind])]
        named = [rule for rule in of_kind if rule.name in names] or of_kind
        built_in = SurgeRule().life if kind is AlertKind.SURGE else StoryRule().life
        lives = [rule.life for rule in named] or [built_in]
        return Life(max(each.quiet for each in lives), max(each.cooldown for each in lives))

    @property
    def history(self) -> timedelta:
        """How much of the past the rules have to know."""
        days = [rule.history_days for rule in self.surge]
        days += [rule.history_days for rule in self.absence]
        return timedelta(days=max(days, default=0.0))

    def read(
        self, item: ClassifiedArticle, names: Names, now: datetime
    ) -> tuple[list[Finding], str | None]:
        """Return what the story and exposure rules find in an item, one finding a fingerprint.

        The second value says why the item was withheld when every rule that it concerns did so.
        """
        found: list[Finding] = []
        withheld: list[str] = []
        asked = [(rule, rule.findings) for rule in self.story if rule.concerns(item)]
        exposed = [(each.story, each.findings) for each in self.exposure if each.concerns(item)]
        for rule, findings in (*asked, *exposed):
            reason = rule.withheld(item, names)
            if reason is None:
                found += findings(item, names, now)
            else:
                withheld.append(reason)
        everywhere = len(withheld) == len(asked) + len(exposed)
        return merged(found), withheld[0] if withheld and everywhere else None


def merged(found: Iterable[Finding]) -> list[Finding]:
    """Return one finding for each fingerprint: the gravest that fires, naming the rules of all.

    In order of the first of each; of equals the first counts.
    """
    groups: dict[str, list[Finding]] = {}
    for finding in found:
        groups.setdefault(finding.fingerprint, []).append(finding)
    return [_merged(group) for group in groups.values()]


def _merged(group: list[Finding]) -> Finding:
    best = max(group, key=lambda finding: (finding.fires, finding.severity))
    if len(group) == 1:
        return best
    firing = [finding for finding in group if finding.fires] or group
    return replace(
        best,
        rules=tuple(dict.fromkeys(name for finding in group for name in finding.rules)),
        events=frozenset().union(*(finding.events for finding in group)),
        least_publishers=min(finding.least_publishers for finding in firing),
    )
