"""Relabelling, by keyboard: one item at a time, what the model says of it hidden until it is answered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import streamlit as st

from dashboards import data, desk, labelling, visitor, words
from dashboards.labelling import Session
from dashboards.pages import acting, frame
from models.labels import Head
from monitor.alert import explain
from monitor.errors import ForeshockError
from monitor.relabel.candidates import Asked
from monitor.relabel.heads import Question, predicted

HELD = "relabel-session"
COLUMNS = 2  # of the labels of a head that has many


def page() -> None:
    """Draw the item of the viewer's session; nothing moves by itself."""
    frame.live(_draw, again=False)


def _draw(url: str) -> None:
    frame.strip(url, "Relabel")
    if not acting.allowed():
        frame.note("You may look, but not label.")
        return
    frame.live(_desk, again=False)  # a key draws this part only


def _desk(url: str) -> None:
    session = _session(url)
    if not session.items:
        _nothing()
        return
    left, right = st.columns([1.35, 1], gap="small")
    with left:
        with st.container(key="panel-item", height=330, border=False):
            if session.now is None:
                _over(session)
            else:
                _item(url, session, session.now)
        with st.container(key="panel-session", height=215, border=False):
            _standing(session)
    with right, st.container(key="panel-answers", height=561, border=False, gap="xsmall"):
        if session.now is not None:
            for question in session.now.questions:
                _question(url, session, question)
        _moves(url, session)


def _session(url: str) -> Session:
    """Return the viewer's session; another name is another person's."""
    looks = visitor.current()
    who = "" if looks is None else looks.person.name
    session: Session | None = st.session_state.get(HELD)
    if session is None or session.who != who:
        session = st.session_state[HELD] = labelling.begin(url, who)
    return session


def _item(url: str, session: Session, asked: Asked) -> None:
    article = asked.item.article
    with st.container(key="why-meta"):
        st.text(f"Item {session.place + 1} of {len(session.items)} · {asked.choice.why}")
    named = [mention.alias for mention in asked.item.mentions]
    with st.container(key="item-quote", gap="small"):
        st.html(f"<p>{words.marked(article.title, *named)}</p>")
    if article.lead:
        with st.container(key="lead-of-item-quote"):
            st.html(f"<p>{words.marked(article.lead, *named)}</p>")
    if asked.evidence:
        with st.container(key="evidence-quote"):
            st.text("What the alert went by:")
            st.html(f"<p>{words.marked(asked.evidence, *named)}</p>")
    known = data.names(url)
    companies = ", ".join(known.get(each, each) for each in asked.item.company_ids)
    parts = [article.publisher, f"{words.clock(article.published_at)} UTC", companies]
    with st.container(key="item-meta"):
        st.text(" · ".join(part for part in parts if part))
    with st.container(key="guess-meta"):
        if desk.current().settings.relabel.plan().hide_guess and not session.complete(
            session.place
        ):
            st.text("What the model says is shown once you have answered.")
        else:
            st.text(f"The model says: {_guess(asked)}.")


