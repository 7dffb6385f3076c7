"""Charts of stories: several on one timeline, and the reports of one. As `dashboards.charts`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import altair as alt
import pandas as pd

from dashboards import theme
from dashboards.charts import Layers, diverging, severities

ROW = 38  # pixels of a story on its timeline
BELOW = 0.26  # of a row: from the foot of its title to its line


def story_chart(
    frame: pd.DataFrame, marks: pd.DataFrame, first: datetime, last: datetime, tone: str
) -> Layers:
    """Return stories as bars from their first to their last report, newest on top; alerts are triangles.

    Parameters
    ----------
    frame
        As `dashboards.stories.frame`.
    marks
        Their alerts: place (of the story), started_at, severity, title.
    first, last
        The time that is drawn.
    """
    scale = alt.Scale(type="utc", domain=[first.isoformat(), last.isoformat()], clamp=True)
    axis = alt.Axis(format="%a %d", grid=True, gridOpacity=0.35, labelOverlap=True, tickCount=7)
    x = alt.X("first_at:T", title=None, scale=scale, axis=axis)
    rows = alt.Scale(domain=[-0.5, max(len(frame) - 0.5, 0.5)], nice=False, reverse=True)
    y = alt.Y("place:Q", title=None, scale=rows, axis=None)
    tips = [
        alt.Tooltip("title:N", title="Story"),
        alt.Tooltip("event:N", title="Event"),
        alt.Tooltip("stage:N", title="Stage"),
        alt.Tooltip("first_at:T", title="First (UTC)", format="%d %b %H:%M"),
        alt.Tooltip("last_at:T", title="Newest (UTC)", format="%d %b %H:%M"),
        alt.Tooltip("reports:Q", title="Reports"),
        alt.Tooltip("voices:Q", title="Independent"),
    ]
    frame = frame.assign(line=frame["place"] + BELOW)
    line = alt.Y("line:Q", title=None, scale=rows, axis=None)
    colour = alt.Color("severity:O", scale=severities(), legend=None)
    bars = (
        alt.Chart(frame)
        .mark_rule(strokeWidth=8, strokeCap="round", opacity=0.85)
        .encode(x=x, x2="last_at:T", y=line, color=colour, tooltip=tips)
    )
    middle = first + (last - first) / 2
    early = frame["first_at"] < middle
    words: dict[str, Any] = {
        "baseline": "bottom",
        "fontSize": 12,
        "dy": 1,
        "color": theme.INK[tone],
    }
    words["limit"] = alt.ExprRef("width / 2")
    layers: list[Any] = [bars]
    if early.any():
        left = alt.Chart(frame[early]).mark_text(align="left", **words)
        layers.append(left.encode(x=x, y=y, text="title:N"))
    if not early.all():
        right = alt.Chart(frame[~early]).mark_text(align="right", **words)
        ends = alt.X("last_at:T", title=None, scale=scale, axis=axis)
        layers.append(right.encode(x=ends, y=y, text="title:N"))
    if not marks.empty:
        marks = marks.assign(line=marks["place"] + BELOW)
        points = alt.Chart(marks).mark_point(
            shape="triangle-down", filled=True, size=110, opacity=1, stroke=theme.CARD[tone]
        )
        at = alt.X("started_at:T", title=None, scale=scale, axis=axis)
        tip = [
            alt.Tooltip("title:N", title="Alert"),
            alt.Tooltip("started_at:T", title="Since (UTC)", format="%d %b %H:%M"),
        ]
        layers.append(points.encode(x=at, y=line, color=colour, tooltip=tip))
    height = ROW * max(len(frame), 1)
    return alt.layer(*layers).properties(height=height, background="transparent")


def report_chart(frame: pd.DataFrame, tone: str) -> Layers:
    """Return the reports of one story: when, by whom, how negative; copies of another's text are hollow.

    ``frame``: published_at, publisher, score, title, own (speaks for itself), said (stage, in words).
    """
    first, last = frame["published_at"].min(), frame["published_at"].max()
    margin = max((last - first) * 0.04, pd.Timedelta(minutes=10))
    domain = [(first - margin).isoformat(), (last + margin).isoformat()]
    long = last - first > pd.Timedelta(hours=30)
    x = alt.X(
        "published_at:T",
        title=None,
        scale=alt.Scale(type="utc", domain=domain),
        axis=alt.Axis(
            format="%a %d" if long else "%H:%M", grid=False, labelOverlap=True, tickCount=6
        ),
    )
    order = frame.sort_values("published_at")["publisher"].drop_duplicates().tolist()
    y = alt.Y(
        "publisher:N",
        title=None,
        sort=order,
        axis=alt.Axis(labelLimit=130, ticks=False, domain=False, grid=True, gridOpacity=0.35),
    )
    tips = [
        alt.Tooltip("title:N", title="Title"),
        alt.Tooltip("published_at:T", title="Published (UTC)", format="%d %b %H:%M"),
        alt.Tooltip("said:N", title="Says"),
        alt.Tooltip("score:Q", title="Sentiment", format="+.2f"),
    ]
    unread = alt.datum.score == None  # noqa: E711
    colour = alt.condition(
        unread, alt.value(theme.UNREAD), alt.Color("score:Q", scale=diverging(tone), legend=None)
    )
    base = alt.Chart(frame)
    own = base.transform_filter("datum.own").mark_point(
        filled=True, size=130, opacity=1, stroke=theme.GREY[tone], strokeWidth=0.8
    )
    copies = base.transform_filter("!datum.own").mark_point(filled=False, size=110, strokeWidth=1.8)
    layers = [each.encode(x=x, y=y, color=colour, tooltip=tips) for each in (copies, own)]
    height = min(330, 26 * len(order) + 30)
    return alt.layer(*layers).properties(height=height, background="transparent")
