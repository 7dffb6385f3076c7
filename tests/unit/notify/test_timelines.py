"""Every stage of notification as a timeline: this happens then, and that arrives then, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from monitor.domain import AlertState, Notification
from monitor.health import Bounds
from monitor.metrics import Metrics
from monitor.notify.alertmanager import webhook_body
from monitor.notify.channels import ChannelConfig, build_channel
from monitor.notify.heartbeat import Heartbeat
from monitor.notify.port import ChannelRetriable
from monitor.store import Store, alerts, outbox, progress, silences
from monitor.store.progress import Progress
from monitor.stream.codec import AlertChange
from tests.support.make import T0
from tests.support.receiver import Receiver
from tests.unit.notify.desk import Desk, Down, MovedClock, alert, surge

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NEW, WORSE = "new alert", "it is worse than was known"
GROUPED = """
route:
  channels: [desk]
  group_by: [company]
  group_wait: 30s
  group_interval: 5m
"""


def reasons(desk: Desk, state: str) -> list[str]:
    return [receipt.reason for receipt in outbox.receipts(desk.store, 100, state=state)]


def test_without_a_file_every_channel_hears_at_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.happens(alert(), "fired")
    desk.happens(alert(severity=2, event="strike"), "fired")
    desk.happens(replace(alert(severity=5)), "escalated")
    desk.happens(alert(), "acknowledged")
    desk.passes(HOUR)
    assert desk.told == [(0.0, c, r) for c in ("boss", "desk", "pager") for r in (NEW, WORSE)]
    assert reasons(desk, outbox.SUPPRESSED) == ["severity 2 is below 3"] * 3


def test_route_the_first_that_matches_and_on_where_it_says_so(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path,
        """
route:
  channels: [desk]
  group_wait: 0s
  group_interval: 0s
  routes:
    - {match: {severity: ">=5"}, channels: [boss], continue: true}
    - {match: {group: rates}, channels: [pager]}
""",
    )
    desk.happens(alert("acme", severity=4), "fired")
    desk.happens(alert("brown", severity=4), "fired")
    desk.happens(alert("brown", "fraud", severity=5), "fired")
    desk.happens(alert("acme", "fraud", severity=5), "fired")
    assert [channel for _, channel, _ in desk.told] == ["boss", "boss", "desk", "pager", "pager"]


def test_a_team_hears_of_what_its_own_rules_found(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path,
        """
route:
  channels: [desk]
  routes:
    - {match: {rule: [credit-defaults, credit-ratings]}, channels: [pager]}
