"""A viewer's session at the relabelling queue: which item is next, what was answered, how to take it back.

The queue of a session is read at once, so that the next item is there before it is wanted. Every answer is
in the database before the next item is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import streamlit as st

from dashboards import desk, visitor
from dashboards.desk import opened
from models.labels import Head, HeadKind
from monitor.access.roles import Forbidden
from monitor.relabel.agreement import Accuracy, accuracies
from monitor.relabel.answers import answer as answer_of
from monitor.relabel.candidates import Asked, load, queue
from monitor.relabel.heads import Question, heads_of
from monitor.store import labels
from monitor.store.clock import time_of

SEED = 1
# Streamlit keeps c and r; n, p and u move. A digit answers heads of few labels, a letter those of many.
DIGITS = "123456789"
LETTERS = "abdefghijklmoqstvwxyz"


@dataclass(frozen=True, slots=True)
class Done:
    """An answer of this session: the label's id, and where it was given."""

    label_id: int
    place: int
    question: Question


@dataclass
class Session:
    """Of one viewer; kept between two runs of the page."""

    who: str
    items: list[Asked]
    checks: Accuracy | None  # on known items, up to the beginning of the session
    begun_at: datetime
    place: int = 0
    answers: dict[tuple[int, Question], str] = field(default_factory=dict)
    done: list[Done] = field(default_factory=list)
    trouble: str = ""

    @property
    def now(self) -> Asked | None:
        """The item to answer; ``None`` when all were shown."""
        return self.items[self.place] if self.place < len(self.items) else None

    def complete(self, place: int) -> bool:
        """Whether everything that is asked of an item is answered."""
        return all((place, question) in self.answers for question in self.items[place].questions)

    @property
    def completed(self) -> int:
        return sum(self.complete(place) for place in range(len(self.items)))

    def pace(self, now: datetime) -> float | None:
        """Return items a minute, or ``None`` before the first."""
        spent = (now - self.begun_at) / timedelta(minutes=1)
        return self.completed / spent if self.completed and spent > 0 else None


@st.cache_resource(show_spinner=False)
def heads() -> dict[str, Head]:
    """Return the heads that can be answered by key, by name."""
    return {
        name: head
        for name, head in heads_of(desk.current().settings.model.folders).items()
        if head.kind is not HeadKind.MULTI and len(head.labels) <= len(LETTERS)
    }


def keys_of(head: Head) -> str:
    """Return the keys of a head's labels, in their order.

    Examples
    --------
    >>> keys_of(Head("sentiment", HeadKind.SINGLE, ("negative", "neutral", "positive")))[:3]
    '123'
    """
    return DIGITS if len(head.labels) <= len(DIGITS) else LETTERS


def begin(url: str, who: str) -> Session:
    """Read the next items for somebody."""
    plan = desk.current().settings.relabel.plan()
    with opened(url) as store:
        stored = load(store, plan.pool)
    found = queue(stored, plan, heads(), who, SEED, plan.session)
    checks = next((each for each in accuracies(stored.events) if each.who == who), None)
    return Session(who, found, checks, datetime.now(UTC))


def answer(url: str, session: Session, place: int, question: Question, value: str) -> None:
    """Write an answer; go on when it was the item's last."""
    if place != session.place:
        return  # the key was pressed for an item that is gone
    _allowed(session)
    asked = session.items[place]
    plan = desk.current().settings.relabel.plan()
    with opened(url) as store, store.write() as connection:
        said = answer_of(
            *(connection, heads(), asked.item, question, value, session.who, time_of(store)),
            sampler=asked.choice.sampler,
            guess_shown=not plan.hide_guess or session.complete(place),
        )
    session.answers[(place, question)] = value
    session.done.append(Done(said.id or 0, place, question))
    if session.complete(place):
        session.place += 1


def undo(url: str, session: Session) -> None:
    """Take back the last answer of the session, and go back to its item."""
    if not session.done:
        return
    _allowed(session)
    last = session.done[-1]
    with opened(url) as store, store.write() as connection:
        labels.withdraw(connection, last.label_id, session.who, time_of(store))
    session.done.pop()
    session.answers.pop((last.place, last.question), None)
    session.place = last.place


def _allowed(session: Session) -> None:
    """Raise `Forbidden` unless who looks is still the session's person, and may act."""
    looks = visitor.current()
    if looks is None or looks.person.name != session.who:
        raise Forbidden("you are signed out")
    looks.need("act")


def move(session: Session, step: int) -> None:
    """Go to the next or the previous item, without an answer."""
    session.place = min(max(session.place + step, 0), len(session.items))
