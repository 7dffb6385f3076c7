"""Story rule: a watched company, a risk event of enough severity, a negative tone.

An item fires when it names a watched company in its title (or, where the title names none, in its lead), a
rule of the risk pack matches, and the model does not contradict it: a severe event fires unless the model
reads the item as clearly positive; a milder one fires only when the model reads it as negative. Where the
model does not read the language, the rule alone decides. A rumour of a severe event is told at once, as
unconfirmed; of a milder one, when a second publisher has it. An old story republished as new fires nothing
and makes the rule wary of those who repeat it (see `monitor.alert.states`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.alert.about import concerned, is_cause, only_locates
from monitor.alert.states import FACTS, Finding, Life
from monitor.domain import (
    MODEL,
    AlertKind,
    ClassifiedArticle,
    DateStatus,
    Dimension,
    Evidence,
    Relevance,
    RiskMatch,
)

NEW = timedelta(days=2)
ANSWERS = (
    "denied",
    "revoked",
    "resolved",
)  # stages that answer a report; they are no report themselves
# Why an item that concerns a rule does not count; "explained" is what surges say.
WITHHELD = ("stale", "undated", "other_company", "model_disagrees", "explained")
REPORTS = ("confirmed", "amended", "rumour")  # stages that a rule may ask for


def _nothing(title: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Names:
    """What rules have to know of companies and events, to write titles and fingerprints."""

    companies: Mapping[str, str]  # name by id
    episodes: Mapping[str, str]  # by event: a company's events of one episode are one fingerprint
    #: Events that may as well be good news (a merger).
    two_sided: frozenset[str] = frozenset()
    #: Events that count whatever the tone (a bid for the company).
    any_tone: frozenset[str] = frozenset()
    #: Where the company stands that an event happens to, by rule: "before" or "after" its words, or "any".
    about: Mapping[str, str] = field(default_factory=dict)

    #: Events that do not happen to a state, and the ids of the states watched.
    companies_only: frozenset[str] = frozenset()
    states: frozenset[str] = frozenset()
    #: Which titles are no news of anybody: round-ups of markets, solicitations.
    ignores: Callable[[str], bool] = _nothing

    def concerned(self, item: ClassifiedArticle, risk: RiskMatch) -> tuple[str, ...]:
        """Return whom of the watchlist an event happened to."""
        found = concerned(item, risk, self.about.get(risk.rule, "any"))
        return tuple(
            company_id
            for company_id in found
            if company_id not in self.states
            or (risk.event not in self.companies_only and not only_locates(item, company_id))
        )


@dataclass(frozen=True, slots=True)
class StoryRule:
    """One story rule.

    ``min_severity`` is the least severity that fires; at ``severe`` and above the model has to contradict
    clearly (score above ``contradiction``) to stop it; below, it has to agree (the mean of the scores
    towards the company and of the whole headline is at most ``agreement``).
    An event that no rule read counts when the model's risk head is at least ``model_confidence`` sure, one
    that a rule of the risk pack read when that rule is right at least as often as ``min_confidence`` says.
    ``events``, ``companies`` and ``least_relevance`` narrow the rule; ``None`` is no bound. Reports of a
    stage that is not among ``stages`` do not count; answers (a denial, a withdrawal) always do.
    """

    name: str = "company-trouble"
    description: str = "A watched company, a risk event, a negative tone."
    events: frozenset[str] | None = None
    stages: frozenset[str] = frozenset(REPORTS)
    companies: frozenset[str] | None = None
    exclude_publishers: frozenset[str] = frozenset()
    least_relevance: Relevance | None = None
    min_confidence: float = 0.0
    publishers: int = 1  # independent ones who must report it
    min_severity: int = 3
    severe: int = 4
    agreement: float = -0.1
    contradiction: float = 0.6
    model_confidence: float = 0.97
    quiet_hours: float = 48.0
    cooldown_hours: float = 24.0

    @property
    def life(self) -> Life:
        return Life(timedelta(hours=self.quiet_hours), timedelta(hours=self.cooldown_hours))

    def concerns(self, item: ClassifiedArticle) -> bool:
        """Say cheaply whether an item is worth the rule's while."""
        return (
            any(self._watches(item, company_id) for company_id in item.company_ids)
            and item.article.publisher not in self.exclude_publishers
            and any(risk.severity >= self.min_severity for risk in self._counted(item))
        )

    def _watches(self, item: ClassifiedArticle, company_id: str) -> bool:
        if self.companies is not None and company_id not in self.companies:
            return False
        if self.least_relevance is None:
            return True
        known = [
            _RELEVANCE.index(mention.relevance)
            for mention in item.mentions
            if mention.company_id == company_id and mention.relevance is not None
        ]
        return bool(known) and min(known) <= _RELEVANCE.index(self.least_relevance)

    def _counted(self, item: ClassifiedArticle) -> tuple[RiskMatch, ...]:
        return tuple(
            risk
            for risk in item.risks
            if risk.confidence
            >= (self.model_confidence if risk.rule == MODEL else self.min_confidence)
            and (self.events is None or risk.event in self.events)
            and (risk.stage in self.stages or risk.stage not in REPORTS)
        )

    def _affected(self, item: ClassifiedArticle, risk: RiskMatch, names: Names) -> tuple[str, ...]:
        """Return the watched companies that an event happened to."""
        found = names.concerned(item, risk)
        return tuple(company_id for company_id in found if self._watches(item, company_id))

    def _strongest(self, item: ClassifiedArticle) -> RiskMatch:
        """The most severe match; at equal severity, the one that is more of a reason to act."""
        order = ("revoked", "denied", "stale", "resolved", "rumour", "amended", "confirmed")
        return max(
            self._news(item) or self._counted(item),
            key=lambda risk: (risk.severity, order.index(risk.stage)),
        )

    def _news(self, item: ClassifiedArticle) -> list[RiskMatch]:
        """The matches that are grave enough, less those that only tell why another came about."""
        grave = [risk for risk in self._counted(item) if risk.severity >= self.min_severity]
        return [risk for risk in grave if not any(is_cause(risk, other) for other in grave)]

    def withheld(self, item: ClassifiedArticle, names: Names) -> str | None:
        """Return why an item that concerns the rule does not count, or ``None`` when it does.

        Reasons are a closed set, `WITHHELD`: they label a metric. The
        model disagrees when it does so for every company the item is about; one headline may be good news
        for one of two.
        """
        strongest = self._strongest(item)
        if republished(item):
            return None
        if item.article.date_status is DateStatus.STALE or strongest.stage == "stale":
            return "stale"
        if not item.article.date_status.believable:
            return "undated"
        affected = self._affected(item, strongest, names)
        if not affected:
            return "other_company"
        if any(self._agrees(item, company_id, names) for company_id in affected):
            return None
        return "model_disagrees"

    def _agrees(self, item: ClassifiedArticle, company_id: str, names: Names) -> bool:
        strongest = self._strongest(item)
        _, score = item.towards(company_id)
        if score is None or strongest.stage in ANSWERS or republished(item):
            return True
        if strongest.event in names.any_tone:
            return True
        severe = strongest.severity >= self.severe and strongest.event not in names.two_sided
        if severe:
            return score <= self.contradiction
        # Bad news that happened to a company is often worded neutrally towards it ("recalls cookers over
        # burns"): the headline as a whole has half of the say.
        whole = score if item.score is None else item.score
        return (score + whole) / 2 <= self.agreement

    def findings(self, item: ClassifiedArticle, names: Names, now: datetime) -> Iterator[Finding]:
        """Yield one finding per company it is bad news for, for an item that is not withheld.

        ``now`` is the time of the decision.
        """
        risk = self._strongest(item)
        article = item.article
        mark = "" if risk.stage == "confirmed" else risk.stage
        if republished(item):
            mark = "stale"
        doubt = " (unconfirmed)" if mark == "rumour" else ""
        for company_id in self._affected(item, risk, names):
            if not self._agrees(item, company_id, names):
                continue
            _, score = item.towards(company_id)
            evidence = Evidence(
                article_id=article.id,
                revision=article.revision,
                published_at=article.published_at,
                publisher=article.publisher,
                title=article.title,
                url=article.url,
                quote=risk.evidence,
                score=score,
                mark=mark,
            )
            name = names.companies.get(company_id, company_id)
            yield Finding(
                fingerprint=f"story|{company_id}|{names.episodes.get(risk.event, risk.event)}",
                kind=AlertKind.STORY,
                dimension=Dimension.COMPANY,
                key=company_id,
                event=risk.event,
                severity=risk.severity,
                title=f"{name}: {risk.event.replace('_', ' ')}{doubt}",
                at=article.published_at,
                decided_at=now,
                fires=mark in FACTS or (mark == "rumour" and risk.severity >= self.severe),
                mark=mark,
                details={
                    "rule": risk.rule,
                    "quote": risk.evidence,
                    "words": risk.words,
                    "confidence": risk.confidence,
                    "score": score,
                    "model": item.model_version,
                },
                evidence=(evidence,),
                events=frozenset(
                    other.event
                    for other in self._news(item)
                    if names.episodes.get(other.event) == names.episodes.get(risk.event)
                ),
                rules=(self.name,),
                least_publishers=self.publishers,
            )


_RELEVANCE = tuple(Relevance)


def may_concern(item: ClassifiedArticle) -> bool:
    """Say whether an item could concern any story rule: it names a company and tells of a risk event."""
    return bool(item.mentions) and bool(item.risks)


def republished(item: ClassifiedArticle) -> bool:
    """Say whether an item is an old story that carries a new date."""
    article = item.article
    is_new = article.ingested_at - article.published_at < NEW
    return article.date_status is DateStatus.STALE and is_new