""",
    )
    for company, rules in (("acme", ("company-trouble",)), ("brown", ("x", "credit-ratings"))):
        found = alert(company)
        named = {"rules": dict.fromkeys(rules, found.started_at.isoformat())}
        desk.happens(replace(found, details={**found.details, **named}), "fired")
    assert [channel for _, channel, _ in desk.told] == ["desk", "pager"]


def test_group_wait_and_group_interval(tmp_path: Path) -> None:
    """The first word of a story goes at once; what follows within the interval goes together at its end."""
    desk = Desk(tmp_path, GROUPED)
    first = desk.happens(alert(), "fired")
    desk.passes(MINUTE)
    desk.happens(replace(first, severity=5), "escalated")
    desk.passes(MINUTE)
    desk.happens(surge(), "fired")  # explained by the story: inhibited
    desk.happens(alert(event="strike", at=T0 + MINUTE), "developed")
    desk.passes(10 * MINUTE)
    assert desk.told == [(0.0, "desk", NEW), (5.0, "desk", "group")]
    (held,) = reasons(desk, outbox.SUPPRESSED)
    assert held.startswith("inhibited: explained by the story alert Acme: recall")
    payload = desk.inboxes["desk"].told[1].notification.payload
    assert [each["reason"] for each in payload["alerts"]] == [  # type: ignore[attr-defined]
        WORSE,
        "something new is reported of it",
    ]


def test_the_messages_of_a_group_have_one_key_in_alertmanagers_words(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path,
        GROUPED.replace("[company]", "[company, sector]")
        + "  routes: [{name: rates, match: {group: rates}}, {name: other}]\n",
    )
    first = desk.happens(alert("brown"), "fired")
    desk.happens(replace(alert("acme")), "fired")
    desk.happens(replace(first, severity=5), "escalated")
    desk.happens(alert("brown", "strike"), "fired")
    desk.happens(alert("brown", "fraud"), "developed")
    desk.passes(10 * MINUTE)
    told = [webhook_body(each.notification.payload, "desk") for each in desk.inboxes["desk"].told]
    other, rates = (
        'other:{company="Brown Motor",sector="cars"}',
        'rates:{company="Acme",sector="lamps"}',
    )
    assert [body["groupKey"] for body in told] == [other, rates, other, other]
    assert (
        told[0]["groupLabels"]
        == told[3]["groupLabels"]
        == {
            "company": "Brown Motor",
            "sector": "cars",
        }
    )
    assert len(told[3]["alerts"]) == 2  # type: ignore[arg-type]


def test_a_surge_waits_for_its_group(tmp_path: Path) -> None:
    desk = Desk(tmp_path, GROUPED)
    desk.happens(surge("acme"), "fired")
    desk.passes(timedelta(seconds=20))
    desk.happens(surge("brown"), "fired")  # another group
    desk.passes(10 * MINUTE)
    assert desk.told == [(0.5, "desk", NEW), (0.83, "desk", NEW)]


def test_dedup_the_last_word_of_an_alert_is_enough(tmp_path: Path) -> None:
    desk = Desk(tmp_path, GROUPED)
    first = desk.happens(alert(), "fired")
    desk.passes(MINUTE)
    desk.happens(replace(first, severity=5), "escalated")
    desk.passes(MINUTE)
    desk.happens(replace(first, severity=5), "denied")
    desk.passes(10 * MINUTE)
    assert desk.told == [(0.0, "desk", NEW), (5.0, "desk", "it is denied")]
    assert reasons(desk, outbox.SUPPRESSED) == ["a newer message of the same alert is sent"]


def test_dedup_one_change_heard_twice_is_told_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.happens(alert(), "fired")
    desk.stage = desk.new_stage(holder="two")  # and another process hears of it
    desk._seq = 0
    desk.happens(alert(), "fired")
    desk.passes(5 * MINUTE)
    assert len(desk.told) == 3


def test_repeat_interval_reminds_until_somebody_acknowledges(tmp_path: Path) -> None:
    desk = Desk(tmp_path, GROUPED + "  repeat_interval: 4h\n", step=MINUTE)
    first = desk.happens(alert(), "fired")
    desk.passes(9 * HOUR)
    desk.stage = desk.new_stage()  # a restart changes nothing
    desk.acknowledge(first)
    desk.passes(9 * HOUR)
    reminder = "reminder: nobody has acknowledged it"
    assert desk.told == [(0.0, "desk", NEW), (240.0, "desk", reminder), (480.0, "desk", reminder)]


def test_escalation_calls_others_until_somebody_acknowledges(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path,
        GROUPED
        + "  escalate: [{after: 15m, channels: [pager]}, {after: 1h, channels: [boss, pager]}]\n",
        step=MINUTE,
    )
    first = desk.happens(alert(), "fired")
    desk.passes(30 * MINUTE)
    second = desk.happens(alert("brown"), "fired")
    desk.passes(10 * MINUTE)
    desk.acknowledge(second)
    desk.passes(3 * HOUR)
    desk.happens(replace(first, severity=5), "escalated")  # worse: the steps begin again
    desk.passes(20 * MINUTE)
    nobody = "nobody has acknowledged it for "
    assert desk.told == [
        (0.0, "desk", NEW),
        (15.0, "pager", nobody + "15 min"),
        (30.0, "desk", NEW),
        (60.0, "boss", nobody + "60 min"),
        (60.0, "pager", nobody + "60 min"),
        (221.0, "desk", WORSE),
        (235.0, "pager", nobody + "15 min"),
    ]


def test_what_is_inhibited_or_silenced_calls_nobody(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path,
        GROUPED + "  repeat_interval: 1h\n  escalate: [{after: 15m, channels: [pager]}]\n",
        step=MINUTE,
    )
    story = desk.happens(alert(), "fired")
    desk.acknowledge(story)
    desk.happens(surge(), "fired")  # explained by the story
    with desk.store.write() as connection:
        silences.add(connection, {"company": "brown"}, T0, T0 + 9 * HOUR, "ann", "", T0)
    desk.happens(alert("brown"), "fired")
    desk.passes(3 * HOUR)
    assert desk.told == [(0.0, "desk", NEW)]


def test_silence_says_whose_and_ends(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with desk.store.write() as connection:
        silences.add(
            *(connection, {"company": "Acme", "severity": ["3", "4"]}, T0, T0 + HOUR),
            *("ann", "works at night", T0),
        )
    desk.happens(alert(), "fired")
    desk.happens(alert("brown"), "fired")
    desk.happens(alert(event="fraud", severity=5), "fired")
    assert reasons(desk, outbox.WAITING)[0] == (
        "silence 1 of ann until 2026-01-05 10:00 UTC: works at night"
    )
    desk.passes(HOUR)
    desk.happens(alert(event="strike"), "fired")
    late = NEW + "; it was silenced until now"
    assert [(at, reason) for at, channel, reason in desk.told if channel == "desk"] == [
        *((0.0, NEW), (0.0, NEW), (60.0, late), (60.0, NEW))
    ]


def test_a_silence_that_somebody_ended_holds_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with desk.store.write() as connection:
        id_ = silences.add(connection, {"kind": "story"}, T0, T0 + HOUR, "ann", "", T0)
        assert silences.expire(connection, id_, T0 + MINUTE)
        assert not silences.expire(connection, id_, T0 + 2 * MINUTE)
    desk.passes(2 * MINUTE)
    desk.happens(alert(), "fired")
    assert len(desk.told) == 3


def test_snooze_waits_and_wakes_for_what_is_worse(tmp_path: Path) -> None:
    desk = Desk(tmp_path, channels=["desk"], step=MINUTE)
    asleep = replace(alert(), snoozed_until=T0 + 2 * HOUR)
    desk.happens(asleep, "corrected")
    desk.passes(10 * MINUTE)
    # What is worse wakes it (`monitor.alert.states`): the snooze is over by then.
    desk.happens(replace(asleep, severity=5, snoozed_until=None), "escalated")
    desk.passes(3 * HOUR)
    assert desk.told == [(10.0, "desk", WORSE), (120.0, "desk", "a report of it is corrected")]


def test_what_waits_is_held_by_a_silence_or_a_story_that_came_meanwhile(tmp_path: Path) -> None:
    desk = Desk(tmp_path, GROUPED)
    desk.happens(surge("acme"), "fired")
    desk.happens(surge("brown"), "fired")
    desk.passes(timedelta(seconds=10))
    desk.happens(alert("acme"), "fired")
    with desk.store.write() as connection:
        silences.add(connection, {"company": "brown"}, T0, T0 + HOUR, "ann", "known", T0)
    desk.passes(10 * MINUTE)
    assert desk.told == [(0.17, "desk", NEW)]
    held = reasons(desk, outbox.WAITING) + reasons(desk, outbox.SUPPRESSED)
    assert [reason.partition(" ")[0] for reason in held] == ["silence", "inhibited:"]


def test_what_waits_is_snoozed_too_and_holds_up_no_other_of_its_group(tmp_path: Path) -> None:
    desk = Desk(tmp_path, GROUPED)
    first = desk.happens(surge(), "fired")
    with desk.store.write() as connection:
        alerts.save(connection, replace(first, snoozed_until=T0 + HOUR))
    desk.passes(10 * MINUTE)
    desk.happens(replace(surge(at=T0 + MINUTE), event="volume_surge"), "fired")
    desk.passes(2 * HOUR)
    assert desk.told == [(10.5, "desk", NEW), (60.0, "desk", NEW)]


def test_quiet_hours_wait_for_the_morning_but_for_the_gravest(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path,
        """
