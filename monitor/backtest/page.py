"""The report of a backtest as one HTML file: figures, a timeline for each event, and every alert to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from html import escape

from monitor.alert.explain import explain, span
from monitor.backtest.score import Detection, Score, Window, detections, side_by_side
from monitor.backtest.told import Told
from monitor.domain import Alert

_AROUND = timedelta(hours=36)
_WIDTH, _HEIGHT = 760, 56
_STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#1b1f24}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #d9dde2;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.miss{color:#b3261e;font-weight:600}.ok{color:#12703c}small,.dim{color:#5b6470}
details{border:1px solid #d9dde2;border-radius:6px;margin:.4rem 0;padding:.4rem .7rem}
summary{cursor:pointer}svg{display:block;margin:.3rem 0}ul{margin:.3rem 0;padding-left:1.2rem}
"""
_ROWS = (
    ("days", "days", "{:.1f}"),
    ("articles", "articles", "{:,}"),
    ("events", "events", "{}"),
    ("detected", "detected", "{}"),
    ("delay_median_s", "median delay", "time"),
    ("delay_p90_s", "90% within", "time"),
    ("alerts", "alerts", "{:,}"),
    ("alerts_per_day_per_100", "alerts a day per 100 companies", "{:.2f}"),
    ("notifications", "notifications", "{:,}"),
    ("repeats", "repeats", "{}"),
    ("per_company_family_day_median", "told per company and family in 24 h, median", "{:.0f}"),
    ("per_company_family_day_max", "the same, most", "{}"),
)


def page(
    windows: Sequence[Window],
    scores: Mapping[str, Score],
    total: Score,
    names: Mapping[str, str],
    verdicts: Mapping[str, tuple[str, str]],
) -> str:
    """Return the report; it loads nothing from elsewhere, and no headline can act in it.

    Parameters
    ----------
    scores
        By window name.
    names
        Company names by id.
    verdicts
        (verdict, note) by alert id, of those that were read.
    """
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Foreshock backtest</title>",
        f"<style>{_STYLE}</style><h1>Backtest</h1>",
        _figures(scores, total),
    ]
    for window in windows:
        parts.append(f"<h2>{escape(window.name)}: events</h2>")
        parts += [_event(each, window, names) for each in detections(window)]
        parts.append(f"<h2>{escape(window.name)}: alerts</h2>")
        parts += [_alert(each, window.told, names, verdicts) for each in _alerts(window.told)]
    return "\n".join(parts)


def _figures(scores: Mapping[str, Score], total: Score) -> str:
    columns = side_by_side(scores, total)
    head = "".join(f"<th class=n>{escape(name)}" for name in columns)
    rows = [f"<table><tr><th>{head}"]
    for field, said, form in _ROWS:
        cells = "".join(
            f"<td class=n>{_cell(getattr(score, field), form)}" for score in columns.values()
        )
        rows.append(f"<tr><td>{said}{cells}")
    return "\n".join([*rows, "</table>"])


def _cell(value: float | None, form: str) -> str:
    if value is None:
        return "no data"
    return span(timedelta(seconds=value)) if form == "time" else form.format(value)


def _event(found: Detection, window: Window, names: Mapping[str, str]) -> str:
    event = found.event
    title = f"{names.get(event.company_id, event.entity)}: {event.kind}"
    if found.told is None or found.delay_s is None:
        verdict = "<span class=miss>missed</span>"
    else:
        late = timedelta(seconds=found.delay_s)
        verdict = f"<span class=ok>seen</span>, {escape(span(late))} after the first headline"
    near = [
        told
        for told in window.told
        if told.alert.key == event.company_id and abs(told.at - event.first_headline_at) <= _AROUND
    ]
    lines = "".join(f"<li>{_told(told)}" for told in near) or "<li class=dim>nothing was told"
    return (
        f"<details{'' if found.told else ' open'}><summary><b>{escape(title)}</b> {verdict}<br>"
        f"<small>{_time(event.first_headline_at)} {escape(event.first_headline)}</small></summary>"
        f"{_timeline(event.first_headline_at, near, found)}<ul>{lines}</ul></details>"
    )


def _timeline(first: datetime, near: Sequence[Told], found: Detection) -> str:
    """Draw what was told of the company within a day and a half of the first headline."""

    def x(moment: datetime) -> float:
        return round(10 + (moment - first + _AROUND) / (2 * _AROUND) * (_WIDTH - 20), 1)

    middle = _HEIGHT - 24
    marks = [
        f'<circle cx="{x(told.at)}" cy="{middle}" r="{3 + told.alert.severity}" '
        f'fill="{"#12703c" if told is found.told else "#8a94a3"}" fill-opacity=".75">'
        f"<title>{_time(told.at)} {escape(told.alert.title)} ({told.reason})</title></circle>"
        for told in near
    ]
    ticks = [
        f'<text x="{x(first + timedelta(hours=hours))}" y="{_HEIGHT - 4}" font-size="10" '
        f'text-anchor="middle" fill="#5b6470">{hours:+d} h</text>'
        for hours in range(-36, 37, 12)
    ]
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="100%" role="img" aria-label="timeline">'
        f'<line x1="10" x2="{_WIDTH - 10}" y1="{middle}" y2="{middle}" stroke="#d9dde2"/>'
        f'<line x1="{x(first)}" x2="{x(first)}" y1="4" y2="{middle + 10}" stroke="#b3261e" '
        f'stroke-dasharray="3 2"/>{"".join(marks)}{"".join(ticks)}</svg>'
    )


def _alert(
    alert: Alert,
    told: Sequence[Told],
    names: Mapping[str, str],
    verdicts: Mapping[str, tuple[str, str]],
) -> str:
    who = names.get(alert.key, alert.key)
    verdict, note = verdicts.get(alert.id, ("", ""))
    judged = f" <b>[{escape(verdict)}]</b> {escape(note)}" if verdict else ""
    why = " ".join(explain(alert, who))
    news = "".join(f"<li>{_told(each)}" for each in told if each.alert.id == alert.id)
    proof = "".join(
        f"<li>{_time(item.published_at)} {escape(item.publisher)}: {escape(item.title)}"
        f"{f' <i>[{escape(item.mark)}]</i>' if item.mark else ''}"
        for item in alert.evidence
    )
    return (
        f"<details><summary>{_time(alert.started_at)} <b>{escape(alert.title)}</b> "
        f"({alert.severity}/5, {alert.kind.value}, {alert.items} items){judged} "
        f"<small>{alert.id[:8]}</small></summary><p>{escape(why)}</p>"
        f"<ul>{news}</ul><p class=dim>Evidence</p><ul>{proof}</ul></details>"
    )


def _told(told: Told) -> str:
    because = "" if told.decisive is None else f": {told.decisive.title}"
    return f"{_time(told.at)} {escape(told.alert.title)} <i>{told.reason}</i>{escape(because)}"


def _alerts(told: Sequence[Told]) -> list[Alert]:
    return list({each.alert.id: each.alert for each in told}.values())


def _time(moment: datetime) -> str:
    return f"<span class=dim>{moment:%Y-%m-%d %H:%M}</span>"
