"""Weights: of forty copies of one report, the first published counts in the sentiment index.

An article's weight is its publisher's, from the settings, times its novelty: 1 for the first published of
the articles that carry one report within one UTC day (`monitor.stories.copies.report_key`), 0 for its copies.
When an earlier one arrives later, or the holder is revised, the weight moves: what one article gave is taken
back and another gives it. So the sums depend on what was published and not on the order of arrival.

Two writers cannot both count a report: `monitor.store.articles.add` has locked the articles for the
transaction (on SQLite there is one writer at a time) before weights are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC

from monitor.domain import ClassifiedArticle, Company, to_micros
from monitor.store import Connection, articles, weights
from monitor.store.articles import Added
from monitor.store.schema import WEIGHT_UNIT
from monitor.store.weights import Weight
from monitor.stories.copies import text_key

Lists = Mapping[str, tuple[str | None, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Scale:
    """Weighs articles as they come in.

    Parameters
    ----------
    publishers
        Weights by publisher; 1 for any other.
    lists
        Sector and groups of each company that has any: see `lists_of`. Articles that were counted keep
        those of then.
    """

    publishers: Mapping[str, float] = field(default_factory=dict)
    lists: Lists = field(default_factory=dict)

    def weigh(self, item: ClassifiedArticle) -> Weight | None:
        """Return an article's weight; ``None`` where its date cannot be believed: it counts nowhere."""
        article = item.article
        if not article.date_status.believable:
            return None
        day = article.published_at.astimezone(UTC).date()
        return Weight(
            article.id,
            f"{day.year:04}{day.month:02}{day.day:02}{text_key(article.title)}",
            to_micros(article.published_at),
            round(self.publishers.get(article.publisher, 1.0) * WEIGHT_UNIT),
            {key: self.lists[key] for key in item.company_ids if key in self.lists},
        )


@dataclass(frozen=True, slots=True)
class Moved:
    """Where weight came and went in one transaction.

    ``lists`` holds the lists of every article that was counted or displaced, by id and revision.
    """

    gained: list[tuple[ClassifiedArticle, Weight]] = field(default_factory=list)
    lost: list[tuple[ClassifiedArticle, Weight]] = field(default_factory=list)
    lists: dict[tuple[str, str], Lists] = field(default_factory=dict)


def lists_of(companies: Iterable[Company]) -> Lists:
    """Return sector and groups of each company that has any.

    Examples
    --------
    >>> lists_of([Company("a", "A", sector="Banks"), Company("b", "B")])
    {'a': ('Banks', ())}
    """
    return {
        company.id: (company.sector, company.groups)
        for company in companies
        if company.sector or company.groups
    }


def move(connection: Connection, scale: Scale, added: Added) -> Moved:
    """Weigh what is counted now, forget what was displaced, and say which weights moved."""
    new = [(item, weight) for item in added.counted if (weight := scale.weigh(item)) is not None]
    displaced = [(to_micros(i.article.published_at), i.article.id) for i in added.displaced]
    old = weights.of(connection, displaced) if displaced else {}
    touched = {weight.report for _, weight in new} | {weight.report for weight in old.values()}
    before = weights.holders(connection, touched)
    weights.drop(connection, [weight.place for weight in old.values()])
    weights.put(connection, (weight for _, weight in new))
    after = _after(connection, before, old, [weight for _, weight in new])

    was = {item.article.id: item for item in added.displaced if item.article.id in old}
    now = {item.article.id: item for item, _ in new}
    lost, gained = [], []
    for report in sorted(touched):
        one, other = before.get(report), after.get(report)
        same = one is not None and other is not None and one.article_id == other.article_id
        if same and one is not None and one.article_id not in now:
            continue  # the holder is who it was, and was not revised
        if one is not None:
            lost.append(one)
        if other is not None:
            gained.append(other)
    stored = _current(
        connection,
        [w.article_id for w in lost if w.article_id not in was]
        + [w.article_id for w in gained if w.article_id not in now],
    )
    lists = {_key(item): weight.lists for item, weight in new}
    lists |= {_key(was[id_]): weight.lists for id_, weight in old.items()}
    return Moved(
        gained=[(now.get(w.article_id) or stored[w.article_id], w) for w in gained],
        lost=[(was.get(w.article_id) or stored[w.article_id], w) for w in lost],
        lists=lists,
    )


def _after(
    connection: Connection,
    before: Mapping[str, Weight],
    old: Mapping[str, Weight],
    new: Iterable[Weight],
) -> dict[str, Weight]:
    """Return the holders after the move; only reports whose holder is gone are asked for again."""
    orphaned = [report for report, weight in before.items() if weight.article_id in old]
    after = {report: weight for report, weight in before.items() if weight.article_id not in old}
    if orphaned:
        after |= weights.holders(connection, orphaned)
    for weight in new:
        if weight.report not in after or weight.place < after[weight.report].place:
            after[weight.report] = weight
    return after


def _current(connection: Connection, ids: list[str]) -> dict[str, ClassifiedArticle]:
    return {item.article.id: item for item in articles.current(connection, ids)} if ids else {}


def _key(item: ClassifiedArticle) -> tuple[str, str]:
    return item.article.id, item.article.revision
