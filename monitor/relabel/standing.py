"""Which of all that was said counts: of each person the newest, of each question one label, or none yet."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.domain import Label, LabelRole

Key = tuple[str, str, str, str | None]  # article, revision, head, company


class Basis(StrEnum):
    """Why a label counts, the strongest first."""

    ADJUDICATION = "adjudication"
    KNOWN = "known"
    AGREEMENT = "agreement"  # more than half of two annotators or more
    SINGLE = "single"  # one annotator, whom nobody has checked


@dataclass(frozen=True, slots=True)
class Gold:
    """The label that counts of a question, and who says so."""

    question: Key
    value: str
    basis: Basis
    who: tuple[str, ...]


def standing(events: Iterable[Label]) -> list[Label]:
    """Return the labels that stand: of each question, person and role the newest not taken back.

    The result does not depend on the order of the events.
    """
    said = sorted(events, key=_age)
    gone = {event.withdraws for event in said if event.withdraws is not None}
    newest: dict[tuple[Key, str, LabelRole], Label] = {}
    for event in said:
        if event.value is not None and event.id not in gone:
            newest[(event.question, event.who, event.role)] = event
    return sorted(newest.values(), key=_age)


def annotated(events: Iterable[Label]) -> dict[Key, dict[str, str]]:
    """Return what annotators say of each question: value by person, in the order they said it."""
    found: dict[Key, dict[str, str]] = defaultdict(dict)
    for label in standing(events):
        if label.role is LabelRole.ANNOTATION and label.value is not None:
            found[label.question][label.who] = label.value
    return dict(found)


def gold(events: Iterable[Label], least: int = 1) -> dict[Key, Gold]:
    """Return the label that counts of each question that has one.

    An adjudicator's wins, then a known answer, then what more than half of the annotators say. Where they
    differ without a majority there is none.

    Parameters
    ----------
    least
        Annotators a label needs that neither an adjudicator nor a known answer gives.
    """
    events = list(events)
    found: dict[Key, Gold] = {}
    for question, votes in annotated(events).items():
        (value, count), *_ = Counter(votes.values()).most_common()
        if 2 * count > len(votes) and count >= least:
            basis = Basis.AGREEMENT if count > 1 else Basis.SINGLE
            who = tuple(sorted(name for name, said in votes.items() if said == value))
            found[question] = Gold(question, value, basis, who)
    for role, basis in (
        (LabelRole.KNOWN, Basis.KNOWN),
        (LabelRole.ADJUDICATION, Basis.ADJUDICATION),
    ):
        for label in standing(events):
            if label.role is role and label.value is not None:
                found[label.question] = Gold(label.question, label.value, basis, (label.who,))
    return found


def disputed(events: Iterable[Label]) -> dict[Key, dict[str, str]]:
    """Return the questions that wait for an adjudicator, with what each annotator says."""
    events = list(events)
    decided = gold(events)
    return {
        question: votes
        for question, votes in annotated(events).items()
        if len(votes) > 1 and question not in decided
    }


def known(events: Iterable[Label]) -> dict[Key, Gold]:
    """Return the answers that annotators are checked against: given as known, or adjudicated."""
    trusted = (Basis.KNOWN, Basis.ADJUDICATION)
    return {key: each for key, each in gold(events).items() if each.basis in trusted}


def _age(label: Label) -> tuple[datetime, int]:
    return label.at, label.id or 0
