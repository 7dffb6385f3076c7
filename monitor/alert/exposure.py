"""Exposure rule: a story on one company is told of those that depend on it.

Whom an event at a company reaches is what the relations of the watchlist say (`monitor.entities.relations`).
Only an explicit rule makes such alerts: a relation by itself makes none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor.alert.states import Finding, Life
from monitor.alert.story import Names, StoryRule
from monitor.domain import ClassifiedArticle
from monitor.entities.relations import RelationKind, Relations


@dataclass(frozen=True, slots=True)
class ExposureRule:
    """``story`` says which stories of the first company count; ``companies`` bounds whom they are told of.

    The alert is milder than the story by ``lessen``, down to severity 1.
    """

    story: StoryRule
    relations: Relations
    kinds: frozenset[RelationKind] = frozenset(RelationKind)
    companies: frozenset[str] | None = None
    lessen: int = 1
    name: str = field(init=False)
    description: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.story.name)
        object.__setattr__(self, "description", self.story.description)

    @property
    def life(self) -> Life:
        return self.story.life

    def concerns(self, item: ClassifiedArticle) -> bool:
        return self.story.concerns(item)

    def findings(self, item: ClassifiedArticle, names: Names, now: datetime) -> Iterator[Finding]:
        """Yield one finding per company that is exposed to one the item is bad news for.

        Companies that the item names itself are left to the story rules.
        """
        for finding in self.story.findings(item, names, now):
            for company_id, kind in self.relations.exposed_to(finding.key):
                watched = self.companies is None or company_id in self.companies
                if kind in self.kinds and watched and company_id not in item.company_ids:
                    yield self._reached(finding, company_id, kind, names)

    def _reached(
        self, finding: Finding, company_id: str, kind: RelationKind, names: Names
    ) -> Finding:
        name = names.companies.get(company_id, company_id)
        return replace(
            finding,
            fingerprint=finding.fingerprint.replace("story|", f"exposure|{company_id}|", 1),
            key=company_id,
            severity=max(1, finding.severity - self.lessen),
            title=f"{name}: exposed to its {kind.value} {finding.title}",
            details={
                **finding.details,
                "exposed_to": finding.key,
                "exposed_name": names.companies.get(finding.key, finding.key),
                "relation": kind.value,
            },
        )