hours:
  night: {from: "19:00", to: "07:00", zone: Europe/London}
  office: {days: mon-fri, from: "08:00", to: "18:00", zone: Europe/London}
route:
  channels: [desk]
  quiet_hours: night
  breaks_through: 5
  group_wait: 0s
  group_interval: 0s
  routes:
    - {match: {company: brown}, active_hours: office, quiet_hours: null, channels: [pager]}
""",
        step=10 * MINUTE,
    )
    desk.passes(timedelta(hours=11))  # 20:00 on Monday
    desk.happens(alert(severity=4), "fired")
    desk.happens(alert(event="fraud", severity=5), "fired")
    desk.happens(alert("brown", severity=4), "fired")
    over = desk.happens(alert(event="strike", severity=4), "fired")
    desk.happens(replace(over, state=AlertState.RESOLVED, resolved_at=T0), "resolved")
    desk.passes(timedelta(hours=16))
    hour = 60.0
    assert desk.told == [
        (11 * hour, "desk", NEW),
        (22 * hour, "desk", NEW),
        (23 * hour, "pager", NEW),
    ]
    assert reasons(desk, outbox.SUPPRESSED) == ["the alert was over before it was told"]


def test_digest_is_one_message_a_day(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path,
        """
route:
  channels: [desk]
  routes:
    - {match: {severity: ["3"]}, digest: "07:30 Europe/London"}
