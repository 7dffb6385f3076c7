"""The message about an alert: what, who, how grave, why, and the evidence. Plain text and JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from monitor.alert.explain import explain
from monitor.domain import Alert, AlertKind, Dimension, Evidence
from monitor.notify.plaintext import one_line

EVIDENCE_SHOWN = 10
#: What a payload says of the desk and of the group, which `monitor.notify.path` adds: not of one alert.
OF_THE_GROUP = ("dashboard_url", "route", "group_labels")
SEVERITIES = {1: "notable", 2: "moderate", 3: "serious", 4: "severe", 5: "existential"}


def render(
    alert: Alert, reason: str, base_url: str | None = None, company: str | None = None
) -> tuple[str, str, dict[str, object]]:
    """Return subject, body and payload of a notification.

    Parameters
    ----------
    alert
        What to tell.
    reason
        Why it is told now, for people ("new alert", "severity rose from 3 to 5").
    base_url
        Where the dashboard is served; adds a link to the alert.
    company
        The name to show; the alert's key when not given.

    Returns
    -------
    tuple
        Subject: one line. Body: plain text; no character of a title can act on a terminal or in a
        mail header. Payload: what JSON can hold; times are ISO 8601 UTC; ``schema_version`` is 1.
    """
    who = one_line(company or alert.key or "market", 80)
    event = one_line(alert.event.replace("_", " "), 60)
    grade = f"{alert.severity}/5 {SEVERITIES.get(alert.severity, '')}".strip()
    subject = one_line(f"[{grade}] {who}: {event} - {alert.title}", 150)
    link = _link(base_url, alert.id)
    evidence = [_evidence(item) for item in alert.evidence[:EVIDENCE_SHOWN]]
    lines = [
        one_line(alert.title),
        "",
        f"{_about(alert)}: {who}",
        f"Event: {event}",
        f"Severity: {grade}",
        f"State: {alert.state.value} ({one_line(reason)})",
        f"Why: {one_line(' '.join(explain(alert, who)))}",
        f"First seen: {_time(alert.started_at)}; newest: {_time(alert.updated_at)}",
        f"Evidence: {alert.items} {_plural(alert.items, 'item')} from {alert.publishers} "
        f"{_plural(alert.publishers, 'publisher')}",
        *(_line(item, shown) for item, shown in zip(alert.evidence, evidence, strict=False)),
    ]
    if len(alert.evidence) > EVIDENCE_SHOWN:
        lines.append(f"  ... and {len(alert.evidence) - EVIDENCE_SHOWN} more")
    if link:
        lines += ["", link]
    payload = _payload(alert, reason, subject, who, link, evidence)
    return subject, "\n".join(lines), {**payload, "dashboard_url": base_url}


def render_group(
    messages: Sequence[tuple[str, str, Mapping[str, object]]], is_digest: bool = False
) -> tuple[str, str, dict[str, object]]:
    """Return subject, body and payload of one message that holds several, as `render` made them.

    The payload has the alerts under ``alerts``, each as `render` gives one under ``alert``, with its reason
    and link. What is of the whole group is that of the first.
    """
    shared = {name: messages[0][2].get(name) for name in OF_THE_GROUP}
    count = f"{len(messages)} {_plural(len(messages), 'alert')}"
    heads = "; ".join(subject for subject, _, _ in messages)
    subject = one_line(f"{'Digest, ' if is_digest else ''}{count}: {heads}", 150)
    listed = [f"{number}. {head}" for number, (head, _, _) in enumerate(messages, 1)]
    bodies = [body for _, body, _ in messages]
    body = "\n".join([count, *listed, "", ("\n" + "-" * 40 + "\n").join(bodies)])
    return (
        subject,
        body,
        {
            "schema_version": 1,
            "subject": subject,
            "reason": "digest" if is_digest else "group",
            "link": None,
            **shared,
            "alerts": [
                {
                    **_alert_of(payload),
                    **{name: payload.get(name) for name in ("reason", "link")},
                }
                for _, _, payload in messages
            ],
        },
    )


def most_severe(payload: Mapping[str, object]) -> int:
    """Return the severity of a payload's alert, or of the gravest of several; 0 where it has none."""
    several = payload.get("alerts")
    found = several if isinstance(several, Sequence) else [payload.get("alert")]
    graded = [each.get("severity") for each in found if isinstance(each, Mapping)]
    return max((each for each in graded if isinstance(each, int)), default=0)


def _about(alert: Alert) -> str:
    """What the name of an alert is the name of."""
    if alert.kind is AlertKind.ABSENCE:
        return "Silent"
    return "Company" if alert.dimension is Dimension.COMPANY else alert.dimension.value.capitalize()


def _alert_of(payload: Mapping[str, object]) -> dict[str, object]:
    alert = payload.get("alert")
    return dict(alert) if isinstance(alert, Mapping) else {}


def _payload(
    alert: Alert,
    reason: str,
    subject: str,
    who: str,
    link: str | None,
    evidence: list[dict[str, object]],
) -> dict[str, object]:
    return {
        "schema_version": 1,
        "subject": subject,
        "reason": one_line(reason),
        "link": link,
        "alert": {
            "id": alert.id,
            "fingerprint": alert.fingerprint,
            "kind": alert.kind.value,
            "state": alert.state.value,
            "dimension": alert.dimension.value,
            "key": alert.key,
            "company": who,
            "event": alert.event,
            "severity": alert.severity,
            "title": one_line(alert.title),
            "started_at": _iso(alert.started_at),
            "updated_at": _iso(alert.updated_at),
            "resolved_at": None if alert.resolved_at is None else _iso(alert.resolved_at),
            "decided_at": _iso(alert.decided_at),
            "items": alert.items,
            "publishers": alert.publishers,
            "details": _jsonable(alert.details),
            "evidence": evidence,
        },
    }


def _line(item: Evidence, shown: dict[str, object]) -> str:
    mark = f" [{one_line(item.mark, 20)}]" if item.mark else ""
    text = f"  - {_time(item.published_at)} {shown['publisher']}: {shown['title']}{mark}"
    if item.quote and item.quote != item.title:
        text += f'\n    "{shown["quote"]}"'
    return f"{text}\n    {shown['url']}" if shown["url"] else text


def _evidence(item: Evidence) -> dict[str, object]:
    return {
        "article_id": item.article_id,
        "revision": item.revision,
        "published_at": _iso(item.published_at),
        "publisher": one_line(item.publisher, 80),
        "title": one_line(item.title),
        "quote": one_line(item.quote),
        "url": _safe_url(item.url),
        "score": _jsonable(item.score),
        "mark": one_line(item.mark, 20),
    }


def _safe_url(url: str | None) -> str | None:
    """An http(s) address without blanks or control characters, or nothing."""
    if not url or len(url) > 2000 or one_line(url, 2000) != url or " " in url:
        return None
    try:
        return url if urlsplit(url).scheme in ("http", "https") and urlsplit(url).netloc else None
    except ValueError:
        return None


def _link(base_url: str | None, alert_id: str) -> str | None:
    return f"{base_url.rstrip('/')}/alerts?alert={quote(alert_id, safe='')}" if base_url else None


def _jsonable(value: object) -> object:
    """The value as JSON can hold it: times as ISO 8601, what is not a number as null."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, Mapping):
        return {one_line(str(key)): _jsonable(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_jsonable(each) for each in value]
    return one_line(str(value), 2000)


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else noun + "s"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
