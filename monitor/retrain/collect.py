"""What a training learns from the desk, and what it never sees.

Every text falls on one side by the hash of its words, so that copies fall alike and no later training moves
it: texts held out measure, and are never learnt. Measured is only what more than one person stands for; what
one person says is learnt within bounds.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from models.labels import Head, HeadKind
from models.tables import SEPARATOR, label_names
from models.text import model_input
from monitor.domain import ERASED, ClassifiedArticle, Label
from monitor.relabel.agreement import accuracies
from monitor.relabel.standing import Basis, Gold, Key, gold, standing
from monitor.retrain.plan import RetrainPlan
from monitor.store import Store, articles, labels
from monitor.stories.copies import report_key

CHECKED = 10  # known items from which on an annotator's share of right answers says something
_SALT = "foreshock held out 1"


@dataclass(frozen=True, slots=True)
class Sample:
    """A text with what is asked of it and the answer that counts.

    Parameters
    ----------
    head, value
        The question and its answer; several joined by ``|`` for a head with several.
    text
        As the model reads it.
    target
        How the text calls the company, where one is asked about.
    key
        What copies of the text have in common.
    topic, language, source
        Slices it belongs to.
    who, basis
        Everybody who says so; empty and ``None`` for a fetched set.
    said_at
        When the answer began to count.
    """

    head: str
    value: str
    text: str
    target: str
    key: str
    topic: str
    language: str
    source: str
    who: tuple[str, ...] = ()
    basis: Basis | None = None
    said_at: datetime | None = None

    @property
    def trusted(self) -> bool:
        """Whether more than one person stands for it, or it is a reference.

        An adjudicator is one person: with what nobody else says they stand alone.
        """
        return len(self.who) != 1 or self.basis is Basis.KNOWN


@dataclass(frozen=True, slots=True)
class Collected:
    """What the desk says: samples to learn, samples to measure by, and what was left out and why."""

    train: tuple[Sample, ...]
    held_out: tuple[Sample, ...]
    left_out: Mapping[str, int]
    through: int  # the last label that was looked at

    def trusted(self, head: str) -> int:
        """Return how many labels there are to learn a head from that more than one person stands for."""
        return sum(each.head == head and each.trusted for each in self.train)


def is_held_out(key: str, share: float) -> bool:
    """Say whether a text is never learnt: by a hash of it, the same for ever.

    Examples
    --------
    >>> sum(is_held_out(str(number), 0.2) for number in range(10_000))
    2005
    """
    found = hashlib.sha256(f"{_SALT}\0{key}".encode()).digest()
    return int.from_bytes(found[:8]) < share * 2**64


def collect(
    store: Store, heads: Mapping[str, Head], languages: Iterable[str], plan: RetrainPlan
) -> Collected:
    """Read every label that counts of some heads, and sort it.

    Parameters
    ----------
    heads
        Of the champion, by name.
    languages
        That it reads.
    """
    with store.read() as connection:
        events = labels.events(connection)
        found = gold(events)
        keys = sorted({(key[0], key[1]) for key in found})
        items = {
            (item.article.id, item.article.revision): item
            for item in articles.get(connection, keys)
        }
    through = max((event.id or 0 for event in events), default=0)
    said = _said(events)
    left: Counter[str] = Counter()
    samples = []
    for each in sorted(found.values(), key=lambda one: tuple(map(str, one.question))):
        made = _sample(each, items, heads, set(languages), said)
        if isinstance(made, str):
            left[made] += 1
        else:
            samples.append(made)
    once = _one_of_each_text(samples, left)
    held = [each for each in once if is_held_out(each.key, plan.held_out)]
    left["held out, and of one person only"] += sum(not each.trusted for each in held)
    others = [each for each in once if not is_held_out(each.key, plan.held_out)]
    train, more = _bounded(others, events, plan)
    left.update(more)
    return Collected(
        tuple(train), tuple(each for each in held if each.trusted), dict(+left), through
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """Of a question: when it was answered last, and who gave each answer in any role."""

    last_at: datetime
    who: Mapping[str, frozenset[str]]


def _said(events: Sequence[Label]) -> dict[Key, _Said]:
    found: dict[Key, _Said] = {}
    people: dict[Key, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for label in standing(events):  # oldest first
        people[label.question][label.value or ""].add(label.who)
        found[label.question] = _Said(label.at, {})
    return {
        question: _Said(each.last_at, {v: frozenset(w) for v, w in people[question].items()})
        for question, each in found.items()
    }


def _sample(
    each: Gold,
    items: Mapping[tuple[str, str], ClassifiedArticle],
    heads: Mapping[str, Head],
    languages: set[str],
    said: Mapping[Key, _Said],
) -> Sample | str:
    """Return a label as a sample, or why it is none."""
    article_id, revision, name, company = each.question
    head, item = heads.get(name), items.get((article_id, revision))
    if item is None:
        return "article not stored any more"
    if item.article.title == ERASED:
        return "text erased"
    if head is None:
        return "head that the champion does not have"
    if any(value not in head.labels for value in label_names(each.value, head.kind)):
        return "label that the champion does not have"
    if item.article.language not in {"und", *languages}:
        return "language that the champion does not read"
    target = ""
    if head.kind is HeadKind.TARGET:
        aliases = [each.alias for each in item.mentions if each.company_id == company]
        if not aliases:
            return "company that the text does not name any more"
        target = aliases[0]
    return Sample(
        head=name,
        value=each.value,
        text=model_input(item.article.title, item.article.lead),
        target=target,
        key=report_key(item.article.title),
        topic=item.topic or "",
        language=item.article.language,
        source=item.article.source,
        who=tuple(sorted(said[each.question].who.get(each.value, frozenset(each.who)))),
        basis=each.basis,
        said_at=said[each.question].last_at,
    )


def _one_of_each_text(samples: Sequence[Sample], left: Counter[str]) -> list[Sample]:
    """Return of copies of a text that are labelled alike one, and of others none.

    What one person says of a copy does not stand against what more than one say.
    """
    groups: dict[tuple[str, str, str], list[Sample]] = defaultdict(list)
    for each in samples:
        groups[(each.head, each.key, each.target)].append(each)
    found = []
    for group in groups.values():
        strong = [each for each in group if each.trusted] or group
        if len({each.value for each in strong}) > 1:
            left["copies labelled differently"] += len(group)
            continue
        found.append(strong[0])
        left["copy of a text"] += len(group) - 1
    return found


def _bounded(
    samples: Sequence[Sample], events: Sequence[Label], plan: RetrainPlan
) -> tuple[list[Sample], Counter[str]]:
    """Leave out what one person alone says and too much of it, or who is seldom right."""
    poor = {
        each.who
        for each in accuracies(events)
        if each.checked >= CHECKED and each.share < plan.right
    }
    left: Counter[str] = Counter()
    given: Counter[str] = Counter()
    kept = []
    # The newest first: what somebody said last is what they would say now.
    for each in sorted(samples, key=lambda one: (one.said_at is None, one.said_at), reverse=True):
        if each.trusted:
            kept.append(each)
            continue
        (who,) = each.who
        if who in poor:
            left["annotator seldom right on known items"] += 1
        elif given[who] >= plan.single:
            left["more than one person alone may teach"] += 1
        else:
            given[who] += 1
            kept.append(each)
    return kept, left


def truth_of(sample: Sample, head: Head) -> int | tuple[int, ...]:
    """Return a label's place in its head, or of a head with several 0 or 1 for each of its labels."""
    if head.kind is not HeadKind.MULTI:
        return head.labels.index(sample.value)
    names = sample.value.split(SEPARATOR) if sample.value else []
    return tuple(int(label in names) for label in head.labels)
