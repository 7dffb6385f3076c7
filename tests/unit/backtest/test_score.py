"""What a backtest counts, on notifications written by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.backtest.expected import ExpectedEvent
from monitor.backtest.score import Window, detections, repeats, score
from monitor.backtest.told import Told
from monitor.domain import Alert, AlertKind, AlertState, Dimension, Evidence, digest
from tests.support.make import T0

HOUR = timedelta(hours=1)
RECALL = ExpectedEvent(
    "acme", "Acme", "product recall", frozenset({"product", "safety"}), T0, "Acme recalls lamps"
)


def told(
    at: datetime,
    company: str = "acme",
    family: str = "product",
    reason: str = "fired",
    title: str = "Acme recalls lamps",
    kind: AlertKind = AlertKind.STORY,
    alert_id: str = "one",
) -> Told:
    item = Evidence(digest(title), "r", at, "wire", title, None, title, -0.5, "")
    alert = Alert(
        id=alert_id,
        fingerprint=f"story|{company}|{family}|{alert_id}",
        kind=kind,
        state=AlertState.FIRING,
        dimension=Dimension.COMPANY,
        key=company,
        event="recall",
        severity=3,
        title=title,
        started_at=at,
        updated_at=at,
        decided_at=at,
        items=1,
        publishers=1,
        details={},
        evidence=(item,),
    )
    return Told(alert, family, reason, at, item)


def window(*notifications: Told, events: tuple[ExpectedEvent, ...] = (RECALL,)) -> Window:
    return Window("w", T0 - 24 * HOUR, T0 + 216 * HOUR, 1000, tuple(notifications), events)


def test_an_alert_in_time_answers_an_event() -> None:
    found = score([window(told(T0 + HOUR))], watched=50)
    assert (found.events, found.detected, found.delay_median_s) == (1, 1, 3600.0)
    assert (found.days, found.alerts, found.alerts_per_day_per_100) == (10.0, 1, 0.2)
    assert found.missed == ()


def test_earlier_is_no_delay() -> None:
    (found,) = detections(window(told(T0 - HOUR)))
    assert found.delay_s == 0.0


def test_what_does_not_answer() -> None:
    for wrong in (
        told(T0 - 3 * HOUR),
        told(T0 + 25 * HOUR),
        told(T0, company="brown"),
        told(T0, family="legal"),
        told(T0, kind=AlertKind.SURGE),
    ):
        found = score([window(wrong)], watched=100)
        assert found.detected == 0
        assert found.missed == ("Acme: product recall",)
        assert found.delay_median_s is None


def test_an_escalation_of_an_older_alert_answers() -> None:
    (found,) = detections(window(told(T0 - 9 * HOUR), told(T0 + HOUR, reason="escalated")))
    assert found.told is not None
    assert found.told.reason == "escalated"


def test_a_repeat_says_nothing_new() -> None:
    first, again = told(T0), told(T0 + HOUR, alert_id="two")
    assert repeats([first, again]) == [(first, again)]
    assert repeats([first, replace(again, reason="escalated")]) == []
    assert repeats([first, told(T0 + 25 * HOUR, alert_id="two")]) == []
    assert repeats([first, told(T0 + HOUR, title="Acme sued", alert_id="two")]) == []
    assert repeats([first, told(T0 + HOUR, company="brown", alert_id="two")]) == []


def test_an_unknown_kind_is_named_and_missed() -> None:
    comet = replace(RECALL, kind="comet", families=frozenset())
    found = score([window(told(T0), events=(comet,))], watched=100)
    assert (found.detected, found.unmapped_kinds) == (0, ("comet",))


@given(st.lists(st.integers(0, 9 * 24 * 60), max_size=30))
def test_notifications_in_a_day(minutes: list[int]) -> None:
    times = sorted(T0 + timedelta(minutes=each) for each in minutes)
    found = score([window(*(told(at, alert_id=str(n)) for n, at in enumerate(times)))], 100)
    most = max((sum(at <= t < at + 24 * HOUR for t in times) for at in times), default=0)
    assert found.per_company_family_day_max == most
    if times:
        assert 1 <= (found.per_company_family_day_median or 0) <= most
