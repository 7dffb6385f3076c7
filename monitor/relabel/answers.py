"""Take down what somebody says of an item, with what the model had said of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from models.labels import Head
from monitor.domain import ClassifiedArticle, Label, LabelRole
from monitor.relabel.heads import Question, checked, predicted
from monitor.relabel.standing import standing
from monitor.store import Connection, labels
from monitor.store.labels import LabelRefused


def answer(
    connection: Connection,
    heads: Mapping[str, Head],
    item: ClassifiedArticle,
    question: Question,
    value: str,
    who: str,
    now: datetime,
    *,
    sampler: str,
    role: LabelRole = LabelRole.ANNOTATION,
    guess_shown: bool = False,
) -> Label:
    """Write a label on a stored article; return it with its id.

    Raises
    ------
    NotALabel
        The bundles in use have no such head or label.
    LabelRefused
        Somebody adjudicates what they annotated themselves.
    """
    value = checked(heads, question, value)
    guess, probability = predicted(item, question)
    label = Label(
        article_id=item.article.id,
        revision=item.article.revision,
        head=question.head,
        company_id=question.company_id,
        value=value,
        who=who,
        at=now,
        role=role,
        model_version=item.model_version,
        predicted=guess,
        probability=probability,
        guess_shown=guess_shown,
        sampler=sampler,
    )
    if role is LabelRole.ADJUDICATION:
        said = standing(labels.events(connection, articles=[item.article.id]))
        for other in said:
            if other.question == label.question and (other.who, other.role) == (
                who,
                LabelRole.ANNOTATION,
            ):
                raise LabelRefused(
                    f"{item.article.id[:8]} {question.head}: {who} labelled it; "
                    "somebody else has to adjudicate"
                )
    return labels.add(connection, label)
