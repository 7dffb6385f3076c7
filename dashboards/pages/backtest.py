"""Backtest: how good the alerts are on recorded news, as `foreshock backtest` and `review` found."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import streamlit as st

from dashboards import backtests, desk
from dashboards.backtest_charts import day_chart, delay_chart
from dashboards.backtest_grids import backtest_alerts_grid, events_grid, windows_grid
from dashboards.pages import frame
from dashboards.pages.picking import picked
from monitor.alert import explain
from monitor.backtest import REPORT
from monitor.backtest.stored import Stored
from monitor.errors import ConfigError


def page() -> None:
    """Draw the run of ``?run=FOLDER``, else the newest."""
    frame.alone(_draw)


def _draw() -> None:
    folders = {each.name or str(each): each for each in backtests.found()}
    if not folders:
        _none()
        return
    with st.container(key="panel-subject"):
        title, picker = st.columns([2.4, 1], gap="small", vertical_alignment="center")
        with picker:
            name = picked("run", "Run", list(folders), str)
        with title, st.container(key="alert-title"):
            st.text("No such run" if name is None else f"Backtest: {name}")
    if name is None:
        return
    try:
        stored = backtests.run(folders[name])
    except (ConfigError, OSError) as error:
        frame.note(str(error))
        return
    _run(stored)


def _none() -> None:
    with st.container(key="panel-guidance"):
        st.subheader("No backtest yet", anchor=False)
        folder = Path(desk.current().settings.web.backtests)
        st.text(
            f"This page shows what lies in the folder {folder} ([web] backtests). To replay recorded news "
            "and score the alerts against events that had to be seen:"
        )
        st.code(
            "foreshock backtest --feed NEWS.csv.gz --watchlist watchlist.csv --events events.csv\n"
            "foreshock review backtest    # judge a sample of the alerts",
            language=None,
        )


def _run(stored: Stored) -> None:
    total, precision = stored.result["total"], stored.precision
    one, two, three, four = st.columns(4, gap="small")
    settings: dict[str, object] = {"delta_color": "off", "delta_arrow": "off", "border": True}
    events = int(total["events"])
    one.metric(
        "Events seen",
        f"{total['detected']} of {events}" if events else "no data",
        delta=f"{total['detected'] / events:.0%}" if events else "no events were given",
        **settings,  # type: ignore[arg-type]
    )
    two.metric(
        "Median delay after the first headline",
        _delay(total["delay_median_s"]),
        delta=f"90% within {_delay(total['delay_p90_s'])}",
        **settings,  # type: ignore[arg-type]
    )
    three.metric(
        "Alerts a day per 100 companies",
        f"{total['alerts_per_day_per_100']:.2f}",
        delta=f"{total['alerts']:,} alerts of {total['articles']:,} items in {total['days']:.0f} d",
        **settings,  # type: ignore[arg-type]
    )
    judged = "not judged: foreshock review"
    if precision.low is not None and precision.high is not None:
        judged = f"{precision.low:.0%} to {precision.high:.0%}, {precision.judged} judged"
    four.metric(
        "Precision",
        "no data" if precision.precision is None else f"{precision.precision:.0%}",
        delta=judged,
        **settings,  # type: ignore[arg-type]
    )
    rows, alerts = backtests.events(stored), backtests.alerts(stored)
    left, right = st.columns([1.3, 1], gap="small")
    with left, st.container(key="panel-events", height=430, border=False):
        st.subheader("What had to be seen", anchor=False)
        if rows.empty:
            frame.note("No events were given (--events), so nothing can be missed or seen.")
        else:
            events_grid(rows, key="backtest-events")
    with right, st.container(key="panel-delays", height=430, border=False):
        st.subheader("Delay after the first headline", anchor=False)
        if rows["detected"].any():
            st.altair_chart(delay_chart(rows, frame.tone()), key="delay-chart")
            with st.container(key="delay-meta"):
                st.text("Share of all events that were seen within so long; a log scale")
        else:
            frame.note("No event was seen.")
    with st.container(key="panel-days"):
        st.subheader("Alerts by day and severity", anchor=False)
        if alerts.empty:
            frame.note("No alert.")
        else:
            st.altair_chart(day_chart(alerts, frame.tone()), key="day-chart")
    with st.container(key="panel-windows"):
        st.subheader("By feed", anchor=False)
        windows_grid(backtests.windows(stored), key="backtest-windows")
    with st.container(key="panel-alerts"):
        st.subheader(f"Alerts · {len(alerts)}", anchor=False)
        if not alerts.empty:
            backtest_alerts_grid(alerts, tone=frame.tone(), key="backtest-alerts")
        with st.container(key="backtest-meta"):
            when = f"{stored.written_at:%d %b %Y %H:%M} UTC"
            st.text(f"Written {when} · each alert with its evidence: {stored.folder / REPORT}")


def _delay(seconds: float | None) -> str:
    return "no data" if seconds is None else explain.span(timedelta(seconds=seconds))
