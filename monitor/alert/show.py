"""Alerts as text for a terminal and as JSON for a program."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from monitor.alert.explain import count, explain
from monitor.domain import Alert
from monitor.store.alerts import AlertEvent

EVIDENCE_SHOWN = 4


def as_text(alerts: Sequence[Alert], names: Mapping[str, str]) -> str:
    """Return alerts with why they fired and their first and newest evidence, oldest alert first."""
    if not alerts:
        return "no alerts"
    count = f"{len(alerts)} alert{'s' if len(alerts) != 1 else ''}"
    shown = sorted(alerts, key=lambda alert: alert.started_at)
    return "\n\n".join([*(_block(alert, names) for alert in shown), count])


def as_json(
    alerts: Sequence[Alert], histories: Mapping[str, Sequence[AlertEvent]] | None = None
) -> str:
    """Return a JSON list; times are ISO 8601 UTC.

    Parameters
    ----------
    histories
        What happened to each alert, by its id; where given, each has its ``history``.
    """
    listed = [dataclasses.asdict(alert) for alert in alerts]
    if histories is not None:
        for fields in listed:
            fields["history"] = [dataclasses.asdict(each) for each in histories[fields["id"]]]
    return json.dumps(
        listed,
        default=_plain,
        ensure_ascii=False,
        indent=1,
    )


def deeds(
    history: Sequence[AlertEvent],
    comments: Mapping[datetime, str],
    sent: Sequence[Mapping[str, object]],
) -> str:
    """Return what happened to an alert and what was sent of it, a line each; comments by their time."""
    lines = ["      history:"]
    for happened in history:
        said = f": {comments[happened.at]}" if comments.get(happened.at) else ""
        lines.append(f"      - {_clock(happened.at)} {happened.change} by {happened.actor}{said}")
    lines.append("      sent:" if sent else "      nothing was sent")
    for note in sent:
        why = f" ({note['reason']})" if note["reason"] else ""
        when = note["created_at"]
        shown = _clock(when) if isinstance(when, datetime) else ""
        lines.append(f"      - {shown} {note['channel']}: {note['state']}{why}")
    return "\n".join(lines)


def _clock(moment: datetime) -> str:
    return f"{moment:%d %b %Y %H:%M}"


def _block(alert: Alert, names: Mapping[str, str]) -> str:
    who = names.get(alert.key, alert.key)
    lines = [
        f"[{alert.severity}/5] {alert.title}  ({alert.kind.value}, {alert.state.value}, {who})",
        f"      {alert.started_at:%a %d %b %Y %H:%M} to {alert.updated_at:%a %d %b %H:%M} UTC, "
        f"{count(alert.items, 'item')} from {count(alert.publishers, 'independent publisher')}",
        *(f"      {line}" for line in explain(alert, who)),
    ]
    proof = alert.evidence
    picked = proof if len(proof) <= EVIDENCE_SHOWN else (*proof[:3], proof[-1])
    for item in picked:
        mark = f" [{item.mark}]" if item.mark else ""
        lines.append(
            f"      - {item.published_at:%d %b %H:%M} {item.publisher}: {item.title}{mark}"
        )
    if len(proof) > len(picked):
        lines.append(f"        and {len(proof) - len(picked)} more")
    return "\n".join(lines)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
