"""How an alert lives: pending, firing, acknowledged, resolved.

One fingerprint is one event. All decisions are made in event time, from the findings alone, so that they do
not depend on how findings were batched: an alert that had been quiet for long enough when the next finding
came was resolved by then, whether or not anybody looked in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.domain import (
    MAX_EVIDENCE,
    OPEN_STATES,
    Alert,
    AlertKind,
    AlertState,
    Dimension,
    Evidence,
    digest,
)
from monitor.stories.copies import independent
from monitor.stories.titles import origin_of

MAX_ANSWERS = 20  # of the evidence
PUBLISHERS_OF_RUMOUR = (
    2  # so many independent publishers, or named sources, make a rumour worth telling
)
PUBLISHERS_AGAINST_STALE = 3
FACTS = ("", "amended")  # marks of evidence that reports a fact; "amended" by a corrected report
ANSWERING = ("denied", "revoked", "stale", "resolved")  # marks of evidence that is no fresh report
WAKING = ("escalated", "confirmed", "developed", "withdrawn", "denied")
# What an answer says of the alert, told once: its place among the details, and the change.
ANSWERED = {
    "denied": ("denied", "denied"),
    "revoked": ("withdrawn", "withdrawn"),
    "resolved": ("over", "over"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason to believe that something is wrong, or an answer to one.

    ``fires`` is false for what is known of an event without being a reason to tell people: a rumour from
    one publisher, a denial, a withdrawal, an old story told as new.
    """

    fingerprint: str
    kind: AlertKind
    dimension: Dimension
    key: str
    event: str
    severity: int
    title: str
    at: datetime  # event time
    decided_at: datetime
    fires: bool
    mark: str
    details: Mapping[str, object]
    evidence: tuple[Evidence, ...]
    events: frozenset[str] = frozenset()  # story: all of the episode that the item tells
    items: int | None = None  # surge: items in the window; a story counts its evidence
    publishers: int | None = None
    rules: tuple[str, ...] = ()  # names of the alert rules that made it
    least_publishers: int = 1  # independent ones who must report it before it fires


@dataclass(frozen=True, slots=True)
class Life:
    """How long an alert of a family lives without news, and how soon the same may fire again."""

    quiet: timedelta
    cooldown: timedelta


@dataclass(frozen=True, slots=True)
class Step:
    """What a finding did: the alert to save, and the change people may be told of (or ``None``)."""

    alert: Alert
    # fired, escalated, confirmed, developed, corrected, withdrawn, denied, over, reopened, resolved; None:
    # it grew
    change: str | None


def advance(alert: Alert | None, finding: Finding, life: Life) -> list[Step]:
    """Apply a finding to the newest alert of its fingerprint (or to none).

    Returns the steps in order: at most a resolution of the old alert, then what became of the finding.
    """
    steps: list[Step] = []
    if alert is not None and (ended := expired(alert, finding.at, life)):
        steps.append(ended)
        alert = ended.alert
    if alert is None or alert.resolved_at is not None:
        if finding.mark in ANSWERED:
            return steps
        if alert is not None and _goes_on(alert, finding, life):
            steps.append(_woken(_reopened(alert, finding)))
        else:
            steps.append(_opened(finding))
        return steps
    if finding.mark not in ANSWERED or _answers(alert, finding):
        steps.append(_woken(_updated(alert, finding)))
    return steps


def expired(alert: Alert, now: datetime, life: Life) -> Step | None:
    """Resolve an alert that has been quiet for long enough, as of event time ``now``.

    A pending alert that never fired ends without a word: it stays pending, so that nobody is shown it.
    """
    over_at = alert.updated_at + life.quiet
    if alert.resolved_at is not None or now < over_at:
        return None
    ended = replace(alert, resolved_at=over_at, snoozed_until=None)
    if alert.state in OPEN_STATES:
        return Step(replace(ended, state=AlertState.RESOLVED), "resolved")
    return Step(ended, None)


def _goes_on(alert: Alert, finding: Finding, life: Life) -> bool:
    """Say whether people were told of this so lately that it is the same event going on."""
    return (
        alert.state is AlertState.RESOLVED
        and alert.resolved_at is not None
        and finding.at < alert.resolved_at + life.cooldown
    )


