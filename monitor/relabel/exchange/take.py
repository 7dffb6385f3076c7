"""Take labels from a file into the record; what is there already is not taken twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from models.labels import Head
from monitor.domain import Label, LabelRole
from monitor.errors import ConfigError
from monitor.relabel.exchange.tasks import Said
from monitor.relabel.heads import NotALabel, checked, predicted
from monitor.relabel.standing import standing
from monitor.store import Connection, articles, labels


@dataclass(frozen=True, slots=True)
class Taken:
    """How many labels were new, were there already, or are of articles that this database does not have."""

    added: int
    repeats: int
    unknown: int


def take(
    connection: Connection,
    said: Iterable[Said],
    heads: Mapping[str, Head],
    now: datetime,
    role: LabelRole | None = None,
) -> Taken:
    """Add labels to the record.

    Parameters
    ----------
    now
        When those were said that name no time.
    role
        In place of what the file says.

    Raises
    ------
    ConfigError
        A label is none of its head; names its place in the file. Nothing is added then.
    """
    rows = list(said)
    keys = dict.fromkeys((each.article_id, each.revision) for each in rows)
    items = {
        (item.article.id, item.article.revision): item
        for item in articles.get(connection, list(keys))
    }
    events = labels.events(connection, articles=list({key[0] for key in keys}))
    stands = {(each.question, each.who, each.role): each.value for each in standing(events)}
    known = {(each.question, each.who, each.role, each.value, each.at) for each in events}
    counts: Counter[str] = Counter()
    for each in rows:
        item = items.get((each.article_id, each.revision))
        if item is None:
            counts["unknown"] += 1
            continue
        try:
            value = checked(heads, each.question, each.value)
        except NotALabel as error:
            raise ConfigError(f"{each.place}: {error}") from None
        guess, probability = predicted(item, each.question)
        of_file = each.model_version is not None
        label = Label(
            article_id=each.article_id,
            revision=each.revision,
            head=each.question.head,
            company_id=each.question.company_id,
            value=value,
            who=each.who,
            at=each.at or now,
            role=role or each.role,
            model_version=each.model_version or item.model_version,
            predicted=each.predicted if of_file else guess,
            probability=each.probability if of_file else probability,
            guess_shown=each.guess_shown,
            sampler=each.sampler,
        )
        place = (label.question, label.who, label.role)
        if stands.get(place) == value or (*place, value, label.at) in known:
            counts["repeats"] += 1
            continue
        labels.add(connection, label)
        stands[place] = value
        counts["added"] += 1
    return Taken(counts["added"], counts["repeats"], counts["unknown"])
