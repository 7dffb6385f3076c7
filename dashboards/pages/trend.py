"""The index, the volume, the parts and the items of one subject: the same on every page.

What only shows is drawn once for all who look at it: Streamlit keeps what a cached function draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from dashboards import charts, data, subjects
from dashboards.grids import items_grid
from dashboards.pages import cards, frame
from dashboards.pages.picking import picked
from monitor.domain import Dimension

RANGES = {"24 h": 24, "7 d": 168, "30 d": 720}
USUAL_RANGE = "7 d"


def ranges(key: str = "range") -> str:
    """Let the viewer choose a range; return its name."""
    chosen = st.segmented_control(
        "Range",
        list(RANGES),
        default=USUAL_RANGE,
        key=key,
        required=True,
        label_visibility="collapsed",
    )
    return chosen or USUAL_RANGE


def head(
    parameter: str,
    label: str,
    options: Sequence[str],
    *,
    said: Callable[[str], str],
    title: Callable[[str | None], None],
) -> tuple[str | None, str]:
    """Draw the head of a subject's page: its title, the list to choose another from, the range.

    Returns
    -------
    tuple
        What is chosen, as `dashboards.pages.picking.picked`, and the name of the range.
    """
    with st.container(key="panel-subject"):
        named, picker, right = st.columns([1.6, 1.2, 0.8], gap="small", vertical_alignment="center")
        with picker:
            key = picked(parameter, label, options, said)
        with right:
            chosen = ranges()
        with named:
            title(key)
    return key, chosen


def draw(url: str, dimension: Dimension, key: str, chosen: str, *, onward: bool = False) -> None:
    """Draw both charts and what their signs mean; ``onward``: with the link to the subject's page."""
    hours = RANGES[chosen]
    rows = data.trend(url, dimension, key, hours)
    if not rows["items"].sum():
        frame.note(f"No item in the last {chosen}.")
        return
    changed = data.changes(url, dimension, key, hours)
    _charts(url, dimension, key, hours, frame.tone())
    warming = [
        name
        for name, column in (("index", "score_usual"), ("volume", "usual"))
        if rows[column].isna().all()
    ]
    usual = f"usual {' and '.join(warming)}: warming up" if warming else "grey: usual"
    line = "index of 24 h, copies once" if rows["index"].notna().any() else "index: no data"
    since = " · uprights: another level" if len(changed) else ""
    with st.container(key="trend-foot", horizontal=True, vertical_alignment="center", gap="small"):
        with st.container(key="trend-meta", width="stretch"):
            st.text(
                f"Bars: mean of the hour · line: {line} · {usual} · triangles: alerts{since} · UTC"
            )
        if onward:
            cards.subject_link(dimension, key)


@st.cache_data(ttl=data.FRESH_S, show_spinner=False)  # drawn once for all who look
def _charts(url: str, dimension: Dimension, key: str, hours: int, tone: str) -> None:
    rows = data.trend(url, dimension, key, hours)
    marks = data.alerts_on(url, dimension, key, hours)
    changed = data.changes(url, dimension, key, hours)
    st.altair_chart(charts.index_chart(rows, marks, changed, tone), key="index-chart")
    st.altair_chart(charts.volume_chart(rows, tone), key="volume-chart")


def parts(url: str, dimension: Dimension, key: str, hours: int) -> None:
    """Draw a company by its topics, or a topic by its companies; see `dashboards.subjects.parts`."""
    _parts(url, dimension, key, hours, frame.tone())


@st.cache_data(ttl=30, show_spinner=False)
def _parts(url: str, dimension: Dimension, key: str, hours: int, tone: str) -> None:
    rows = subjects.parts(url, dimension, key, hours)
    st.altair_chart(charts.parts_chart(rows, tone), key="parts-chart")


@st.cache_data(ttl=data.FRESH_S, show_spinner=False)
def items(url: str, dimension: Dimension, key: str, limit: int) -> None:
    """Draw the newest items of a company or topic."""
    company = key if dimension is Dimension.COMPANY else None
    topic = key if dimension is Dimension.TOPIC else None
    rows = subjects.items(url, company_id=company, topic=topic, limit=limit)
    items_grid(rows, data.names(url), key="subject-items", topic=topic is None)
