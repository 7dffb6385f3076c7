"""What every page has: the strip that says how fresh it is, and what to do when there is nothing to show."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import datetime, timedelta

import streamlit as st

from dashboards import data, desk, visitor
from monitor.alert import explain
from monitor.errors import ConfigError, ForeshockError
from monitor.store.pages import Standing
from monitor.store.people import Person

SILENT = timedelta(minutes=2)  # the pipeline writes every second; after this it is not running
BEHIND_S = 150.0  # the rules work in whole minutes


def tone() -> str:
    """Return ``"light"`` or ``"dark"``, as this viewer has it."""
    return st.context.theme.type or "light"


def live(draw: Callable[[str], None], again: bool = True) -> None:
    """Draw a page now and again every few seconds; an outage of the database is said in words.

    Without ``again`` it is drawn anew only when the viewer does something.
    """

    @st.fragment(run_every=desk.current().refresh_s if again else None)
    def fragment() -> None:
        url = desk.current().store_url
        try:
            if visitor.current() is None:
                st.html('<p>You are signed out. <a href="/login">Sign in</a></p>')
                return
            standing = data.standing(url)
            if standing.newest_at is None:
                _empty(url, standing)
                return
            draw(url)
        except ConfigError as error:
            _no_database(str(error))
        except ForeshockError as error:
            with st.container(key="panel-guidance"):
                st.subheader("The database does not answer", anchor=False)
                st.text(str(error))
                st.text(
                    "Nothing is lost: news waits in the stream until it is back. This page tries again by "
                    "itself every few seconds."
                )

    fragment()


def alone(draw: Callable[[], None]) -> None:
    """Draw a page that needs no news in the database, for whoever is signed in."""

    @st.fragment
    def fragment() -> None:
        try:
            if visitor.current() is None:
                st.html('<p>You are signed out. <a href="/login">Sign in</a></p>')
                return
            draw()
        except ForeshockError as error:
            with st.container(key="panel-guidance"):
                st.text(str(error))

    fragment()


def signed_in(person: Person) -> None:
    """Draw who is signed in, and the way to sign out."""
    name = f"{html.escape(person.name)} ({person.role.value})"
    st.html(f'<div class="facts"><span>{name}</span><a href="/account">account</a></div>')


def strip(url: str, title: str) -> None:
    """Draw the line that says what time the pipeline has, and how far it is behind."""
    standing = data.standing(url)
    overview = data.overview(url)
    as_of, newest = standing.as_of, standing.newest_at
    facts = [("as of", f"{as_of.day} {as_of:%b %Y %H:%M} UTC" if as_of else "no data", "")]
    if newest is not None and as_of is not None:
        ago = as_of - newest
        said = "just now" if ago < timedelta(minutes=1) else f"{explain.span(ago)} before"
        facts.append(("last item", said, ""))
    behind = standing.behind_s
    if behind is not None:
        late = behind > BEHIND_S
        said = f"behind by {explain.span(timedelta(seconds=behind))}" if late else "up to date"
        facts.append(("rules", said, "#C98A0B" if late else "#2E8B6F"))
    facts.append(
        (f"heard in {data.HEARD_HOURS} h", explain.count(overview.publishers, "publisher"), "")
    )
    running, said = pulse(standing, data.wall(url))
    facts.append(("pipeline", said, "#2E8B6F" if running else "#C98A0B"))
    st.html(
        f'<div class="facts"><span class="lead">{html.escape(title)}</span>'
        + "".join(
            "<span>"
            + (f'<i style="background:{colour}"></i>' if colour else "")
            + f"{html.escape(name)} <b>{html.escape(value)}</b></span>"
            for name, value, colour in facts
        )
        + "</div>"
    )


def pulse(standing: Standing, now: datetime) -> tuple[bool, str]:
    """Return whether the pipeline gives signs of life at a time of the world, and that in words."""
    if standing.beat_at is None:
        return False, "never ran on this database"
    silent = now - standing.beat_at
    if silent < SILENT:
        return True, "replaying" if standing.replay else "running"
    if standing.replay:
        return False, f"replay ended {explain.span(silent)} ago"
    return False, f"not running for {explain.span(silent)}"


def stopped(url: str) -> None:
    """Say so when a live pipeline has stopped: an old page must not look calm."""
    standing = data.standing(url)
    running, said = pulse(standing, data.wall(url))
    if running or standing.replay:
        return
    st.warning(
        f"The pipeline is {said}. What you see ends there; silence below is not good news. "
        "Start it with `foreshock run`; `foreshock doctor` says what is wrong.",
        icon=":material/warning:",
    )


def note(text: str) -> None:
    """Draw the text of an empty place: why it is empty and what to do."""
    with st.container(key=f"note-meta-{abs(hash(text))}"):
        st.text(text)


def _empty(url: str, standing: Standing) -> None:
    running, _said = pulse(standing, data.wall(url))
    with st.container(key="panel-guidance"):
        st.subheader("No news yet", anchor=False)
        if running:
            st.text(
                "The pipeline is running and has not stored an item yet. The first ones appear here by "
                "themselves, usually within a minute of the first visit to a feed."
            )
        else:
            st.text("The database is there and empty, and no pipeline is writing to it.")
        if not data.names(url):
            st.text(
                "No company is watched yet: name a watchlist in the settings ([watchlist] path = 'FILE.csv', "
                "columns name, aliases, ticker, isin)."
            )
        _commands()


def _no_database(message: str) -> None:
    with st.container(key="panel-guidance"):
        st.subheader("No database to show", anchor=False)
        st.text(message[:1].upper() + message[1:] + ".")
        st.text("This page looks again every few seconds. To fill it:")
        _commands()


def _commands() -> None:
    st.code(
        "foreshock demo            # two weeks of made-up news in two minutes\n"
        "foreshock replay FILE     # your own archive, at any speed\n"
        "foreshock run             # live, from the feeds in foreshock.toml\n"
        "foreshock doctor          # says what is missing",
        language=None,
    )
