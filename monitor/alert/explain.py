"""Why an alert was raised, in plain words: the same on the page, in a message and on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from monitor.alert.states import rules_of
from monitor.domain import MODEL, Alert, AlertKind

# What `explain` has said in words; everything else in an alert's details is shown as it is.
SAID = (
    "rule",
    "rules",
    "exposed_to",
    "exposed_name",
    "relation",
    "of",
    "silent_since",
    "limit_minutes",
    "learned",
    "parts",
    "within_hours",
    "window_minutes",
    "observed",
    "expected",
    "z",
    "items",
    "usual_share",
    "score",
    "baseline_days",
    "quote",
    "words",
    "confidence",
    "stage",
    "denied",
    "corrected",
    "withdrawn",
    "events",
    "over",
    "model",
)


def explain(alert: Alert, name: str) -> list[str]:
    """Return why an alert was raised, sentence by sentence; ``name`` is what it is about."""
    said = _EXPLAIN[alert.kind](alert, name)
    rules = [f"“{rule}”" for rule in rules_of(alert)]
    if rules:
        said.append(f"Alert rule{'s' if len(rules) > 1 else ''}: {', '.join(rules)}.")
    return said


def span(duration: timedelta) -> str:
    """Return a duration as people say it.

    Examples
    --------
    >>> span(timedelta(minutes=130))
    '2 h 10 min'
    >>> span(timedelta(days=9, hours=3))
    '9 d 3 h'
    """
    minutes = max(0, round(duration.total_seconds() / 60))
    if minutes < 1:
        return "moments"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours and days < 10 else f"{days} d"


def score(value: object) -> str:
    """Return a score with its sign; ``None`` and NaN are "no data", never zero.

    Examples
    --------
    >>> score(-0.42), score(0.0), score(None)
    ('−0.42', '0.00', 'no data')
    """
    if not isinstance(value, float) or value != value:
        return "no data"
    text = f"{abs(value):.2f}"
    if text == "0.00":
        return text
    return ("−" if value < 0 else "+") + text


def count(number: int, noun: str) -> str:
    """Return a count with its noun.

    Examples
    --------
    >>> count(1, "item"), count(2412, "item")
    ('1 item', '2,412 items')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _explain_surge(alert: Alert, name: str) -> list[str]:
    details = alert.details
    observed, expected, z = (
        _number(details, "observed"),
        _number(details, "expected"),
        _number(details, "z"),
    )
    minutes = _number(details, "window_minutes")
    said = []
    mood = "" if details.get("rule") == "surge of volume" else "negative "
    if observed is not None and minutes is not None:
        within = span(timedelta(minutes=minutes))
        said.append(
            f"{observed:.0f} {mood}items on {name} within {within}; copies of a text count once."
        )
    if expected is not None:
        times = (
            f", {observed / expected:.1f} times that"
            if observed is not None and expected >= 0.05
            else ""
        )
        said.append(f"Usual at these hours of the week: {expected:.2f}{times}.")
    if z is not None:
        days = _number(details, "baseline_days")
        learned = f", learned from {days:.0f} days of its own news" if days is not None else ""
        said.append(f"That is {z:.1f} standard deviations above its baseline{learned}.")
    items, share = _number(details, "items"), _number(details, "usual_share")
    if mood and observed is not None and items and share is not None:
        said.append(
            f"Negative are {observed / items:.0%} of all items on it; usual is {share:.0%}."
        )
    value = _number(details, "score")
    if value is not None:
        said.append(f"Mean sentiment of those items: {score(value)} on a scale from −1 to +1.")
    said.append(f"Reported by {count(alert.publishers, 'publisher')}.")
    return said


def _explain_story(alert: Alert, name: str) -> list[str]:
    details = alert.details
    rule, quote, words = details.get("rule"), details.get("quote"), details.get("words")
    said = []
    if rule == MODEL and quote:
        sure = _number(details, "confidence") or 0.0
        event = alert.event.replace("_", " ")
        said.append(
            f"The model reads “{event}” in “{quote}”, which names {name}, with {sure:.0%} confidence; "
            "no rule matched."
        )
    elif rule and words and words != quote:
        said.append(
            f"The risk rule “{rule}” matched the words “{words}” in “{quote}”, news naming {name}."
        )
    elif rule and quote:
        said.append(f"The risk rule “{rule}” matched the words “{quote}” in news naming {name}.")
    if other := details.get("exposed_name"):
        said.append(f"It is told of {name} because {other} is its {details.get('relation')}.")
    value = _number(details, "score")
    if value is None:
        said.append(
            "The model did not read this item (its language is not one it knows); the rule decided."
        )
    else:
        tone = "negative" if value < -0.25 else "positive" if value > 0.25 else "close to neutral"
        said.append(f"The model reads the newest such item as {tone} ({score(value)}).")
    if details.get("stage") == "rumour":
        said.append("So far it is a rumour: no publisher reports it as a fact.")
    elif details.get("stage") in ("confirmed", "corrected"):
        said.append("At least one publisher reports it as a fact.")
    if details.get("corrected"):
        said.append("A report of it has been corrected; the correction is among the evidence.")
    if details.get("withdrawn"):
        said.append("A report of it has been withdrawn; the withdrawal is among the evidence.")
    if details.get("denied"):
        said.append("It has been denied; the denial is among the evidence.")
    if details.get("over"):
        said.append("It is reported to be over; that report is among the evidence.")
    events = details.get("events")
    if isinstance(events, list | tuple) and len(events) > 1:
        listed = ", ".join(str(event).replace("_", " ") for event in events)
        said.append(f"Reported so far: {listed}.")
    voices = count(alert.publishers, "independent publisher")
    said.append(
        f"{count(alert.items, 'item')} from {voices}; a copied text is its first publisher's."
    )
    return said


def _explain_absence(alert: Alert, name: str) -> list[str]:
    details = alert.details
    limit = _number(details, "limit_minutes") or 0.0
    since = str(details.get("silent_since", ""))
    who = (
        "Nothing new came at all" if details.get("of") == "pipeline" else f"{name} sent nothing new"
    )
    said = [f"{who} since {datetime.fromisoformat(since):%d %b %H:%M} UTC."]
    learned = "by what is usual" if details.get("learned") else "as the rule states"
    said.append(f"That is too long after {span(timedelta(minutes=limit))}, {learned}.")
    said.append("Until it is over, no news from there says nothing about the companies.")
    if alert.resolved_at is not None:
        said.append(f"It was over at {alert.resolved_at:%d %b %H:%M} UTC.")
    return said


def _explain_compound(alert: Alert, name: str) -> list[str]:
    parts = alert.details.get("parts")
    hours = _number(alert.details, "within_hours") or 0.0
    said = [f"Rules that fired on {name} within {span(timedelta(hours=hours))}:"]
    for rule, part in parts.items() if isinstance(parts, Mapping) else ():
        at = datetime.fromisoformat(part["at"])
        said.append(f"“{rule}” at {at:%d %b %H:%M} UTC (alert {part['alert_id'][:8]}).")
    return said


_EXPLAIN: Mapping[AlertKind, Callable[[Alert, str], list[str]]] = {
    AlertKind.STORY: _explain_story,
    AlertKind.SURGE: _explain_surge,
    AlertKind.ABSENCE: _explain_absence,
    AlertKind.COMPOUND: _explain_compound,
}


def _number(details: Mapping[str, object], key: str) -> float | None:
    value = details.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
