"""Charts. They get frames of `dashboards.data` and the tone of the page, ``"light"`` or ``"dark"``."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from dashboards import theme

Layers = alt.LayerChart | alt.FacetChart
AXIS_WIDTH = 34  # of every chart's y axis, so that charts one above the other share their hours
UNREAD = "not read"
COUNTS = ("negative", "neutral", "positive", UNREAD)


def index_chart(
    frame: pd.DataFrame, marks: pd.DataFrame, changes: pd.DataFrame, tone: str
) -> Layers:
    """Return the sentiment index: bars for each hour, a line for 24 hours over the band that is usual.

    Alerts and changes of level are uprights.

    Parameters
    ----------
    frame
        As `dashboards.data.trend`.
    marks
        Alerts on the same subject: started_at, severity, title.
    changes
        As `dashboards.data.changes`.
    """
    x = _hours(frame, labels=False)
    y = alt.Y(
        "score:Q",
        title=None,
        axis=_axis([-1, -0.5, 0, 0.5, 1], "+.1f"),
        scale=alt.Scale(domain=[-1, 1]),
    )
    colour = alt.Color("score:Q", scale=diverging(tone), legend=None)
    tips = [
        alt.Tooltip("start:T", title="Hour (UTC)", format="%d %b %H:%M"),
        alt.Tooltip("score:Q", title="Mean of the hour", format="+.2f"),
        alt.Tooltip("index:Q", title="Index, 24 h", format="+.2f"),
        alt.Tooltip("items:Q", title="Items"),
    ]
    base = alt.Chart(frame)
    zero = alt.Chart(pd.DataFrame({"y": [0.0]})).mark_rule(color=theme.GREY[tone], strokeWidth=1)
    bars = base.mark_bar(width=_bar(frame)).encode(x=x, y=y, color=colour, tooltip=tips)
    line = base.mark_line(color=theme.INK[tone], strokeWidth=2, interpolate="step-after")
    layers: list[Any] = []
    if frame["score_usual"].notna().any():
        band = base.mark_area(color=theme.BAND[tone], opacity=0.8, interpolate="step-after")
        layers.append(band.encode(x=x, y=alt.Y("score_low:Q", title=None), y2="score_high:Q"))
    layers += [
        bars.transform_filter("isValid(datum.score)"),
        zero.encode(y="y:Q"),
        line.encode(x=x, y=alt.Y("index:Q")),
    ]
    if frame["score_usual"].notna().any():
        dash = base.mark_line(color=theme.GREY[tone], strokeDash=[5, 4], strokeWidth=1.4)
        layers.append(dash.encode(x=x, y="score_usual:Q"))
    if not changes.empty:
        rule = alt.Chart(changes).mark_rule(color=theme.INK[tone], strokeWidth=1.4)
        tip = alt.Tooltip("start:T", title="Another level since", format="%d %b")
        layers.append(rule.encode(x=x, tooltip=[tip]))
    layers += _alert_marks(marks, _hours(frame, labels=False, field="started_at:T"))
    return alt.layer(*layers).properties(height=150, background="transparent")


def volume_chart(frame: pd.DataFrame, tone: str) -> Layers:
    """Return items per hour by sentiment, over the band that is usual at each hour of the week."""
    frame = frame.assign(
        **{UNREAD: frame["items"] - frame[["negative", "neutral", "positive"]].sum(axis=1)}
    )
    x = _hours(frame, labels=True)
    columns = ["start", "items", "usual", *COUNTS]
    long = frame[columns].melt(
        ["start", "items", "usual"], var_name="sentiment", value_name="count"
    )
    long = long[long["count"] > 0].assign(order=lambda f: f["sentiment"].map(COUNTS.index))
    axis = _axis(None, "~s", tickMinStep=1, tickCount=4)
    bars = (
        alt.Chart(long)
        .mark_bar(width=_bar(frame))
        .encode(
            x=x,
            y=alt.Y("count:Q", title=None, axis=axis, stack="zero"),
            color=_sentiments(),
            order=alt.Order("order:Q"),
            tooltip=[
                alt.Tooltip("start:T", title="Hour (UTC)", format="%d %b %H:%M"),
                alt.Tooltip("sentiment:N", title="Sentiment"),
                alt.Tooltip("count:Q", title="Items"),
                alt.Tooltip("items:Q", title="All items"),
                alt.Tooltip("usual:Q", title="Usual", format=".1f"),
            ],
        )
    )
    layers: list[Any] = []
    if frame["usual"].notna().any():
        base = alt.Chart(frame)
        band = base.mark_area(color=theme.BAND[tone], opacity=0.8, interpolate="step-after")
        layers.append(band.encode(x=x, y=alt.Y("low:Q", title=None, axis=axis), y2="high:Q"))
    layers.append(bars)
    if frame["usual"].notna().any():
        usual = base.mark_line(color=theme.GREY[tone], strokeDash=[5, 4], strokeWidth=1.4)
        layers.append(usual.encode(x=x, y=alt.Y("usual:Q", title=None, axis=axis)))
    return alt.layer(*layers).properties(height=178, background="transparent")


def heat_chart(frame: pd.DataFrame, tone: str) -> Layers:
    """Return companies by topics: colour is sentiment, the number is items."""
    companies = frame.sort_values("place")["company"].drop_duplicates().tolist()
    base = alt.Chart(frame).encode(
        x=alt.X(
            "topic:N",
            title=None,
            sort=alt.EncodingSortField("items", op="sum", order="descending"),
            axis=alt.Axis(
                labelAngle=-38, labelLimit=118, labelOverlap=False, ticks=False, domain=False
            ),
        ),
        y=alt.Y(
            "company:N",
            title=None,
            sort=companies,
            axis=alt.Axis(labelLimit=150, labelFlush=False, ticks=False, domain=False),
        ),
    )
    cells = base.mark_rect(cornerRadius=3, stroke=None).encode(
        color=alt.Color("score:Q", scale=diverging(tone), legend=None),
        tooltip=[
            alt.Tooltip("company:N", title="Company"),
            alt.Tooltip("topic:N", title="Topic"),
            alt.Tooltip("items:Q", title="Items"),
            alt.Tooltip("negative:Q", title="Negative"),
            alt.Tooltip("score:Q", title="Sentiment", format="+.2f"),
        ],
    )
    white = alt.expr.abs(alt.datum.score) > 0.6
    text = base.mark_text(fontSize=11).encode(
        text="items:Q", color=alt.condition(white, alt.value("#FFFFFF"), alt.value(theme.INK[tone]))
    )
    return alt.layer(cells, text).properties(height=372, background="transparent")


def diverging(tone: str) -> alt.Scale:
    """Return the sentiment scale: vermilion, the page's grey, blue."""
    return alt.Scale(
        domain=[-1, -0.15, 0.15, 1],
        range=[theme.NEGATIVE, theme.MIDDLE[tone], theme.MIDDLE[tone], theme.POSITIVE],
        clamp=True,
        interpolate="rgb",
    )


