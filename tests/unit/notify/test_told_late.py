"""What a silence, hours or a digest held: when it is told after all, and when it is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.domain import AlertState
from monitor.errors import ConfigError
from monitor.notify.hours import Hours
from monitor.notify.routes import Route
from monitor.store import acts, alerts, outbox, silences
from tests.support.make import T0
from tests.unit.notify.desk import Desk, Down, alert, surge

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NEW, WORSE = "new alert", "it is worse than was known"
LATE = "; it was silenced until now"
ROUTE = """
route:
  channels: [desk]
  group_wait: 30s
  group_interval: 5m
"""
HOURS = """
hours:
  night: {from: "19:00", to: "07:00", zone: UTC}
  lunch: {from: "11:00", to: "13:00", zone: UTC}
  office: {days: mon-fri, from: "08:00", to: "18:00", zone: UTC}
"""


def silence(desk: Desk, of: str, until: timedelta) -> int:
    now = desk.clock.now()
    with desk.store.write() as connection:
        return silences.add(connection, {"company": of}, now, T0 + until, "ann", "", now)


def ended(desk: Desk) -> list[str]:
    return [each.reason for each in outbox.receipts(desk.store, 100, state=outbox.SUPPRESSED)]


def test_what_fires_still_when_its_silence_ends_is_told_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ROUTE, step=5 * MINUTE)
    silence(desk, "acme", HOUR)
    first = desk.happens(alert(severity=4), "fired")
    desk.happens(alert("brown"), "fired")
    desk.passes(30 * MINUTE)
    desk.stage = desk.new_stage(holder="two")  # a restart changes nothing
    with desk.store.write() as connection:  # it grew meanwhile
        alerts.save(connection, replace(first, severity=5))
    desk.passes(9 * HOUR)
    assert desk.told == [(0.0, "desk", NEW), (60.0, "desk", NEW + LATE)]
    told = desk.inboxes["desk"].told[1].notification
    assert told.subject.startswith("[5/5 existential] Acme: recall")
    assert f"({NEW}{LATE})" in told.body


def test_several_that_were_silenced_are_one_message(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ROUTE + "  group_by: [company]\n", step=5 * MINUTE)
    silence(desk, "acme", HOUR)
    desk.happens(alert(), "fired")
    desk.happens(alert(event="strike"), "fired")
    desk.passes(2 * HOUR)
    assert desk.told == [(60.0, "desk", "group")]
    payload = desk.inboxes["desk"].told[0].notification.payload
    assert [each["reason"] for each in payload["alerts"]] == [NEW + LATE] * 2  # type: ignore[attr-defined]


def test_what_is_over_or_looked_after_by_then_is_not_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ROUTE + "  send_resolved: true\n", step=5 * MINUTE)
    silence(desk, "acme", HOUR)
    over = desk.happens(alert(), "fired")
    seen = desk.happens(alert(event="strike"), "fired")
    desk.passes(10 * MINUTE)
    desk.happens(replace(over, state=AlertState.RESOLVED, resolved_at=T0), "resolved")
    desk.acknowledge(seen)
    desk.passes(2 * HOUR)
    assert desk.told == []
    assert sorted(set(ended(desk))) == [
        "a newer message of the same alert is sent",
        "ann acknowledged the alert before it was told",
        "the alert was over before it was told",
    ]


def test_the_end_of_what_was_told_before_the_silence_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ROUTE + "  send_resolved: true\n", step=5 * MINUTE)
    first = desk.happens(alert(), "fired")
    silence(desk, "acme", HOUR)
    desk.passes(10 * MINUTE)
    desk.happens(replace(first, state=AlertState.RESOLVED, resolved_at=T0), "resolved")
    desk.passes(2 * HOUR)
    end = "it is over: quiet for long enough" + LATE
    assert desk.told == [(0.0, "desk", NEW), (60.0, "desk", end)]


def test_what_got_worse_while_silenced_is_told_as_such(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ROUTE, step=5 * MINUTE)
    first = desk.happens(alert(), "fired")
    silence(desk, "acme", HOUR)
    desk.passes(10 * MINUTE)
    desk.happens(replace(first, severity=5), "escalated")
    desk.passes(2 * HOUR)
    assert desk.told == [(0.0, "desk", NEW), (60.0, "desk", WORSE + LATE)]


def test_what_people_know_by_another_message_is_not_told_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ROUTE, step=5 * MINUTE)
    with desk.store.write() as connection:
        matchers = {"company": "acme", "severity": ["3", "4"]}
        silences.add(connection, matchers, T0, T0 + HOUR, "ann", "", T0)
    first = desk.happens(alert(), "fired")
    desk.passes(10 * MINUTE)
    desk.happens(replace(first, severity=5), "escalated")  # the silence is not about this
    desk.passes(2 * HOUR)
    assert [reason for _, _, reason in desk.told] == [WORSE]


def test_a_silence_that_somebody_ends_lets_go_at_once_what_no_other_holds(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ROUTE, step=5 * MINUTE)
    mine = silence(desk, "acme", 9 * HOUR)
    desk.happens(alert(), "fired")
    desk.happens(alert("brown"), "fired")
    both = silence(desk, "acme", 2 * HOUR)
    desk.passes(30 * MINUTE)
    with desk.store.write() as connection:
        silences.expire(connection, mine, desk.clock.now())
    desk.passes(30 * MINUTE)
    assert desk.told == [(0.0, "desk", NEW)]
    (waits,) = outbox.receipts(desk.store, 10, state=outbox.WAITING)
    assert waits.reason.startswith(f"silence {both} of ann until 2026-01-05 11:00 UTC")
    with desk.store.write() as connection:
        silences.expire(connection, both, desk.clock.now())
    desk.passes(HOUR)
    assert desk.told == [(0.0, "desk", NEW), (65.0, "desk", NEW + LATE)]


def test_a_silence_that_ends_at_night_is_followed_by_the_quiet_hours(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HOURS + ROUTE + "  quiet_hours: night\n", step=10 * MINUTE)
    silence(desk, "acme", 12 * HOUR)  # until 21:00
    desk.happens(alert(), "fired")
    desk.passes(48 * HOUR)
    assert desk.told == [(22 * 60.0, "desk", NEW + LATE)]


def test_a_digest_route_can_tell_what_is_too_small_for_the_others(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path,
        ROUTE
        + """
  routes:
    - {name: daily, digest: "12:00 UTC", min_severity: 1, channels: [boss], continue: true}
    - {name: pages, match: {company: acme}, min_severity: 4, channels: [pager], continue: true}
    - {name: desk}
