"""What can be asked of an item: the heads of the bundles in use, with their labels and no others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.bundle import load_bundle
from models.labels import Head, HeadKind
from models.tables import SEPARATOR, label_names
from monitor.domain import ClassifiedArticle
from monitor.errors import ForeshockError

COMPANIES_ASKED = 2  # of an item that names more, those that it is most about


class NotALabel(ForeshockError):
    """A head or a label that the bundles in use do not have; the message names those they have."""


@dataclass(frozen=True, slots=True)
class Question:
    """A head, and for one that is asked about a company, the company."""

    head: str
    company_id: str | None = None


def heads_of(bundles: Sequence[Path | None]) -> dict[str, Head]:
    """Return the heads of some bundles by name, the first bundle's where several have one.

    Raises
    ------
    models.errors.BundleError
        A bundle is missing or damaged.
    """
    found: dict[str, Head] = {}
    for folder in bundles:
        for head in load_bundle(folder).heads:
            found.setdefault(head.name, head)
    return found


def checked(heads: Mapping[str, Head], question: Question, value: str) -> str:
    """Return a label as it is stored: several of a head that may give several, in the head's order.

    Raises
    ------
    NotALabel
        There is no such head or label, or the company does not go with the head.
    """
    head = heads.get(question.head)
    if head is None:
        raise NotALabel(f"no head {question.head!r}; heads are {', '.join(heads)}")
    if (head.kind is HeadKind.TARGET) != (question.company_id is not None):
        needs = "needs a company" if head.kind is HeadKind.TARGET else "is not about one company"
        raise NotALabel(f"head {head.name}: it {needs}")
    names = label_names(value, head.kind)
    for name in names:
        if name not in head.labels:
            raise NotALabel(
                f"head {head.name}: no label {name!r}; labels are {', '.join(head.labels)}"
            )
    if head.kind is HeadKind.MULTI:
        return SEPARATOR.join(name for name in head.labels if name in names)
    return value


def questions_of(
    item: ClassifiedArticle, asked: Iterable[str], heads: Mapping[str, Head]
) -> tuple[Question, ...]:
    """Return what is asked of an item, in the order of ``asked``; nothing of heads that are not there."""
    found: list[Question] = []
    for name in asked:
        if name not in heads:
            continue
        if heads[name].kind is HeadKind.TARGET:
            found += [Question(name, company) for company in item.company_ids[:COMPANIES_ASKED]]
        else:
            found.append(Question(name))
    return tuple(found)


def predicted(item: ClassifiedArticle, question: Question) -> tuple[str | None, float | None]:
    """Return what an item was stored with as the answer, and how probable that was where it is known."""
    if question.company_id is not None:
        for mention in item.mentions:
            if mention.company_id == question.company_id:
                return mention.sentiment, None
        return None, None
    if question.head == "topic":
        return item.topic, item.topic_probability
    if question.head == "sentiment":
        return item.sentiment, item.sentiment_probability
    if question.head == "risk":
        return SEPARATOR.join(sorted({risk.event for risk in item.risks})), None
    return None, None