""",
        step=10 * MINUTE,
    )
    desk.happens(alert(severity=3), "fired")
    desk.happens(alert("brown", severity=3), "fired")
    desk.happens(alert("brown", "fraud", severity=4), "fired")
    desk.passes(timedelta(hours=48))
    assert desk.told == [(0.0, "desk", NEW), (22.5 * 60, "desk", "digest")]
    digest = desk.inboxes["desk"].told[1].notification
    assert digest.subject.startswith("Digest, 2 alerts: ")
    assert "Acme: recall" in digest.body and "Brown Motor: recall" in digest.body


def test_a_replay_records_and_sends_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path, GROUPED, send=False)
    desk.happens(alert(), "fired")
    desk.passes(HOUR)
    assert desk.told == [] and outbox.tally(desk.store) == {outbox.RECORDED: 1}


def test_what_no_channel_hears_says_so(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path, "route: {channels: [desk], routes: [{match: {group: credit}, channels: []}]}"
    )
    desk.happens(alert("brown"), "fired")
    desk.passes(HOUR)
    assert desk.told == []
    assert reasons(desk, outbox.SUPPRESSED) == ["route route.routes[0] has no channel"]


def test_the_end_is_told_where_it_is_asked_for(tmp_path: Path) -> None:
    desk = Desk(tmp_path, GROUPED + "  send_resolved: true\n")
    first = desk.happens(alert(), "fired")
    desk.passes(HOUR)
    desk.happens(replace(first, state=AlertState.RESOLVED, resolved_at=T0 + HOUR), "resolved")
    desk.passes(HOUR)
    assert [(at, reason) for at, _, reason in desk.told] == [
        (0.0, NEW),
        (60.5, "it is over: quiet for long enough"),
    ]


def test_a_channel_down_for_an_hour_loses_nothing_and_sends_once(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.status = 503
    hook = build_channel(ChannelConfig("hook", "webhook", receiver.url, "k"))
    desk = Desk(tmp_path, channels=["desk"], real={"hook": hook}, step=timedelta(seconds=5))
    for number in range(30):
        desk.happens(alert(event=f"event_{number}"), "fired")
        desk.passes(2 * MINUTE)
        if number == 15:
            desk.stage = desk.new_stage()  # a restart in the middle
    assert len(desk.told) == 30  # the other channel does not wait
    assert receiver.keys == [] and len(receiver.received) < 60  # probes, not a storm
    receiver.status = 200
    desk.passes(16 * MINUTE)
    assert len(receiver.keys) == len(set(receiver.keys)) == 30
    assert outbox.tally(desk.store) == {outbox.SENT: 60}
    sent = [r for r in outbox.receipts(desk.store, 100, channel="hook")]
    assert all(r.settled_at is not None and r.reason == "" for r in sent)


class Choosy:
    """A receiver that answers one message with an error of its own for ever."""

    name = "hook"

    def __init__(self) -> None:
        self.taken: list[str] = []

    def send(self, notification: Notification) -> None:
        if "poison" in notification.subject:
            raise ChannelRetriable("HTTP 500")
        self.taken.append(notification.alert_id)


def test_a_message_that_its_receiver_cannot_take_holds_up_no_other(tmp_path: Path) -> None:
    hook = Choosy()
    desk = Desk(tmp_path, channels=[], real={"hook": hook})
    found = [alert(event=name) for name in ("poison", "poison two", "recall", "fraud", "strike")]
    with desk.store.write() as connection:
        for each in found:
            alerts.save(connection, each)
    desk.hear(*(AlertChange(at, "fired", 0, each) for at, each in enumerate(found)))
    desk.passes(10 * MINUTE)
    assert sorted(hook.taken) == sorted(each.id for each in found[2:])
    assert outbox.tally(desk.store) == {outbox.PENDING: 2, outbox.SENT: 3}


class Slow:
    """A receiver that takes nine seconds for each message, while another process has its turn."""

    name = "hook"

    def __init__(self, clock: MovedClock) -> None:
        self.clock = clock
        self.taken: list[int] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def send(self, notification: Notification) -> None:
        self.taken.append(notification.id)
        self.clock.time += timedelta(seconds=9)
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        self.meanwhile = meanwhile


def test_a_slow_channel_does_not_outlast_the_lease(tmp_path: Path) -> None:
    desk = Desk(tmp_path, channels=["hook"])
    hook = Slow(desk.clock)
    desk.channels["hook"] = hook
    other = desk.new_stage(holder="two")

    def turn_of_the_other() -> None:
        if (after := other.process([]).after) is not None:
            after()

    found = [alert(event=f"event_{number}") for number in range(15)]
    with desk.store.write() as connection:
        for each in found:
            alerts.save(connection, each)
    hook.meanwhile = turn_of_the_other
    desk.hear(*(AlertChange(at, "fired", 0, each) for at, each in enumerate(found)))
    desk.passes(10 * MINUTE)
    assert len(hook.taken) == len(set(hook.taken)) == 15


def test_when_a_channel_is_back_all_that_waited_follows_at_once(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.status = 503
    hook = build_channel(ChannelConfig("hook", "webhook", receiver.url, "k"))
    desk = Desk(tmp_path, channels=[], real={"hook": hook}, step=timedelta(seconds=5))
    for number in range(5):
        desk.happens(alert(event=f"event_{number}"), "fired")
    desk.passes(HOUR)
    receiver.status = 200
    desk.happens(alert(event="probe"), "fired")
    desk.passes(timedelta(seconds=10))
    assert len(receiver.keys) == 6


def test_the_heartbeat_ends_when_decisions_stand_still(tmp_path: Path, receiver: Receiver) -> None:
    clock = MovedClock()
    store = Store(f"sqlite:///{tmp_path / 'beat.db'}")
    url = f"{receiver.url}secret"
    metrics = Metrics()
    beats = Heartbeat(url, MINUTE, Bounds(10 * MINUTE, HOUR), store, clock, metrics)
    assert not beats.beat()  # nothing was ever decided
    with store.write() as connection:
        progress.save(connection, Progress("alert", "alerts", 0, through_at=T0))
    heard = []
    for minute in range(1, 21):
        clock.time = T0 + minute * MINUTE
        heard += [minute] if beats.beat() else []
        assert not beats.beat()  # not twice a minute
    assert heard == list(range(1, 11)) and len(receiver.received) == 10
    assert "secret" not in repr(beats)


def test_the_heartbeat_ends_when_what_is_due_does_not_go_out(
    tmp_path: Path, receiver: Receiver
) -> None:
    desk = Desk(
        tmp_path,
        """