""",
        step=10 * MINUTE,
    )
    for severity in (1, 2, 3, 4):
        desk.happens(alert(event=f"event_{severity}", severity=severity), "fired")
    desk.passes(24 * HOUR)
    assert desk.told == [
        (0.0, "desk", NEW),
        (0.0, "desk", NEW),
        (0.0, "pager", NEW),
        (180.0, "boss", "digest"),
    ]
    subject = desk.inboxes["boss"].told[0].notification.subject
    assert subject.startswith("Digest, 4 alerts: ")
    assert sorted(set(ended(desk))) == [
        *("severity 1 is below 3", "severity 1 is below 4", "severity 2 is below 3"),
        *("severity 2 is below 4", "severity 3 is below 4"),
    ]


def test_what_is_too_small_for_one_route_is_told_by_another_on_the_same_channel(
    tmp_path: Path,
) -> None:
    grave = "{name: grave, min_severity: 4, continue: true}"
    desk = Desk(tmp_path, ROUTE + f"  routes: [{grave}, {{name: all}}]\n")
    desk.happens(alert(severity=3), "fired")
    desk.happens(alert("brown", severity=4), "fired")
    assert desk.told == [(0.0, "desk", NEW), (0.0, "desk", NEW)]


def test_a_digest_keeps_to_the_hours_and_what_was_silenced_comes_with_the_next(
    tmp_path: Path,
) -> None:
    daily = '  active_hours: office\n  digest: "07:30 UTC"\n'
    desk = Desk(tmp_path, HOURS + ROUTE + daily, step=10 * MINUTE)
    silence(desk, "acme", 48 * HOUR)  # until 09:00 on Wednesday
    desk.happens(alert(), "fired")
    desk.happens(alert("brown"), "fired")
    desk.passes(5 * 24 * HOUR)
    assert desk.told == [(23 * 60.0, "desk", "digest"), (71 * 60.0, "desk", "digest")]
    payload = desk.inboxes["desk"].told[1].notification.payload
    assert [each["reason"] for each in payload["alerts"]] == [NEW + LATE]  # type: ignore[attr-defined]


def test_what_waits_for_its_group_or_a_snooze_keeps_to_the_hours(tmp_path: Path) -> None:
    both = "  active_hours: office\n  quiet_hours: lunch\n"
    desk = Desk(tmp_path, HOURS + ROUTE + both)
    asleep = desk.happens(replace(alert(), snoozed_until=T0 + 3 * HOUR), "fired")  # until 12:00
    desk.passes(2 * HOUR - timedelta(seconds=10))
    desk.happens(surge("brown", asleep.started_at), "fired")  # at 10:59:50
    desk.passes(9 * HOUR)
    assert desk.told == [(240.0, "desk", NEW), (240.0, "desk", NEW)]


def test_what_a_channel_did_not_take_in_the_hours_waits_for_the_next(tmp_path: Path) -> None:
    stairs = "  active_hours: office\n  escalate: [{after: 15m, channels: [pager]}]\n"
    desk = Desk(tmp_path, HOURS + ROUTE + stairs, step=10 * MINUTE)
    up = dict(desk.channels)
    desk.channels.update({name: Down(name) for name in up})
    desk.passes(8 * HOUR + 30 * MINUTE)  # 17:30
    desk.happens(alert(), "fired")
    desk.happens(alert("brown", severity=5), "fired")
    over = desk.happens(alert(event="strike"), "fired")
    desk.happens(replace(alert(event="fraud"), severity=3), "developed")
    desk.passes(HOUR)
    with desk.store.write() as connection:
        alerts.save(connection, replace(over, state=AlertState.RESOLVED, resolved_at=T0))
    desk.channels.update(up)  # at 18:30
    desk.passes(16 * HOUR)
    told = [(at // 60, reason) for at, channel, reason in desk.told if channel == "desk"]
    assert told == [(9, NEW), (23, "group")]
    together = desk.inboxes["desk"].told[1].notification.payload["alerts"]
    assert [each["event"] for each in together] == ["recall", "fraud"]  # type: ignore[attr-defined]
    assert "the alert was over before it was told" in ended(desk)
    # An escalation minds no hours.
    assert {at // 60 for at, channel, _ in desk.told if channel == "pager"} == {9}


def test_an_alert_that_is_woken_is_told_at_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ROUTE, step=5 * MINUTE)
    asleep = desk.happens(replace(alert(), snoozed_until=T0 + 5 * HOUR), "fired")
    desk.happens(replace(alert("brown"), snoozed_until=T0 + 2 * HOUR), "fired")
    desk.passes(HOUR)
    with desk.store.write() as connection:
        acts.snooze(connection, asleep.id, "ann", desk.clock.now(), None)
    desk.passes(9 * HOUR)
    assert desk.told == [(65.0, "desk", NEW), (120.0, "desk", NEW)]


def test_hours_that_leave_no_time_are_refused(tmp_path: Path) -> None:
    hours = HOURS + '  day: {from: "07:00", to: "19:00", zone: UTC}\n'
    with pytest.raises(ConfigError, match=r"routes.yaml:\d+: route.quiet_hours: the quiet hours"):
        Desk(tmp_path, hours + ROUTE + "  active_hours: office\n  quiet_hours: day\n")


def hours_of(begin: int, length: int, days: frozenset[int], zone: str) -> Hours:
    return Hours(days, time(begin), time((begin + length) % 24), ZoneInfo(zone))


SPANS = st.builds(
    hours_of,
    st.integers(0, 23),
    st.integers(1, 23),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.sampled_from(["UTC", "Europe/London", "Asia/Kolkata", "America/New_York"]),
)


@given(
    SPANS, SPANS, st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))
)
def test_a_route_opens_in_its_active_hours_and_never_in_its_quiet_ones(
    active: Hours, quiet: Hours, now: datetime
) -> None:
    route = Route(active=active, quiet=quiet)
    opens = route.opens_at(now, 3)
    assert opens >= now
    if route.opens_at(opens, 3) != opens:  # no hour is open for weeks: it is looked at again
        assert opens == now + timedelta(days=1)
        return
    assert active.holds(opens) and not quiet.holds(opens)
    before = opens - timedelta(minutes=1)
    if before >= now:  # not later than needed
        assert quiet.holds(before) or not active.holds(before)
    assert route.opens_at(now, 5) == now
