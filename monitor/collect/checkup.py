"""What a source gives, and what is wrong with it: one visit, nothing kept."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from monitor.collect.articles import to_article
from monitor.collect.dates import DateRules
from monitor.collect.fetch import VALIDATORS
from monitor.collect.repeats import Repeats
from monitor.collect.source import Remembers, Source, SourceError
from monitor.domain import Article, DateStatus, DeadItem

MAX_ITEMS = 5_000
OLD = timedelta(days=7)
SLOW_S = 10.0
MANY = 0.2  # a share of the items that is worth a word


@dataclass(frozen=True, slots=True)
class Checkup:
    """What one visit showed.

    Parameters
    ----------
    took_s
        Of the visit.
    articles
        What would be appended, as it came.
    dead
        Unusable items by reason.
    repeats
        Items that came twice in this one visit.
    troubles
        What is wrong, in words, the worst first; empty when all is well.
    failure
        Why the visit itself failed; ``None`` when it did not.
    """

    took_s: float
    articles: Sequence[Article] = ()
    dead: Counter[str] = field(default_factory=Counter)
    repeats: int = 0
    troubles: Sequence[str] = ()
    failure: str | None = None

    @property
    def good(self) -> bool:
        """Whether there is anything to read."""
        return self.failure is None and bool(self.articles)

    @property
    def languages(self) -> Counter[str]:
        """Items by language; ``?`` where it is not known."""
        return Counter(article.language or "?" for article in self.articles)

    @property
    def newest_at(self) -> datetime | None:
        dated = self._dates()
        return dated[-1] if dated else None

    @property
    def oldest_at(self) -> datetime | None:
        dated = self._dates()
        return dated[0] if dated else None

    @property
    def cadence(self) -> timedelta | None:
        """Median time between two items; ``None`` with fewer than three dates."""
        dated = self._dates()
        if len(dated) < 3:
            return None
        gaps_s = [(after - before).total_seconds() for before, after in pairwise(dated)]
        return timedelta(seconds=median(gaps_s))

    def _dates(self) -> list[datetime]:
        return sorted(
            article.published_at
            for article in self.articles
            if article.date_status in (DateStatus.OK, DateStatus.STALE)
        )


def check(source: Source, rules: DateRules, now: datetime) -> Checkup:
    """Visit a source once and look at what it gives. At most `MAX_ITEMS` are read."""
    began = time.monotonic()
    articles: list[Article] = []
    dead: Counter[str] = Counter()
    failure = None
    try:
        for number, item in enumerate(source.poll(now)):
            if number == MAX_ITEMS:
                break
            read = item if isinstance(item, DeadItem) else to_article(item, now, rules)
            if isinstance(read, DeadItem):
                dead[read.reason.value] += 1
            else:
                articles.append(read)
    except SourceError as error:
        failure = str(error)
    took_s = time.monotonic() - began
    fresh = Repeats().fresh(articles)
    found = Checkup(took_s, fresh, dead, len(articles) - len(fresh), (), failure)
    return replace(found, troubles=tuple(_troubles(found, source, now)))


def _troubles(found: Checkup, source: Source, now: datetime) -> list[str]:
    if found.failure is not None:
        return [found.failure]
    if not found.articles and not found.dead:
        return ["it answers, and holds no items"]
    total = len(found.articles) + sum(found.dead.values())
    told = [
        f"{count} of {total} items cannot be used ({reason})"
        for reason, count in found.dead.most_common()
    ]
    articles = found.articles
    status = Counter(article.date_status for article in articles)
    for each, what in (
        (DateStatus.MISSING, "have no date: the time of the visit is taken"),
        (DateStatus.FUTURE, "are dated after now: the time of the visit is taken"),
        (DateStatus.STALE, "were published too long ago to raise an alarm"),
    ):
        if status[each]:
            told.append(f"{status[each]} of {len(articles)} items {what}")
    newest = found.newest_at
    if newest is not None and now - newest > OLD:
        told.append(f"the newest item is {(now - newest).days} days old")
    for what, count in (
        ("address", sum(article.url is None for article in articles)),
        ("text beside its title", sum(not article.lead for article in articles)),
    ):
        if articles and count / len(articles) >= MANY:
            told.append(f"{count} of {len(articles)} items have no {what}")
    if found.repeats:
        told.append(f"{found.repeats} items come twice in one answer")
    if found.took_s > SLOW_S:
        told.append(f"it takes {found.took_s:.0f} s to answer")
    memory = source.memory if isinstance(source, Remembers) else {}
    conditions = {key.partition(" ")[0] for key in memory}
    if memory.get("location", "").startswith("http") and conditions.isdisjoint(VALIDATORS.values()):
        told.append("it sends neither ETag nor Last-Modified: every visit reads all of it again")
    return told
