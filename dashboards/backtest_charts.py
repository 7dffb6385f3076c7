"""Charts of a backtest. As `dashboards.charts`."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboards import theme
from dashboards.charts import Layers, severities


def delay_chart(events: pd.DataFrame, tone: str) -> Layers:
    """Return the share of events seen within a delay; `dashboards.backtests.events`."""
    seen = events.loc[events["detected"], ["delay_s", "entity", "kind"]].sort_values("delay_s")
    minutes = (seen["delay_s"] / 60).clip(lower=1.0)
    seen = seen.assign(minutes=minutes, share=[(at + 1) / len(events) for at in range(len(seen))])
    ticks = [1, 10, 60, 360, 1440, 10080]
    x = alt.X(
        "minutes:Q",
        title=None,
        scale=alt.Scale(type="log", domain=[1, max(1440.0, float(minutes.max()))]),
        axis=alt.Axis(
            values=ticks,
            grid=True,
            gridOpacity=0.35,
            labelExpr="datum.value < 60 ? datum.value + ' min' : datum.value < 1440 ? "
            "datum.value / 60 + ' h' : datum.value / 1440 + ' d'",
        ),
    )
    y = alt.Y("share:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))
    tips = [
        alt.Tooltip("entity:N", title="Company"),
        alt.Tooltip("kind:N", title="Event"),
        alt.Tooltip("minutes:Q", title="Minutes", format=".0f"),
        alt.Tooltip("share:Q", title="Seen by then", format=".0%"),
    ]
    base = alt.Chart(seen).encode(x=x, y=y)
    line = base.mark_line(color=theme.INK[tone], strokeWidth=2, interpolate="step-after")
    points = base.mark_point(filled=True, size=50, color=theme.POSITIVE, opacity=1).encode(
        tooltip=tips
    )
    return alt.layer(line, points).properties(height=300, background="transparent")


def day_chart(alerts: pd.DataFrame, tone: str) -> Layers:
    """Return alerts by day, stacked by severity; `dashboards.backtests.alerts`."""
    days = alerts.assign(day=alerts["started_at"].dt.floor("D"))
    counts = days.groupby(["day", "severity"]).size().rename("alerts").reset_index()
    span = max(1, (counts["day"].max() - counts["day"].min()).days + 1)
    bars = (
        alt.Chart(counts)
        .mark_bar(width=max(1.2, min(18.0, 900 / span)))
        .encode(
            x=alt.X(
                "day:T",
                title=None,
                scale=alt.Scale(type="utc"),
                axis=alt.Axis(format="%d %b %Y", grid=False),
            ),
            y=alt.Y(
                "alerts:Q", title=None, axis=alt.Axis(tickMinStep=1, tickCount=4, domain=False)
            ),
            color=alt.Color(
                "severity:O",
                title=None,
                scale=severities(),
                legend=alt.Legend(orient="bottom", direction="horizontal", symbolType="square"),
            ),
            tooltip=[
                alt.Tooltip("day:T", title="Day", format="%d %b %Y"),
                alt.Tooltip("severity:O", title="Severity"),
                alt.Tooltip("alerts:Q", title="Alerts"),
            ],
        )
    )
    return alt.layer(bars).properties(height=170, background="transparent")
