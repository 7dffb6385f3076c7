"""How an alert lives, told as timelines: what happens when, and what people are told."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alert.states import FACTS, Finding, Life, advance, expired
from monitor.domain import MAX_EVIDENCE, Alert, AlertKind, AlertState, Dimension, Evidence, digest
from tests.support.make import T0

LIFE = Life(quiet=timedelta(hours=48), cooldown=timedelta(hours=24))
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class At:
    """An item at an hour: who wrote it, how grave, confirmed or with a mark."""

    hour: float
    publisher: str = "x"
    severity: int = 3
    mark: str = ""


@dataclass(frozen=True)
class Acknowledge:
    hour: float


def finding(at: At, place: int = 0) -> Finding:
    when = T0 + at.hour * HOUR
    return Finding(
        fingerprint="story|acme|fraud",
        kind=AlertKind.STORY,
        dimension=Dimension.COMPANY,
        key="acme",
        event=f"fraud_{at.severity}",
        severity=at.severity,
        title="Acme: fraud",
        at=when,
        decided_at=when,
        fires=at.mark in FACTS,
        mark=at.mark,
        details={"rule": f"at {at.hour}"},
        evidence=(
            Evidence(
                article_id=digest(f"{place} {at}"),
                revision="r",
                published_at=when,
                publisher=at.publisher,
                title=f"{at.publisher} tells in words of its own",
                url=None,
                quote="q",
                score=None,
                mark=at.mark,
            ),
        ),
        events=frozenset({"fraud"}),
    )


class Desk:
    """The alerts of one fingerprint, and what was told of them."""

    def __init__(self) -> None:
        self.alerts: dict[str, Alert] = {}
        self.told: list[tuple[float, str]] = []

    @property
    def newest(self) -> Alert | None:
        found = sorted(
            self.alerts.values(), key=lambda alert: (alert.resolved_at is None, alert.updated_at)
        )
        return found[-1] if found else None

    def take(self, at: At, place: int) -> None:
        for step in advance(self.newest, finding(at, place), LIFE):
            self._save(step.alert, step.change, at.hour)

    def look(self, now: datetime) -> None:
        """Look for alerts that are over, as the alert stage does when the watermark has passed."""
        for alert in list(self.alerts.values()):
            step = expired(alert, now, LIFE)
            if step is not None:
                self._save(step.alert, step.change, 0)

    def acknowledge(self) -> None:
        alert = self.newest
        assert alert is not None
        assert alert.state is AlertState.FIRING
        self.alerts[alert.id] = replace(alert, state=AlertState.ACKNOWLEDGED, acknowledged_by="ann")

    def _save(self, alert: Alert, change: str | None, hour: float) -> None:
        self.alerts[alert.id] = alert
        if change is not None:
            ended = change == "resolved" and alert.resolved_at is not None
            when = (alert.resolved_at - T0) / HOUR if ended and alert.resolved_at else hour
            self.told.append((when, change))


def run(timeline: Sequence[At | Acknowledge], *, end: float = 0) -> Desk:
    desk = Desk()
    for place, entry in enumerate(timeline):
        if isinstance(entry, Acknowledge):
            desk.acknowledge()
        else:
            desk.take(entry, place)
    if end:
        desk.look(T0 + end * HOUR)
    return desk


TIMELINES: dict[str, tuple[list[At | Acknowledge], list[tuple[float, str]], int]] = {
    # name: (what comes in, what people are told, alerts there are)
    "a confirmed report fires at once": ([At(0)], [(0, "fired")], 1),
    "more of the same is evidence and no news": (
        [At(0), At(1, "y"), At(2, "z")],
        [(0, "fired")],
        1,
    ),
    "a rumour waits": ([At(0, mark="rumour")], [], 1),
    "a rumour of the same publisher twice still waits": (
        [At(0, mark="rumour"), At(1, mark="rumour")],
        [],
        1,
    ),
    "a rumour fires on its second publisher": (
        [At(0, mark="rumour"), At(1, "y", mark="rumour")],
        [(1, "fired")],
        1,
    ),
    "a rumour fires when it is confirmed": (
        [At(0, mark="rumour"), At(1)],
        [(1, "fired")],
        1,
    ),
    "a denial alone opens nothing": ([At(0, mark="denied")], [], 0),
    "a denial is no second publisher": (
        [At(0, mark="rumour"), At(1, "y", mark="denied")],
        [],
        1,
    ),
    "a denial of a firing alert is told once": (
        [At(0), At(1, "y", mark="denied"), At(2, "z", mark="denied")],
        [(0, "fired"), (1, "denied")],
        1,
    ),
    "a corrected report is told once": (
        [At(0), At(1, mark="amended"), At(2, "y", mark="amended")],
        [(0, "fired"), (1, "corrected")],
        1,
    ),
    "a corrected report of what nobody knew fires": (
        [At(0, mark="amended"), At(1, mark="amended")],
        [(0, "fired")],
        1,
    ),
    "a corrected report that is worse says so": (
        [At(0), At(1, severity=4, mark="amended"), At(2, severity=4, mark="amended")],
        [(0, "fired"), (1, "escalated")],
        1,
    ),
    "a corrected report confirms a rumour that was told": (
        [At(0, mark="rumour"), At(1, "y", mark="rumour"), At(2, mark="amended"), At(3)],
        [(1, "fired"), (2, "confirmed")],
        1,
    ),
    "a withdrawal is told once, and copies of what was withdrawn are no news": (
        [At(0), At(1, mark="revoked"), At(2, "y"), At(3, "z", mark="revoked")],
        [(0, "fired"), (1, "withdrawn")],
        1,
    ),
    "what is worse than what was withdrawn is told": (
        [At(0), At(1, mark="revoked"), At(2, "y", severity=5)],
        [(0, "fired"), (1, "withdrawn"), (2, "escalated")],
        1,
    ),
    "a withdrawal alone opens nothing": ([At(0, mark="revoked")], [], 0),
    "a rumour that fired is confirmed once": (
        [At(0, mark="rumour"), At(1, "y", mark="rumour"), At(2), At(3)],
        [(1, "fired"), (2, "confirmed")],
        1,
    ),
    "worse is told again": ([At(0), At(1, severity=5)], [(0, "fired"), (1, "escalated")], 1),
    "milder is not": ([At(0, severity=5), At(1, severity=3)], [(0, "fired")], 1),
    "worse wakes an acknowledged alert": (
        [At(0), Acknowledge(0.5), At(1), At(2, severity=4)],
        [(0, "fired"), (2, "escalated")],
        1,
    ),
    "a graver rumour is not told, its confirmation is": (
        [At(0), At(1, severity=5, mark="rumour"), At(2, severity=5)],
        [(0, "fired"), (2, "escalated")],
        1,
    ),
    "a graver denial changes nothing": (
        [At(0), At(1, severity=5, mark="denied"), At(2, severity=4)],
        [(0, "fired"), (1, "denied"), (2, "escalated")],
        1,
    ),
    "an old story republished holds back those who repeat it": (
        [At(0, mark="stale"), At(1, "y"), At(2, "z")],
        [],
        1,
    ),
    "three who stand for it themselves are believed": (
        [At(0, mark="stale"), At(1, "y"), At(2, "z"), At(3, "w")],
        [(3, "fired")],
        1,
    ),
    "an old story changes nothing of an alert that fired": (
        [At(0), At(1, "y", mark="stale", severity=5)],
        [(0, "fired")],
        1,
    ),
    "quiet resolves": ([At(0), At(30)], [(0, "fired"), (78, "resolved")], 1),
    "not a minute early": ([At(0), At(30), At(77.9)], [(0, "fired")], 1),
    "soon after it is the same event going on": (
        [At(0), At(60)],
        [(0, "fired"), (48, "resolved"), (60, "reopened")],
        1,
    ),
    "soon after and worse: the same event, and people hear of it": (
        [At(0), At(60, severity=4)],
        [(0, "fired"), (48, "resolved"), (60, "escalated")],
        1,
    ),
    "a rumour soon after wakes nobody": (
        [At(0), At(60, mark="rumour")],
        [(0, "fired"), (48, "resolved")],
        1,
    ),
    "after the cooldown it is a new alert": (
        [At(0), At(73)],
        [(0, "fired"), (48, "resolved"), (73, "fired")],
        2,
    ),
    "a rumour that faded unseen holds back no report": (
        [At(0, mark="rumour"), At(60)],
        [(60, "fired")],
        2,
    ),
    "a denial after the end wakes nothing": (
        [At(0), At(49, mark="denied")],
        [(0, "fired"), (48, "resolved")],
        1,
    ),
}
ENDS = {"quiet resolves": 78.0, "not a minute early": 78.0}


@pytest.mark.parametrize("name", TIMELINES)
def test_timeline(name: str) -> None:
    timeline, told, count = TIMELINES[name]
    desk = run(timeline, end=ENDS.get(name, 0))
    assert desk.told == told
    assert len(desk.alerts) == count


timelines = st.lists(
    st.tuples(
        st.floats(0, 60, allow_nan=False).map(lambda gap: round(gap, 2)),
        st.sampled_from("xyz"),
        st.integers(3, 5),
        st.sampled_from(["", "", "rumour", "denied"]),
    ),
    max_size=12,
)


@given(timelines, st.data())
def test_when_anybody_looks_changes_nothing(
    gaps: list[tuple[float, str, int, str]], data: st.DataObject
) -> None:
    """An alert is over when it has been quiet, whether or not the stage looked in between."""
    hour, entries = 0.0, []
    for gap, publisher, severity, mark in gaps:
        hour += gap
        entries.append(At(hour, publisher, severity, mark))
    unwatched, watched = Desk(), Desk()
    before = T0
    for place, entry in enumerate(entries):
        unwatched.take(entry, place)
        now = T0 + entry.hour * HOUR
        watched.look(before + data.draw(st.floats(0, 1)) * (now - before))
        watched.take(entry, place)
        before = now
    for desk in (unwatched, watched):
        desk.look(T0 + 10_000 * HOUR)
    assert watched.alerts == unwatched.alerts
    assert watched.told == unwatched.told


@given(timelines)
def test_what_is_told_makes_sense(gaps: list[tuple[float, str, int, str]]) -> None:
    hour, desk = 0.0, Desk()
    for place, (gap, publisher, severity, mark) in enumerate(gaps):
        hour += gap
        desk.take(At(hour, publisher, severity, mark), place)
        still_open = [alert for alert in desk.alerts.values() if alert.resolved_at is None]
        assert len(still_open) <= 1, "one event, one alert"
    desk.look(T0 + 10_000 * HOUR)
    changes = [change for _, change in desk.told]
    assert changes.count("fired") <= changes.count("resolved")
    assert changes.count("resolved") <= changes.count("fired") + len(
        [change for change in changes if change in ("reopened", "escalated", "confirmed")]
    )
    assert all(alert.resolved_at is not None for alert in desk.alerts.values())
    shown = [alert for alert in desk.alerts.values() if alert.state is not AlertState.PENDING]
    assert len(shown) == changes.count("fired")
    for alert in shown:
        assert alert.started_at <= alert.updated_at
        assert any(item.mark != "denied" for item in alert.evidence)


def test_the_explanation_grows_with_the_alert() -> None:
    (alert,) = run([At(0, severity=3), At(1, "y", severity=5)]).alerts.values()
    assert (alert.items, alert.publishers, alert.severity, alert.event) == (2, 2, 5, "fraud_5")
    assert alert.details == {"rule": "at 1", "stage": "confirmed", "events": ["fraud_3", "fraud"]}
    assert (alert.started_at, alert.updated_at) == (T0, T0 + HOUR)


def test_another_event_of_the_episode_is_told_once() -> None:
    alert: Alert | None = None
    told = []
    for hour, event in enumerate(("fraud", "probe", "probe", "fraud")):
        report = replace(finding(At(hour), hour), event=event, events=frozenset({event}))
        for step in advance(alert, report, LIFE):
            alert = step.alert
            told.append(step.change)
    assert told == ["fired", "developed", None, None]
    assert alert is not None
    assert alert.details["events"] == ["fraud", "probe"]


def test_what_a_person_closed_only_news_takes_up_again() -> None:
    (step,) = advance(None, finding(At(0)), LIFE)
    closed = replace(step.alert, state=AlertState.RESOLVED, resolved_at=T0 + HOUR, closed_by="ann")
    (copy,) = advance(closed, finding(At(2, "y")), LIFE)
    assert (copy.change, copy.alert.state, copy.alert.items) == (None, AlertState.RESOLVED, 2)
    (worse,) = advance(closed, finding(At(2, severity=5)), LIFE)
    assert (worse.change, worse.alert.state) == ("escalated", AlertState.FIRING)
    assert worse.alert.closed_by is None and worse.alert.resolved_at is None


def test_a_snooze_ends_when_it_gets_worse_and_not_by_more_of_the_same() -> None:
    (step,) = advance(None, finding(At(0)), LIFE)
    asleep = replace(step.alert, snoozed_until=T0 + 9 * HOUR)
    (same,) = advance(asleep, finding(At(1, "y")), LIFE)
    assert same.alert.snoozed_until == asleep.snoozed_until
    (worse,) = advance(asleep, finding(At(1, severity=5)), LIFE)
    assert worse.change == "escalated" and worse.alert.snoozed_until is None


def test_an_answer_to_something_else_is_none() -> None:
    """ "Acme won't lose its licence" denies no fine."""
    fined = finding(At(0))
    (step,) = advance(None, fined, LIFE)
    other = replace(finding(At(1, mark="denied")), event="licence", events=frozenset({"licence"}))
    assert advance(step.alert, other, LIFE) == []
    (denied,) = advance(step.alert, finding(At(2, mark="denied")), LIFE)
    assert denied.change == "denied"


def test_a_rumour_is_told_when_another_source_is_named() -> None:
    """From one wire: what a paper wrote, then what somebody said who was asked."""

    def rumour(hour: float, title: str) -> Finding:
        made = finding(At(hour, mark="rumour"))
        return replace(made, evidence=(replace(made.evidence[0], title=title),))

    (paper,) = advance(None, rumour(0, "Acme to cut jobs - paper"), LIFE)
    (again,) = advance(paper.alert, rumour(1, "Acme may cut jobs in spring - papers"), LIFE)
    assert (paper.change, again.change) == (None, None)
    (source,) = advance(again.alert, rumour(2, "Acme to cut jobs, source says"), LIFE)
    assert source.change is None  # no name behind a dash
    (source,) = advance(source.alert, rumour(3, "Acme to cut 300 jobs -source"), LIFE)
    assert source.change == "fired"


def test_a_snooze_does_not_outlive_its_alert() -> None:
    (step,) = advance(None, finding(At(0)), LIFE)
    asleep = replace(step.alert, snoozed_until=T0 + 500 * HOUR)
    over, again = advance(asleep, finding(At(50, severity=5)), LIFE)
    assert (over.change, over.alert.snoozed_until) == ("resolved", None)
    assert (again.change, again.alert.snoozed_until) == ("escalated", None)


def test_copies_of_one_text_are_one_voice() -> None:
    """A rumour that a second publisher copies is no second source of it."""

    def copied(hour: float, publisher: str, title: str) -> Finding:
        made = finding(At(hour, publisher, mark="rumour"))
        return replace(made, evidence=(replace(made.evidence[0], title=title),))

    (first,) = advance(None, copied(0, "wire", "Acme may sell lamp works, sources say"), LIFE)
    (copy,) = advance(
        first.alert, copied(1, "daily", "UPDATE 1-Acme May Sell Lamp Works, Sources Say"), LIFE
    )
    assert (copy.change, copy.alert.items, copy.alert.publishers) == (None, 2, 1)
    (other,) = advance(copy.alert, copied(2, "herald", "Lamp works of Acme on the block"), LIFE)
    assert (other.change, other.alert.publishers) == ("fired", 2)


def test_one_item_is_evidence_once() -> None:
    once = finding(At(0))
    (first,) = advance(None, once, LIFE)
    (again,) = advance(first.alert, once, LIFE)
    assert again.alert == first.alert
    assert again.change is None


def test_evidence_is_bounded_and_the_count_is_not() -> None:
    desk = run([At(i / 100, f"p{i}") for i in range(MAX_EVIDENCE + 10)])
    (alert,) = desk.alerts.values()
    assert (len(alert.evidence), alert.items) == (MAX_EVIDENCE, MAX_EVIDENCE + 10)


def test_which_evidence_is_kept_does_not_depend_on_the_order() -> None:
    reports = [At(i / 100, f"p{i}") for i in range(MAX_EVIDENCE + 10)]
    reports += [At(0.9, "late", mark="denied"), At(0.95, "last", mark="resolved")]
    findings = [finding(each, place) for place, each in enumerate(reports)]
    alert, _ = told_by(findings)
    for seed in range(5):
        mixed = findings[1:]
        random.Random(seed).shuffle(mixed)
        other, _ = told_by([findings[0], *mixed])
        assert set(other.evidence) == set(alert.evidence) and other.publishers == alert.publishers
    marks = [item.mark for item in alert.evidence]
    assert marks.count("denied") == marks.count("resolved") == 1 and len(marks) == MAX_EVIDENCE


def test_a_late_item_belongs_to_the_alert_that_is_open() -> None:
    (alert,) = run([At(10), At(2, "y")]).alerts.values()
    assert alert.items == 2
    assert alert.updated_at == T0 + 10 * HOUR


reports = st.lists(
    st.tuples(
        st.floats(0, 5 / 60),
        st.sampled_from("xyz"),
        st.integers(3, 5),
        st.sampled_from([*FACTS, "rumour"]),
    ),
    min_size=1,
    max_size=8,
)


def told_by(findings: Sequence[Finding]) -> tuple[Alert, list[str]]:
    """The one alert that findings within minutes make, and what was told of it."""
    alert: Alert | None = None
    told: list[str] = []
    for each in findings:
        (step,) = advance(alert, each, LIFE)
        alert = step.alert
        told += [step.change] if step.change else []
    assert alert is not None
    return alert, told


@given(reports, st.data())
def test_reports_within_the_grace_make_the_same_alert_in_any_order(
    given_reports: list[tuple[float, str, int, str]], data: st.DataObject
) -> None:
    # A rumour of a severe event is told at once, as the story rule has it.
    findings = [
        replace(each, fires=each.fires or (mark == "rumour" and severity >= 4))
        for place, (hour, publisher, severity, mark) in enumerate(given_reports)
        for each in [finding(At(hour, publisher, severity, mark), place)]
    ]
    alert, told = told_by(findings)
    other, _ = told_by(data.draw(st.permutations(findings)))
    for name in ("fingerprint", "state", "severity", "items", "publishers", "updated_at"):
        assert getattr(other, name) == getattr(alert, name), name
    assert set(other.evidence) == set(alert.evidence)
    assert other.details["stage"] == alert.details["stage"]

    again, told_again = told_by([each for each in findings for _ in range(2)])
    assert (again.severity, again.items, again.evidence) == (
        alert.severity,
        alert.items,
        alert.evidence,
    )
    assert told_again == told