def _reopened(alert: Alert, finding: Finding) -> Step:
    """Take a resolved alert up again; people hear of it only if it is worse than what they know."""
    if not finding.fires:
        return Step(_grown(alert, finding), None)
    state = AlertState.ACKNOWLEDGED if alert.acknowledged_by else AlertState.FIRING
    step = _updated(replace(alert, state=state, resolved_at=None, closed_by=None), finding)
    if alert.closed_by is not None and step.change is None:
        return Step(_grown(alert, finding), None)  # a mere copy does not undo what a person did
    return Step(step.alert, step.change or "reopened")


def _woken(step: Step) -> Step:
    """End a snooze when the event is graver or other than it was when somebody asked for it."""
    if step.change in WAKING and step.alert.snoozed_until is not None:
        return replace(step, alert=replace(step.alert, snoozed_until=None))
    return step


def _opened(finding: Finding) -> Step:
    fires = finding.fires and finding.least_publishers <= 1
    state = AlertState.FIRING if fires else AlertState.PENDING
    alert = Alert(
        id=digest(f"{finding.fingerprint}\0{finding.at.isoformat()}"),
        fingerprint=finding.fingerprint,
        kind=finding.kind,
        state=state,
        dimension=finding.dimension,
        key=finding.key,
        event=finding.event,
        severity=finding.severity,
        title=finding.title,
        started_at=finding.at,
        updated_at=finding.at,
        decided_at=finding.decided_at,
        items=0,
        publishers=0,
        details={},
    )
    return Step(_grown(alert, finding), "fired" if fires else None)


def _updated(alert: Alert, finding: Finding) -> Step:
    grown = _grown(alert, finding)
    if grown.publishers < finding.least_publishers:
        finding = replace(finding, fires=False)
    if alert.state is AlertState.PENDING:
        if not _enough(grown, finding):
            return Step(grown, None)
        fired = replace(
            grown, state=AlertState.FIRING, title=finding.title, decided_at=finding.decided_at
        )
        return Step(fired, "fired")
    if finding.mark in ANSWERED:
        place, change = ANSWERED[finding.mark]
        return Step(grown, None if alert.details.get(place) else change)
    if finding.fires and finding.severity > alert.severity:
        # Worse than what was acknowledged: people have to look again.
        return Step(replace(grown, state=AlertState.FIRING, title=finding.title), "escalated")
    if alert.details.get("stage") == "rumour" and finding.mark in FACTS and finding.fires:
        return Step(replace(grown, title=finding.title), "confirmed")
    if finding.fires and _is_new(alert, finding):
        return Step(replace(grown, title=finding.title), "developed")
    if finding.mark == "amended" and not alert.details.get("corrected"):
        return Step(grown, "corrected")
    return Step(grown, None)


def _is_new(alert: Alert, finding: Finding) -> bool:
    """Say whether a report adds another event to the episode: a raid to the fraud that was known."""
    return (
        alert.kind is AlertKind.STORY
        and finding.mark in FACTS
        and not finding.events <= set(_events(alert))
    )


def _events(alert: Alert) -> list[str]:
    """The events that an alert's reports told, in the order they came."""
    known = alert.details.get("events")
    return [str(each) for each in known] if isinstance(known, list | tuple) else [alert.event]


def _answers(alert: Alert, finding: Finding) -> bool:
    """Say whether an answer is one to what the alert told: "won't lose its licence" denies no fine."""
    return alert.kind is AlertKind.STORY and bool(
        {finding.event, *finding.events} & {alert.event, *_events(alert)}
    )


def rules_of(alert: Alert) -> dict[str, str]:
    """Return the alert rules that an alert's reports matched, each with the time it first did (ISO 8601)."""
    known = alert.details.get("rules")
    return {str(k): str(v) for k, v in known.items()} if isinstance(known, Mapping) else {}