hours: {night: {from: "08:00", to: "12:00", zone: UTC}}
route: {channels: [hook], quiet_hours: night, breaks_through: 6}
""",
        channels=["hook"],
        step=MINUTE,
    )
    url = f"{receiver.url}beat"
    beats = Heartbeat(url, MINUTE, Bounds(), desk.store, desk.clock, Metrics())
    desk.heartbeat = beats
    desk.stage = desk.new_stage()

    def passes(minutes: int) -> list[int]:
        """Say when it beat, in minutes since the beginning."""
        beaten = []
        for _ in range(minutes):
            before = len(receiver.received)
            with desk.store.write() as connection:
                progress.save(
                    connection, Progress("alert", "alerts", 0, through_at=desk.clock.now())
                )
            desk.passes(MINUTE)
            if len(receiver.received) > before:
                beaten.append(round((desk.clock.now() - T0) / MINUTE))
        return beaten

    desk.happens(alert(), "fired")  # it waits until 12:00: that is no trouble
    assert passes(179) == list(range(1, 180))
    inbox, desk.channels["hook"] = desk.channels["hook"], Down("hook")
    assert passes(60) == list(range(180, 196))  # due at 180
    desk.channels["hook"] = inbox
    beaten = passes(20)
    ((told_at, _, _),) = desk.told
    assert beaten == list(range(int(told_at) + 1, 260))
