"""Channels are served side by side: what one does is nothing to the others, and nobody hears twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.domain import Notification
from monitor.store import outbox
from tests.unit.notify.desk import Desk, alert

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class Stuck:
    """A receiver that takes a message and does not answer before it is let go."""

    def __init__(self, name: str = "stuck") -> None:
        self.name = name
        self.begun: list[str] = []
        self.let_go = threading.Event()

    def send(self, notification: Notification) -> None:
        self.begun.append(notification.idempotency_key)
        assert self.let_go.wait(30)


def test_a_channel_that_does_not_answer_delays_no_other_and_is_sent_nothing_twice(
    tmp_path: Path,
) -> None:
    stuck = Stuck()
    desk = Desk(tmp_path, channels=["desk"], real={"stuck": stuck}, step=SECOND, patience_s=0.1)
    for number in range(30):  # more than a turn takes
        desk.happens(alert(event=f"event_{number}"), "fired")
        desk.passes(SECOND)
    assert [at for at, _, _ in desk.told] == [round(number / 60, 2) for number in range(30)]
    assert len(stuck.begun) == 1
    stuck.let_go.set()
    deadline = time.monotonic() + 30
    while outbox.tally(desk.store) != {outbox.SENT: 60}:
        desk.passes(SECOND)
        assert time.monotonic() < deadline
    assert Counter(stuck.begun) == Counter(set(stuck.begun)) and len(stuck.begun) == 30


def test_many_channels_each_hear_everything_once_and_in_order(tmp_path: Path) -> None:
    names = [f"channel_{number:02}" for number in range(20)]
    desk = Desk(tmp_path, channels=names, step=SECOND)
    found = [desk.happens(alert(event=f"event_{number}"), "fired") for number in range(12)]
    desk.passes(10 * SECOND)
    for inbox in desk.inboxes.values():
        heard = [told.notification.alert_id for told in inbox.told]
        assert heard == [each.id for each in found]


def test_nothing_is_begun_when_another_process_may_send_or_at_the_end(tmp_path: Path) -> None:
    stuck = Stuck()
    desk = Desk(tmp_path, channels=["desk"], real={"stuck": stuck}, step=SECOND, patience_s=0.1)
    desk.happens(alert(), "fired")
    desk.happens(alert(event="strike"), "fired")
    desk.clock.time += MINUTE  # the time to send is over while the first is on its way
    stuck.let_go.set()
    deadline = time.monotonic() + 30
    while outbox.tally(desk.store)[outbox.SENT] < 3:
        time.sleep(0.01)
        assert time.monotonic() < deadline
    stage = desk.stage
    stage.close()
    assert len(stuck.begun) == 1
    desk.passes(MINUTE)
    assert len(stuck.begun) == 1  # it is closed
    desk.stage = desk.new_stage()
    desk.passes(MINUTE)
    assert len(stuck.begun) == len(set(stuck.begun)) == 2


class Broken:
    """A channel with a mistake in its code."""

    name = "broken"

    def send(self, notification: Notification) -> None:
        raise ZeroDivisionError


def test_a_mistake_in_a_channel_is_not_swallowed(tmp_path: Path) -> None:
    desk = Desk(tmp_path, channels=["desk"], real={"broken": Broken()})
    with pytest.raises(ZeroDivisionError):
        desk.happens(alert(), "fired")
    assert len(desk.told) == 1
