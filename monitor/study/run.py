"""A study of a store against prices, and how it is told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from monitor.domain import Alert, AlertState, Dimension, to_micros
from monitor.store import Store, alerts
from monitor.study.days import closes_us, daily_index, day_of
from monitor.study.events import event_study
from monitor.study.leads import lead_lag
from monitor.study.prices import Prices

MOST_ALERTS = 100_000
NOTE = (
    "A study of the past and no advice: a correlation is no promise, costs are not in it, and who tries many "
    "settings will find one that looks well. The joint bounds hold for all lags at once with 95% confidence; "
    "trying several studies is not in them."
)


@dataclass(frozen=True, slots=True)
class Study:
    """What a study found; see `lead_lag` and `event_study` for the columns."""

    days: int
    companies: int
    unknown: tuple[str, ...]
    leads: pd.DataFrame
    events: pd.DataFrame

    @property
    def verdict(self) -> str:
        """What the lags say, in one sentence."""
        found = self.leads[self.leads["beyond_chance"]]
        if self.leads["correlation"].isna().all():
            return "Too few days with both an index and a price to say anything."
        if found.empty:
            return "No lag stands out beyond chance."
        best = found.iloc[int(np.argmax(np.abs(found["correlation"].to_numpy(dtype=float))))]
        lag = int(best["lag"])
        when = f"{abs(lag)} trading days {'before' if lag > 0 else 'after'} the return"
        when = "on the day of the return" if lag == 0 else when
        return f"Beyond chance: the index changed {when} (correlation {best['correlation']:+.2f})."


def study(store: Store, prices: Prices, close: time, zone: ZoneInfo, lags: int, seed: int) -> Study:
    """Compare the daily index and the alerts of a store with prices."""
    returns = prices.returns
    companies = [str(name) for name in returns.columns]
    with store.read() as connection:
        days = pd.DatetimeIndex(returns.index)
        index = daily_index(connection, days, companies, close, zone)
    fired = alerts.latest(
        store, MOST_ALERTS, tuple(s for s in AlertState if s is not AlertState.PENDING)
    )
    told = [each for each in fired if _company(each) is not None]
    moments = np.array([to_micros(each.decided_at) for each in told], dtype=np.int64)
    rows = day_of(moments, closes_us(days, close, zone))
    events = [(int(row), str(_company(each))) for row, each in zip(rows, told, strict=True)]
    return Study(
        days=len(days),
        companies=len(companies),
        unknown=prices.unknown,
        leads=lead_lag(index, returns, lags, seed),
        events=event_study(returns, events, seed),
    )


def as_json(found: Study) -> dict[str, Any]:
    """Return a study for a program; what is not known is null."""
    return {
        "note": NOTE,
        "verdict": found.verdict,
        "days": found.days,
        "companies": found.companies,
        "unknown": list(found.unknown),
        "leads": _records(found.leads),
        "events": _records(found.events),
    }


def as_text(found: Study) -> str:
    """Return a study for a terminal."""
    lines = [f"{found.days} trading days, {found.companies} companies. {found.verdict}"]
    if found.unknown:
        shown = ", ".join(found.unknown[:8])
        lines.append(f"not on the watchlist, left out ({len(found.unknown)}): {shown}")
    lines += ["", "index change against return, by lag (above 0: the index went first)"]
    lines.append(f"{'lag':>5} {'pairs':>7} {'corr':>7} {'95%':>17} {'all lags at once':>17}")
    for row in found.leads.to_dict("records"):
        alone, joint = (_bounds(row, a, b, "+.2f") for a, b in (_ALONE, _JOINT))
        mark = " *" if row["beyond_chance"] else ""
        corr = _number(row["correlation"], "+.2f")
        lines.append(f"{row['lag']:>+5} {row['pairs']:>7} {corr:>7} {alone:>17} {joint:>17}{mark}")
    lines += ["", "return around alerts, against the mean of the others (day 0: first close after)"]
    lines.append(f"{'day':>7} {'alerts':>7} {'mean':>8} {'95%':>19}")
    for row in found.events.to_dict("records"):
        mean, bounds = _number(row["mean"], "+.2%"), _bounds(row, *_ALONE, "+.2%")
        lines.append(f"{row['day']:>7} {row['events']:>7} {mean:>8} {bounds:>19}")
    return "\n".join([*lines, "", NOTE])


def as_html(found: Study) -> str:
    """Return a study as one page; it loads nothing from elsewhere."""
    chart = _bars(found.leads)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Foreshock study</title><style>"
        "body{font:14px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem}"
        "svg text{font-size:11px;fill:#5b6470}</style><h1>Lead and lag</h1>"
        f"<p><b>{escape(found.verdict)}</b><p>{escape(NOTE)}{chart}<pre>{escape(as_text(found))}</pre>"
    )


_ALONE, _JOINT = ("low", "high"), ("joint_low", "joint_high")
_WIDTH, _HEIGHT = 760, 240


def _bars(leads: pd.DataFrame) -> str:
    """Draw the correlations with their joint bounds."""
    known = leads.dropna(subset=["joint_low"])
    if known.empty:
        return "<p>no data"
    reach = max(0.1, float(np.abs(known[["joint_low", "joint_high"]].to_numpy(dtype=float)).max()))
    step = _WIDTH / len(leads)

    def y(value: float) -> float:
        return round(_HEIGHT / 2 - value / reach * (_HEIGHT / 2 - 20), 1)

    marks = [f'<line x1="0" x2="{_WIDTH}" y1="{y(0)}" y2="{y(0)}" stroke="#8a94a3"/>']
    for place, row in enumerate(leads.to_dict("records")):
        x = round((place + 0.5) * step, 1)
        marks.append(f'<text x="{x}" y="{_HEIGHT - 2}" text-anchor="middle">{row["lag"]:+d}</text>')
        if math.isnan(row["joint_low"]):
            continue
        colour = "#b3261e" if row["beyond_chance"] else "#5b6470"
        low, high = y(row["joint_low"]), y(row["joint_high"])
        marks.append(f'<line x1="{x}" x2="{x}" y1="{low}" y2="{high}" stroke="{colour}"/>')
        marks.append(f'<circle cx="{x}" cy="{y(row["correlation"])}" r="4" fill="{colour}"/>')
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="100%" role="img" '
        f'aria-label="correlation by lag, with bounds">{"".join(marks)}</svg>'
    )


def _company(alert: Alert) -> str | None:
    if alert.dimension in (Dimension.COMPANY, Dimension.COMPANY_TOPIC):
        return alert.key.partition("|")[0]
    return None


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            str(name): None if isinstance(value, float) and math.isnan(value) else value
            for name, value in row.items()
        }
        for row in table.to_dict("records")
    ]


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)


def _bounds(row: Mapping[Any, Any], low: str, high: str, form: str) -> str:
    if math.isnan(row[low]):
        return "-"
    return f"{row[low]:{form}} .. {row[high]:{form}}"