def _enough(pending: Alert, finding: Finding) -> bool:
    """Say whether a pending alert may fire with this finding.

    Where an old story came back as new, everybody who repeats it in good faith reports it as a fact (on 8
    September 2008 within minutes): only several publishers who stand for it themselves are believed.
    """
    if pending.publishers < finding.least_publishers:
        return False
    if pending.details.get("stale"):
        old = {item.publisher for item in pending.evidence if item.mark == "stale"}
        fresh = {item.publisher for item in pending.evidence if item.mark in FACTS} - old
        return finding.fires and len(fresh) >= PUBLISHERS_AGAINST_STALE
    return finding.fires or (
        finding.mark == "rumour"
        and (
            pending.publishers >= PUBLISHERS_OF_RUMOUR
            or len(_origins(pending)) >= PUBLISHERS_OF_RUMOUR
        )
    )


def _origins(alert: Alert) -> set[str]:
    """Whom the rumours name as their source: a paper and then somebody who was asked are two."""
    named = {origin_of(item.title) for item in alert.evidence if item.mark == "rumour"}
    return named - {""}


def _stage(alert: Alert, finding: Finding) -> dict[str, str]:
    """How sure the event is after a finding, for the details: confirmed, corrected, withdrawn or a rumour.

    A withdrawal outlives the copies of the withdrawn report that still come in.
    """
    before = alert.details.get("stage")
    if finding.mark == "revoked":
        return {"stage": "withdrawn"}
    if before == "withdrawn":
        return {}
    if finding.mark == "amended":
        return {"stage": "corrected"}
    if finding.mark == "" and finding.fires:
        return {} if before == "corrected" else {"stage": "confirmed"}
    if finding.mark == "rumour" and before not in ("confirmed", "corrected"):
        return {"stage": "rumour"}
    return {}


def _kept(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Return the evidence that an alert keeps, whatever the order in which it came.

    The earliest of each sort: answers, which are few and weigh much, before reports.
    """
    if len(evidence) <= MAX_EVIDENCE:
        return tuple(evidence)
    answers = sorted((item for item in evidence if item.mark in ANSWERING), key=_place)
    answers = answers[:MAX_ANSWERS]
    reports = sorted((item for item in evidence if item.mark not in ANSWERING), key=_place)
    kept = {_place(item) for item in (*answers, *reports[: MAX_EVIDENCE - len(answers)])}
    return tuple(item for item in evidence if _place(item) in kept)


def _place(item: Evidence) -> tuple[datetime, str, str]:
    return item.published_at, item.article_id, item.revision


def _grown(alert: Alert, finding: Finding) -> Alert:
    """Add a finding's evidence, counts and explanation."""
    known = {(item.article_id, item.revision) for item in alert.evidence}
    new = [item for item in finding.evidence if (item.article_id, item.revision) not in known]
    proof = _kept((*alert.evidence, *new))
    details = {**alert.details, **finding.details}
    if finding.mark == "stale":
        details["stale"] = True
    elif finding.mark in ANSWERED:
        details[ANSWERED[finding.mark][0]] = True
    elif finding.mark == "amended":
        details["corrected"] = True
    details.update(_stage(alert, finding))
    if finding.rules and finding.mark not in ANSWERING:
        at = finding.decided_at.isoformat()
        matched = rules_of(alert)
        details["rules"] = matched | {name: at for name in finding.rules if name not in matched}
    if alert.kind is AlertKind.STORY and finding.mark not in ANSWERING:
        told = _events(alert)
        details["events"] = told + sorted(finding.events - set(told))
    reports = [item for item in sorted(proof, key=_place) if item.mark not in ANSWERING]
    publishers = len(independent((item.publisher, item.title) for item in reports))
    # A rumour cannot make a told alert graver in silence: its confirmation would be no news then.
    counts = finding.fires or (alert.state is AlertState.PENDING and finding.mark == "rumour")
    worse = counts and finding.severity > alert.severity
    return replace(
        alert,
        severity=finding.severity if worse else alert.severity,
        event=finding.event if worse else alert.event,
        updated_at=max(alert.updated_at, finding.at),
        items=max(alert.items, finding.items)
        if finding.items is not None
        else alert.items + len(new),
        publishers=publishers
        if finding.publishers is None
        else max(alert.publishers, finding.publishers),
        details=details,
        evidence=proof,
    )
