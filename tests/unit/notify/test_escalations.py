"""Each step of an escalation leaves people its time, however late the service comes to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from monitor.notify.routesfile import read_routes
from monitor.store import alerts, silences
from monitor.store.alerts import AlertEvent
from monitor.stream.codec import AlertChange
from tests.support.make import T0
from tests.unit.notify.desk import Desk, Down, alert

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
STEPS = """
route:
  channels: [desk]
  escalate: [{after: 15m, channels: [pager]}, {after: 1h, channels: [boss, pager]}]
"""


def steps(desk: Desk) -> list[tuple[float, str]]:
    return [(at, channel) for at, channel, _ in desk.told]


def test_when_the_service_comes_back_the_first_word_and_each_step_have_their_time(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path, STEPS, step=5 * MINUTE)
    found = alert()
    with desk.store.write() as connection:
        alerts.save(connection, found)
        alerts.record_event(connection, found.id, AlertEvent(T0, "fired", "test"))
    desk.clock.time += 3 * HOUR
    desk.hear(AlertChange(1, "fired", 0, found))
    desk.passes(5 * HOUR)
    assert steps(desk) == [(180, "desk"), (195, "pager"), (240, "boss"), (240, "pager")]
    assert desk.told[1][2] == "nobody has acknowledged it for 3.25 h"


def test_after_a_standstill_the_next_step_goes_and_the_one_after_waits(tmp_path: Path) -> None:
    three = STEPS.replace("]}]", "]}, {after: 2h, channels: [boss]}]")
    desk = Desk(tmp_path, three, step=5 * MINUTE)
    desk.happens(alert(), "fired")
    desk.passes(20 * MINUTE)
    desk.stage = desk.new_stage(holder="two")
    desk.clock.time += 5 * HOUR - 20 * MINUTE
    desk.passes(5 * HOUR)
    assert steps(desk) == [
        *((0, "desk"), (15, "pager"), (305, "boss"), (305, "pager"), (365, "boss"))
    ]


def test_a_step_that_a_new_file_brings_is_told_and_the_next_waits(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "route: {channels: [desk]}", step=5 * MINUTE)
    desk.happens(alert(), "fired")
    desk.passes(5 * HOUR)
    (tmp_path / "routes.yaml").write_text(STEPS)
    desk.routing = read_routes(tmp_path / "routes.yaml", frozenset(desk.channels))
    desk.passes(5 * HOUR)
    assert steps(desk) == [(0, "desk"), (305, "pager"), (350, "boss"), (350, "pager")]


def test_steps_wait_after_a_silence_and_after_a_snooze(tmp_path: Path) -> None:
    desk = Desk(tmp_path, STEPS, step=5 * MINUTE)
    with desk.store.write() as connection:
        ends = T0 + 4 * HOUR
        silences.add(connection, {"company": "acme"}, T0, ends, "ann", "", T0)
    found = desk.happens(alert(), "fired")
    desk.passes(4 * HOUR + 20 * MINUTE)  # the first step is told at 4:15
    with desk.store.write() as connection:
        alerts.save(connection, replace(found, snoozed_until=T0 + 6 * HOUR))
    desk.passes(8 * HOUR)
    assert steps(desk) == [(240, "desk"), (255, "pager"), (405, "boss"), (405, "pager")]


def test_a_channel_that_is_down_holds_up_no_step(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path, STEPS, channels=["pager", "boss"], real={"desk": Down("desk")}, step=5 * MINUTE
    )
    desk.happens(alert(), "fired")
    desk.passes(2 * HOUR)
    assert steps(desk) == [(15, "pager"), (60, "boss"), (60, "pager")]