def _question(url: str, session: Session, question: Question) -> None:
    head = labelling.heads()[question.head]
    given = session.answers.get((session.place, question))
    about = "" if question.company_id is None else data.names(url).get(question.company_id, "")
    st.subheader(question.head.capitalize() if not about else "Towards", anchor=False)
    if about:
        st.text(about)
    open_ = _by_key(session, head) == question
    wide = len(head.labels) > len(labelling.DIGITS)
    columns = [
        column.container(gap="xxsmall")
        for column in st.columns(COLUMNS if wide else len(head.labels), gap="xsmall")
    ]
    height = -(-len(head.labels) // COLUMNS)
    for number, (key, label) in enumerate(zip(labelling.keys_of(head), head.labels, strict=False)):
        column = columns[number // height if wide else number]
        # A key pressed for an item that is gone belongs to a button that is gone.
        name = f"{session.place}-{question.head}-{question.company_id}-{number}"
        _button(
            column,
            label,
            name,
            key if open_ else None,
            partial(labelling.answer, url, session, session.place, question, label),
            session,
            chosen=label == given,
        )


def _by_key(session: Session, head: Head) -> Question | None:
    """Return the question that the keys of a head's labels answer: the first open one that has them."""
    assert session.now is not None
    alike = [
        each
        for each in session.now.questions
        if labelling.keys_of(labelling.heads()[each.head]) == labelling.keys_of(head)
    ]
    left = [each for each in alike if (session.place, each) not in session.answers]
    return next(iter(left or alike), None)


def _moves(url: str, session: Session) -> None:
    with st.container(horizontal=True, gap="small", key="relabel-moves"):
        at = session.place
        _button(
            st, "Previous", f"{at}-previous", "p", partial(labelling.move, session, -1), session
        )
        _button(st, "Next", f"{at}-next", "n", partial(labelling.move, session, 1), session)
        _button(st, "Undo", f"{at}-undo", "u", partial(labelling.undo, url, session), session)


def _button(
    place: Any,
    label: str,
    name: str,
    shortcut: str | None,
    deed: Callable[[], None],
    session: Session,
    chosen: bool = False,
) -> None:
    def act() -> None:
        try:
            deed()
            session.trouble = ""
        except ForeshockError as error:
            session.trouble = str(error)

    place.button(
        _plain(label),
        key=f"relabel-{name}",
        shortcut=shortcut,
        on_click=act,
        type="primary" if chosen else "secondary",
        width="stretch",
    )


def _standing(session: Session) -> None:
    """Draw how far the session is, and what was answered last beside what the model says."""
    total = len(session.items)
    st.progress(session.completed / total, text=f"{session.completed} of {total} items answered")
    pace = session.pace(datetime.now(UTC))
    facts = [f"answering as {session.who}"]
    facts.append(f"{pace:.0f} items a minute" if pace else "pace: no data yet")
    if session.checks is not None:
        facts.append(
            f"known items: {session.checks.right} of {session.checks.checked} right so far"
        )
    with st.container(key="session-meta"):
        st.text(" · ".join(facts))
        if session.trouble:
            st.text(f"Not written: {session.trouble}")
        else:
            st.text(_last(session))


def _last(session: Session) -> str:
    whole = [each.place for each in session.done if session.complete(each.place)]
    if not whole:
        return "Every answer is saved at once; undo takes back the last one."
    asked = session.items[whole[-1]]
    said = ", ".join(session.answers[(whole[-1], question)] for question in asked.questions)
    title = asked.item.article.title
    short = title if len(title) <= 70 else f"{title[:69]}…"
    return f"Last: {short}\nyou: {said}; the model: {_guess(asked)}"


def _guess(asked: Asked) -> str:
    parts = []
    for question in asked.questions:
        value, probability = predicted(asked.item, question)
        sure = "" if probability is None else f" ({probability:.2f})"
        parts.append(f"{value or 'nothing'}{sure}")
    return ", ".join(parts)


def _over(session: Session) -> None:
    st.subheader("That was the last item of this session", anchor=False)
    st.text(
        f"{explain.count(session.completed, 'item')} answered of {len(session.items)}. "
        "What you passed over is asked again another time."
    )

    def more() -> None:
        st.session_state.pop(HELD, None)

    st.button("Go on with the next items", key="relabel-more", shortcut="enter", on_click=more)


def _nothing() -> None:
    with st.container(key="panel-guidance"):
        st.subheader("Nothing to ask", anchor=False)
        st.text(
            "No item waits for you: the model has read none yet, or you have answered all of them. New "
            "ones come with the news."
        )


def _plain(label: str) -> str:
    """Return a label so that no sign of it means anything in Markdown."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]()<>#+-.!|$:~" else sign for sign in label)
