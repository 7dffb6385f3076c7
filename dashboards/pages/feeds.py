"""Feeds: whether every source answers, what it brings, how late, and what could not be used."""

from __future__ import annotations

import streamlit as st

from dashboards import data, feeds, visitor
from dashboards.feed_grids import letters_grid, sources_grid
from dashboards.feeds import BAD, GOOD, MIND
from dashboards.pages import frame
from monitor.alert import explain
from monitor.domain import AlertKind


def page() -> None:
    """Draw the sources, the worst first."""
    frame.live(_draw)


def _draw(url: str) -> None:
    frame.strip(url, "Feeds")
    frame.stopped(url)
    found = feeds.sources(url)
    letters = feeds.dead_letters(url)
    _tiles(url, found, len(letters))
    operates = visitor.may("act")
    with st.container(key="panel-sources"):
        st.subheader(f"Sources · {len(found)}", anchor=False)
        if found:
            sources_grid(found, data.now(url), tone=frame.tone(), key="sources")
            with st.container(key="sources-meta"):
                st.text(
                    "Lag: median time from publication to here · bars: new items by the hour, 24 h · "
                    "times of the pipeline"
                )
        else:
            frame.note("No source is configured, and none brought anything: see [[sources]].")
    with st.container(key="panel-letters"):
        st.subheader("What could not be used", anchor=False)
        if letters.empty:
            frame.note("Nothing waits: every item that came could be used, or was dealt with.")
        elif not operates:
            frame.note("What waits is shown to analysts and admins: it is not cleaned of anything.")
        else:
            letters_grid(letters, key="letters")
            frame.note(
                "To deal with them: foreshock dead show, foreshock dead retry, foreshock dead drop."
            )


def _tiles(url: str, found: list[feeds.Source], letters: int) -> None:
    one, two, three, four = st.columns(4, gap="small")
    bad = sum(each.state == BAD for each in found)
    mind = sum(each.state == MIND for each in found)
    good = sum(each.state == GOOD for each in found)
    facts = [f"{bad} failing" if bad else "", f"{mind} to look at" if mind else ""]
    one.metric(
        "Sources that answer and bring",
        f"{good} of {len(found)}",
        delta=" · ".join(fact for fact in facts if fact) or "all well",
        delta_color="off",
        delta_arrow="off",
        border=True,
    )
    items = sum(each.items for each in found)
    bars = [sum(hour) for hour in zip(*(each.by_hour for each in found), strict=True)]
    two.metric(
        "New items, 24 h",
        f"{items:,}",
        delta="by the hour",
        delta_color="off",
        delta_arrow="off",
        border=True,
        chart_data=bars or None,
        chart_type="bar",
    )
    standing = data.standing(url)
    ago = None if standing.newest_at is None else data.now(url) - standing.newest_at
    silences = data.open_alerts(url)["kind"].eq(AlertKind.ABSENCE.value).sum()
    three.metric(
        "Since the newest item",
        "no data" if ago is None else explain.span(ago),
        delta=explain.count(int(silences), "silence alert")
        if silences
        else "no silence alert open",
        delta_color="off",
        delta_arrow="off",
        border=True,
    )
    four.metric(
        "Items that could not be used",
        f"{letters}{'+' if letters == feeds.LETTERS else ''}",
        delta="waiting" if letters else "none waits",
        delta_color="off",
        delta_arrow="off",
        border=True,
    )