def _hours(frame: pd.DataFrame, *, labels: bool, field: str = "start:T") -> alt.X:
    first, last = frame["start"].min(), frame["start"].max() + pd.Timedelta(hours=1)
    form = "%H:%M" if len(frame) <= 48 else "%a %d" if len(frame) <= 200 else "%d %b"
    axis = alt.Axis(
        labels=labels, ticks=labels, format=form, grid=False, labelOverlap=True, tickCount=8
    )
    scale = alt.Scale(type="utc", domain=[first.isoformat(), last.isoformat()])
    return alt.X(field, title=None, scale=scale, axis=axis)


def _axis(values: list[float] | None, form: str, **more: Any) -> alt.Axis:
    extent: dict[str, Any] = {"minExtent": AXIS_WIDTH, "maxExtent": AXIS_WIDTH}
    if values is not None:
        more["values"] = values
    return alt.Axis(format=form, domain=False, ticks=False, **extent, **more)


def _bar(frame: pd.DataFrame) -> float:
    return {24: 20.0, 168: 3.6}.get(len(frame), 1.2)


def _alert_marks(marks: pd.DataFrame, x: alt.X) -> list[alt.Chart]:
    if marks.empty:
        return []
    base = alt.Chart(marks.assign(top=1.0)).encode(
        x=x,
        color=alt.Color("severity:O", scale=severities(), legend=None),
        tooltip=[
            alt.Tooltip("title:N", title="Alert"),
            alt.Tooltip("started_at:T", title="Since (UTC)", format="%d %b %H:%M"),
        ],
    )
    return [
        base.mark_rule(strokeWidth=1.6, strokeDash=[2, 2]),
        base.mark_point(shape="triangle-down", filled=True, size=90, opacity=1).encode(y="top:Q"),
    ]


def parts_chart(frame: pd.DataFrame, tone: str) -> Layers:
    """Return bars of items by sentiment, one for each name, longest first; `dashboards.subjects.parts`."""
    frame = frame.assign(
        **{UNREAD: frame["items"] - frame[["negative", "neutral", "positive"]].sum(axis=1)}
    )
    long = frame[["name", "items", "score", *COUNTS]].melt(
        ["name", "items", "score"], var_name="sentiment", value_name="count"
    )
    long = long[long["count"] > 0].assign(order=lambda f: f["sentiment"].map(COUNTS.index))
    chart = (
        alt.Chart(long)
        .mark_bar(height=15)
        .encode(
            x=alt.X("count:Q", title=None, axis=alt.Axis(tickMinStep=1, format="~s", tickCount=5)),
            y=alt.Y(
                "name:N",
                title=None,
                sort=frame["name"].tolist(),
                axis=alt.Axis(labelLimit=150, ticks=False, domain=False, labelOverlap=False),
            ),
            color=_sentiments(),
            order=alt.Order("order:Q"),
            tooltip=[
                alt.Tooltip("name:N", title="Name"),
                alt.Tooltip("sentiment:N", title="Sentiment"),
                alt.Tooltip("count:Q", title="Items"),
                alt.Tooltip("items:Q", title="All items"),
                alt.Tooltip("score:Q", title="Mean sentiment", format="+.2f"),
            ],
        )
    )
    height = 25 * max(len(frame), 1) + 76  # the axis and the legend lie within
    return alt.layer(chart).properties(height=height, background="transparent")


def _sentiments() -> alt.Color:
    colours = [theme.NEGATIVE, theme.NEUTRAL, theme.POSITIVE, theme.UNREAD]
    return alt.Color(
        "sentiment:N",
        title=None,
        scale=alt.Scale(domain=list(COUNTS), range=colours),
        legend=alt.Legend(
            orient="bottom", direction="horizontal", symbolType="square", offset=2, columnPadding=8
        ),
    )


def severities() -> alt.Scale:
    """Return the scale of severities, 1 to 5."""
    return alt.Scale(domain=[1, 2, 3, 4, 5], range=list(theme.SEVERITIES))
