"""Search: stored items by their words, by what they mean, or like one of them. Never an answer in prose."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboards import data, finding, words
from dashboards.finding import Found
from dashboards.grids import items_grid
from dashboards.pages import cards, frame
from monitor.alert import explain

WORDS, MEANING = "Words", "Meaning"
LONGEST = 300  # characters of a question


def page() -> None:
    """Draw what ``?q=`` (``&by=meaning``) or ``?like=ID`` finds."""
    frame.live(_draw, again=False)


def _draw(url: str) -> None:
    frame.strip(url, "Search")
    with st.container(key="panel-question"):
        question, by = _question()
    like = st.query_params.get("like")
    if like is not None:
        _like(url, like)
    elif not question:
        _help()
    elif by == MEANING:
        found = finding.by_meaning(url, question)
        with st.container(key="panel-found"):
            _answer(
                url,
                found,
                f"of {found.compared or 0:,} compared: the newest, and those with a word",
            )
    else:
        found = finding.by_words(url, question)
        with st.container(key="panel-found"):
            _answer(url, found, "of all that are stored, the newest first")


def _question() -> tuple[str, str]:
    for name, widget in (("q", "search-q"), ("by", "search-by")):
        linked = st.query_params.get(name)
        if linked is not None and widget not in st.session_state:
            st.session_state[widget] = (
                linked[:LONGEST] if name == "q" else MEANING if linked == "meaning" else WORDS
            )

    box, choice = st.columns([3.2, 1], gap="small", vertical_alignment="center")
    question = box.text_input(
        "Question",
        key="search-q",
        max_chars=LONGEST,
        placeholder='recall "brake fault" -rumour    or    破产',
        label_visibility="collapsed",
        on_change=_ask,
    )
    with choice:
        by = st.segmented_control(
            "By",
            [WORDS, MEANING],
            key="search-by",
            default=None if "search-by" in st.session_state else WORDS,
            required=True,
            label_visibility="collapsed",
            on_change=_ask,
        )
    return (question or "").strip(), by or WORDS


def _ask() -> None:
    """Make the address say what is asked in the box."""
    for name in ("like", "q", "by"):
        st.query_params.pop(name, None)
    if st.session_state.get("search-q"):
        st.query_params["q"] = st.session_state["search-q"]
    if st.session_state.get("search-by") == MEANING:
        st.query_params["by"] = "meaning"


def _help() -> None:
    with st.container(key="panel-help"):
        st.text(
            "Words: every word has to be there, in the title or the lead; a word finds words that begin with "
            'it. "Quoted words" stand so, -word must not be there. Chinese needs no spaces.'
        )
        st.text(
            "Meaning: what a sentence says in other words, by the model's encoder, among the newest items "
            "and those of any age that share a word with it."
        )
        st.text(
            "Choose a row to see more like it. An answer is always items, each with its source."
        )


def _like(url: str, article_id: str) -> None:
    one = finding.item(url, article_id)
    found = None if one is None else finding.like(url, article_id)
    with st.container(key="panel-found"):
        if one is None or found is None:
            frame.note("There is no such item: the link is wrong, or it was deleted for its age.")
            return
        st.subheader("More like this", anchor=False)
        with st.container(key="like-quote", gap=None):
            st.html(f"<p>{words.marked(one.article.title)}</p>")
            with st.container(key="like-meta"):
                when = words.clock(one.article.published_at)
                st.text(f"{words.byline(one.article)} · {when} UTC")
        with st.container(horizontal=True, gap="small"):
            cards.link("story", "Its story", story=one.article.id)
            st.button("Back to the search", key="search-back", type="tertiary", on_click=_ask)
        _answer(url, found, f"of {found.compared or 0:,} compared; its copies are left out")


def _answer(url: str, found: Found, among: str) -> None:
    if found.trouble:
        frame.note(found.trouble)
        return
    with st.container(key="found-meta"):
        st.text(
            f"{explain.count(len(found.rows), 'item')}, {among}. Choose a row for more like it."
        )
    if found.rows.empty:
        return
    ids = found.rows["id"].tolist()
    nonce = st.session_state.setdefault("found_nonce", 0)
    widget = f"found-{nonce}"

    def more() -> None:
        picked: Any = st.session_state[widget]
        if picked.selection.rows:
            for name in ("q", "by"):
                st.query_params.pop(name, None)
            st.query_params["like"] = ids[picked.selection.rows[0]]
            st.session_state["found_nonce"] = nonce + 1

    extra = {}
    if any(each is not None for each in found.alike):
        extra = {"Alike": ["" if each is None else f"{each:.2f}" for each in found.alike]}
    names = data.names(url)
    items_grid(found.rows, names, key=widget, extra=extra, most=640, on_select=more)
