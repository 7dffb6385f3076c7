"""What the Backtest page reads: the runs in the folder of the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import desk
from monitor.backtest import RESULT
from monitor.backtest.stored import Stored, load, runs


def found() -> list[Path]:
    """Return the folders of the runs, the newest first."""
    return runs(desk.current().settings.web.backtests)


def run(folder: Path) -> Stored:
    """Read a run, again where it was written again.

    Raises
    ------
    ConfigError
        It cannot be read.
    """
    return _run(folder, (folder / RESULT).stat().st_mtime_ns)


@st.cache_data(ttl=60, show_spinner=False, max_entries=8)
def _run(folder: Path, _written: int) -> Stored:
    return load(folder)


def windows(stored: Stored) -> pd.DataFrame:
    """Return the figures of each replayed feed, and of all together where there are several."""
    columns: dict[str, Any] = dict(stored.result["windows"])
    if len(columns) > 1:
        columns["all"] = stored.result["total"]
    rows = [
        {
            "window": name,
            **{key: figures.get(key) for key in FIGURES},
        }
        for name, figures in columns.items()
    ]
    return pd.DataFrame(rows, columns=["window", *FIGURES])


FIGURES = (
    *("days", "articles", "events", "detected", "delay_median_s", "delay_p90_s", "alerts"),
    *("alerts_per_day_per_100", "notifications", "repeats"),
)


def events(stored: Stored) -> pd.DataFrame:
    """Return what had to be seen, missed ones first, then the latest seen: window, entity, kind, ..."""
    columns = ["window", "entity", "kind", "first_headline_at", "detected", "delay_s", "decisive"]
    rows = [{name: each.get(name) for name in columns} for each in stored.result["events"]]
    table = pd.DataFrame(rows, columns=columns)
    table["first_headline_at"] = pd.to_datetime(table["first_headline_at"], utc=True)
    table["delay_s"] = table["delay_s"].astype("float64")
    table["detected"] = table["detected"].astype(bool)
    return table.sort_values(["detected", "delay_s"], ascending=[True, False], ignore_index=True)


def alerts(stored: Stored) -> pd.DataFrame:
    """Return the alerts, oldest first: id, started_at, severity, kind, title, items, publishers, verdict."""
    names = ["id", "started_at", "severity", "kind", "title", "items", "publishers"]
    rows = [
        {name: each.get(name) for name in names}
        | {"verdict": stored.verdicts.get(each.get("id"), ("", ""))[0].replace("_", " ")}
        for each in stored.result["alerts"]
    ]
    table = pd.DataFrame(rows, columns=[*names, "verdict"])
    table["started_at"] = pd.to_datetime(table["started_at"], utc=True)
    return table.sort_values("started_at", ignore_index=True)
