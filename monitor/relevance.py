"""How much an item matters to one person: a plain sum, so that every place in a list can be explained.

``relevance = (followed + tone + event + verdicts) x freshness``, where

- followed: 1 where the title names a company that the person follows, 0.6 where only the lead does; and 0.5
  for a followed topic. An item with neither is not ranked at all;
- tone: 0.8 times how far the score towards the followed company (else of the item) is below 0, 0.3 times how
  far it is above: to a risk desk bad news matters more than good;
- event: 0.2 times the severity (1 to 5) of the gravest risk event that the item tells as fact or rumour;
- verdicts: between -0.5 and +0.5, what the person said of earlier alerts on the same company: `lean`;
- freshness: 0.5 to the power of age / `HALF_LIFE`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.domain import ClassifiedArticle

HALF_LIFE = timedelta(hours=24)
IN_TITLE, IN_LEAD, OF_TOPIC = 1.0, 0.6, 0.5
BAD, GOOD = 0.8, 0.3
PER_SEVERITY = 0.2
MOST_LEAN = 0.5
PRIOR = 2.0  # verdicts as good as none, before those of the person count
TOLD = ("confirmed", "amended", "rumour")  # stages that tell of an event


@dataclass(frozen=True, slots=True)
class Ranked:
    """An item with its relevance, and why in words."""

    item: ClassifiedArticle
    relevance: float
    why: str


def lean(judged: Iterable[tuple[str, str]]) -> dict[str, float]:
    """Return by company, in [-0.5, 0.5], whether a person found its alerts worth it.

    ``(true - others) / (all + PRIOR) x MOST_LEAN``, of verdicts as (company id, verdict); "duplicate" says
    nothing about the company and is left out.

    Examples
    --------
    >>> lean([("acme", "true"), ("acme", "true"), ("zenith", "false"), ("zenith", "duplicate")])
    {'acme': 0.25, 'zenith': -0.16666666666666666}
    """
    counts: dict[str, list[int]] = {}
    for company, verdict in judged:
        if verdict != "duplicate":
            counts.setdefault(company, [0, 0])[verdict != "true"] += 1
    return {
        company: MOST_LEAN * (yes - no) / (yes + no + PRIOR)
        for company, (yes, no) in counts.items()
    }


def rank(
    items: Iterable[ClassifiedArticle],
    companies: Mapping[str, str],
    topics: AbstractSet[str],
    leans: Mapping[str, float],
    now: datetime,
) -> list[Ranked]:
    """Return the items that matter to somebody, the most relevant first.

    Parameters
    ----------
    companies
        Names of the companies that the person follows, by id.
    topics
        Topics that the person follows.
    leans
        As `lean` returns them.
    """
    found = [
        ranked
        for item in items
        if (ranked := _ranked(item, companies, topics, leans, now)) is not None
    ]
    return sorted(
        found,
        key=lambda each: (
            -each.relevance,
            -each.item.article.published_at.timestamp(),
            each.item.article.id,
        ),
    )


def _ranked(
    item: ClassifiedArticle,
    companies: Mapping[str, str],
    topics: AbstractSet[str],
    leans: Mapping[str, float],
    now: datetime,
) -> Ranked | None:
    mentions = [mention for mention in item.mentions if mention.company_id in companies]
    followed, why = 0.0, []
    if mentions:
        lead = min(mentions, key=lambda mention: mention.field != "title")
        followed += IN_TITLE if lead.field == "title" else IN_LEAD
        names = dict.fromkeys(companies[mention.company_id] for mention in mentions)
        why.append(", ".join(names) + ("" if lead.field == "title" else " (not in the title)"))
    if item.topic in topics:
        followed += OF_TOPIC
        why.append(str(item.topic))
    if not followed:
        return None
    towards = [mention.score for mention in mentions if mention.score is not None]
    score = min(towards) if towards else item.score
    tone = 0.0 if score is None else BAD * max(0.0, -score) + GOOD * max(0.0, score)
    told = [risk for risk in item.risks if risk.stage in TOLD]
    gravest = max(told, key=lambda risk: risk.severity, default=None)
    if gravest is not None:
        why.append(f"{gravest.event.replace('_', ' ')} ({gravest.severity} of 5)")
    said = [leans[mention.company_id] for mention in mentions if mention.company_id in leans]
    verdicts = max(said, key=abs, default=0.0)
    if verdicts:
        why.append(f"your verdicts {verdicts:+.2f}".replace("-", "−"))
    age = max(timedelta(), now - item.article.published_at)
    event = 0.0 if gravest is None else PER_SEVERITY * gravest.severity
    total = max(0.0, followed + tone + event + verdicts)
    return Ranked(item, total * 0.5 ** (age / HALF_LIFE), " · ".join(why))
