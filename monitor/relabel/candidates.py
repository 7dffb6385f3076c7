"""What there is to ask somebody: stored items that were read, sorted by who has labelled them already."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from models.labels import Head
from monitor.domain import MODEL, ClassifiedArticle, Evidence, Label
from monitor.relabel.heads import Question, predicted, questions_of
from monitor.relabel.plan import Plan
from monitor.relabel.queue import Choice, choose
from monitor.relabel.samplers import Candidate, doubt_of
from monitor.relabel.standing import known, standing
from monitor.store import Store, acts, alerts, articles, labels
from monitor.stories.copies import report_key, text_key

Key = tuple[str, str]
AGAINST = ("false", "wrong_company")  # verdicts that say that the model or the rules were wrong
MOST_ALERTS = 500  # the newest judged wrong whose evidence is looked at
SERIOUS = 3  # severity from which a rule's event and a good tone do not fit together


@dataclass(frozen=True, slots=True)
class Asked:
    """An item with what is asked of it and why; ``evidence`` is what an alert quoted of it."""

    item: ClassifiedArticle
    choice: Choice
    questions: tuple[Question, ...]
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a queue is made from: items by key, all that was said, and verdicts against their alerts."""

    items: Mapping[Key, ClassifiedArticle]
    events: Sequence[Label]
    verdicts: Mapping[Key, str]
    quotes: Mapping[Key, str]


def load(store: Store, pool: int) -> Stored:
    """Read the newest ``pool`` items, those that anybody labelled, and those that alerts judged wrong had."""
    judged = {each.alert_id: each.verdict for each in acts.verdicts_since(store)}
    wrong = [id_ for id_, verdict in judged.items() if verdict in AGAINST][-MOST_ALERTS:]
    verdicts: dict[Key, str] = {}
    quotes: dict[Key, str] = {}
    with store.read() as connection:
        events = labels.events(connection)
        for id_, proof in sorted(alerts.evidence_of(connection, wrong).items()):
            for each in proof:
                key = (each.article_id, each.revision)
                verdicts[key], quotes[key] = judged[id_], _quote(each)
        items = {_key(item): item for item in articles.newest_read(connection, pool)}
        more = {(event.article_id, event.revision) for event in events} | verdicts.keys()
        further = articles.get(connection, sorted(more - items.keys()))
    items |= {_key(item): item for item in further}
    return Stored(items, events, verdicts, quotes)


def queue(
    stored: Stored, plan: Plan, heads: Mapping[str, Head], who: str, seed: int, size: int
) -> list[Asked]:
    """Return what to ask somebody, the next first; nothing that they have answered, no text twice."""
    said = standing(stored.events)
    mine = {label.question for label in said if label.who == who}
    labelled = {(q[0], q[1]) for q in mine}
    open_: dict[Key, tuple[Question, ...]] = {}
    for key, item in stored.items.items():
        questions = questions_of(item, plan.heads, heads)
        left = tuple(each for each in questions if (*key, each.head, each.company_id) not in mine)
        if left:
            open_[key] = left
    candidates = _candidates(stored, plan.heads, open_)
    texts = _labellers(stored, said)
    answers = {(q[0], q[1]) for q, each in known(stored.events).items() if who not in each.who}
    touched = {(label.article_id, label.revision) for label in said}
    fresh, second, checks = [], [], []
    for candidate in candidates:
        others = texts.get(candidate.text, frozenset()) - {who}
        if candidate.key in answers and candidate.key not in labelled:
            checks.append(candidate)
        elif who in texts.get(candidate.text, ()) and candidate.key not in labelled:
            continue  # a copy of what they answered
        elif not others:
            fresh.append(candidate)
        elif len(others) == 1 and candidate.key in touched:
            second.append(candidate)
    chosen = choose(
        *(fresh, plan.shares, size, who, seed),
        second=second,
        second_share=plan.second,
        known=checks,
        known_share=plan.known,
    )
    return [
        Asked(stored.items[c.key], c, open_[c.key], stored.quotes.get(c.key, "")) for c in chosen
    ]


def _labellers(stored: Stored, said: Iterable[Label]) -> dict[str, frozenset[str]]:
    """Return who has labelled each text."""
    found: dict[str, set[str]] = defaultdict(set)
    for label in said:
        item = stored.items.get((label.article_id, label.revision))
        if item is not None:
            found[text_key(item.article.title)].add(label.who)
    return {text: frozenset(people) for text, people in found.items()}


def _candidates(
    stored: Stored, asked: Sequence[str], open_: Mapping[Key, tuple[Question, ...]]
) -> list[Candidate]:
    readings: dict[str, set[tuple[str | None, str | None]]] = defaultdict(set)
    texts = {key: text_key(item.article.title) for key, item in stored.items.items()}
    for key, item in stored.items.items():
        readings[texts[key]].add((item.topic, item.sentiment))
    found = []
    for key, questions in open_.items():
        item = stored.items[key]
        doubts = [
            doubt_of(probability)
            for question in questions
            if (probability := predicted(item, question)[1]) is not None
        ]
        said = {name: predicted(item, Question(name))[0] for name in asked}
        found.append(
            Candidate(
                key=key,
                text=texts[key],
                words=frozenset(report_key(item.article.title).split()),
                at=item.article.published_at,
                doubt=max(doubts, default=None),
                classes={name: value for name, value in said.items() if value},
                quarrels=tuple(_quarrels(item, len(readings[texts[key]]) > 1)),
                verdict=stored.verdicts.get(key, ""),
            )
        )
    return sorted(found, key=lambda candidate: candidate.key)


def _quarrels(item: ClassifiedArticle, copies_differ: bool) -> Iterable[str]:
    if copies_differ:
        yield "copies of it are read differently"
    towards = {mention.sentiment for mention in item.mentions} - {None, "neutral"}
    if item.sentiment in ("negative", "positive") and towards - {item.sentiment}:
        yield "read one way in all, and another towards a company"
    serious = any(
        risk.rule != MODEL and risk.severity >= SERIOUS and risk.stage == "confirmed"
        for risk in item.risks
    )
    if serious and item.sentiment == "positive":
        yield "a risk rule and the model do not fit together"


def _key(item: ClassifiedArticle) -> Key:
    return item.article.id, item.article.revision


def _quote(evidence: Evidence) -> str:
    return evidence.quote or evidence.title
