"""Alerts, signals and the outbox: one suite over SQLite and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from monitor.domain import MAX_EVIDENCE, Alert, AlertKind, AlertState, Dimension, Evidence, digest
from monitor.store import Store, alerts, outbox, silences
from monitor.store.alerts import AlertEvent
from monitor.store.outbox import Draft
from tests.support.make import T0


def evidence(name: str, minutes: int = 0) -> Evidence:
    return Evidence(
        article_id=digest(name),
        revision="0" * 16,
        published_at=T0 + timedelta(minutes=minutes),
        publisher=f"{name}.example",
        title=f"Title {name}",
        url=None,
        quote="a quote",
        score=None,
        mark="rumour",
    )


def alert(name: str = "one", **changes: object) -> Alert:
    base = Alert(
        id=digest(name),
        fingerprint="story|acme|fraud",
        kind=AlertKind.STORY,
        state=AlertState.FIRING,
        dimension=Dimension.COMPANY,
        key="acme",
        event="fraud",
        severity=4,
        title="Acme: fraud",
        started_at=T0,
        updated_at=T0,
        decided_at=T0 + timedelta(seconds=3),
        items=1,
        publishers=1,
        details={"rule": "fraud", "z": 4.5, "denied": True, "score": None},
        evidence=(evidence("a"),),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def save(store: Store, *items: Alert) -> None:
    with store.write() as connection:
        for item in items:
            alerts.save(connection, item)


def load(store: Store, item: Alert) -> Alert:
    with store.read() as connection:
        found = alerts.get(connection, item.id)
    assert found is not None
    return found


@contextmanager
def writing(store: Store) -> Iterator[Connection]:
    with store.write() as connection:
        yield connection


def test_an_alert_comes_back_as_it_was(store: Store) -> None:
    item = alert(
        acknowledged_by="ann",
        acknowledged_at=T0 + timedelta(hours=1),
        resolved_at=T0 + timedelta(hours=2),
        assigned_to="bob",
        snoozed_until=T0 + timedelta(hours=3),
        closed_by="ann",
        state=AlertState.RESOLVED,
    )
    save(store, item)
    assert load(store, item) == item


def test_evidence_grows_and_the_rest_is_replaced(store: Store) -> None:
    save(store, alert())
    grown = alert(items=2, publishers=2, severity=5, evidence=(evidence("b", 5),))
    save(store, grown, grown)

    found = load(store, grown)
    assert found == replace(grown, evidence=(evidence("a"), evidence("b", 5)))


def test_a_full_alert_keeps_just_the_evidence_it_is_given(store: Store) -> None:
    full = [evidence(f"item {number}") for number in range(MAX_EVIDENCE)]
    save(store, alert(evidence=tuple(full)))
    save(store, alert(evidence=(*full[1:], evidence("earlier"))))
    assert {item.article_id for item in load(store, alert()).evidence} == {
        item.article_id for item in (*full[1:], evidence("earlier"))
    }


def test_what_is_known_to_be_stored_is_not_written_again(store: Store) -> None:
    one, other = alert("one", fingerprint="1"), alert("other", fingerprint="2")
    before: Alert | None = None
    for number in range(MAX_EVIDENCE + 5):
        newest = [evidence(f"item {n}") for n in range(number + 1)][-MAX_EVIDENCE:]
        one, other = (replace(each, items=number, evidence=tuple(newest)) for each in (one, other))
        with store.write() as connection:
            alerts.save(connection, one)
            alerts.save(connection, other, before)
        before = other
    assert load(store, one).evidence == load(store, other).evidence
    assert len(load(store, other).evidence) == MAX_EVIDENCE
    assert load(store, other).items == MAX_EVIDENCE + 4


def test_the_alert_of_a_fingerprint_is_the_one_that_is_not_over(store: Store) -> None:
    over = alert(
        "over",
        state=AlertState.RESOLVED,
        updated_at=T0 + timedelta(hours=9),
        resolved_at=T0 + timedelta(days=2),
    )
    older = alert("older", state=AlertState.RESOLVED, resolved_at=T0)
    save(store, older, over)
    with store.write() as connection:
        assert alerts.by_fingerprint(connection, over.fingerprint) == over
        assert alerts.by_fingerprint(connection, "story|acme|recall") is None

    still_open = alert("open", updated_at=T0 + timedelta(hours=8))
    save(store, still_open)
    with store.write() as connection:
        assert alerts.by_fingerprint(connection, over.fingerprint) == still_open


def test_unresolved_leaves_out_what_is_over(store: Store) -> None:
    save(
        store,
        alert("late", updated_at=T0 + timedelta(hours=1)),
        alert("early"),
        alert("faded", state=AlertState.PENDING, resolved_at=T0),
        alert("over", state=AlertState.RESOLVED, resolved_at=T0),
    )
    with store.write() as connection:
        found = alerts.unresolved(connection, [AlertState.PENDING, AlertState.FIRING])
    assert [item.id for item in found] == [digest("early"), digest("late")]


def test_people_see_open_alerts_first_and_never_pending_ones(store: Store) -> None:
    save(
        store,
        alert("over", state=AlertState.RESOLVED, severity=5),
        alert("mild", severity=3),
        alert("grave", severity=5, key="zenith"),
        alert("faded", state=AlertState.PENDING, resolved_at=T0),
    )
    assert [item.id for item in alerts.latest(store)] == [
        digest("grave"),
        digest("mild"),
        digest("over"),
    ]
    assert [item.id for item in alerts.latest(store, key="zenith")] == [digest("grave")]
    assert alerts.latest(store, limit=1)[0].evidence == (evidence("a"),)
    assert alerts.count(store) == 3
    assert alerts.open_by_key(store) == {"acme": 1, "zenith": 1}


def test_events_wait_until_they_are_relayed(store: Store) -> None:
    with store.write() as connection:
        for change in ("fired", "escalated", "resolved"):
            alerts.record_event(connection, digest("one"), AlertEvent(T0, change, "foreshock"))
    with store.read() as connection:
        waiting = alerts.unrelayed(connection, 2)
    assert [event.change for event in waiting] == ["fired", "escalated"]

    with store.write() as connection:
        alerts.mark_relayed(connection, [event.seq for event in waiting])
    with store.read() as connection:
        assert [event.change for event in alerts.unrelayed(connection, 9)] == ["resolved"]
    assert [each.change for each in alerts.history(store, digest("one"))] == [
        "fired",
        "escalated",
        "resolved",
    ]


def test_signals_are_taken_in_order_of_ingest(store: Store) -> None:
    keys = [
        (digest(name), "0" * 16, T0 + timedelta(minutes=at)) for name, at in (("b", 5), ("a", 1))
    ]
    with store.write() as connection:
        alerts.add_signals(connection, iter(keys))
        alerts.add_signals(connection, [])
    with store.read() as connection:
        everything = alerts.waiting_signals(connection, None, 10)
        until = alerts.waiting_signals(connection, T0 + timedelta(minutes=1), 10)
        first = alerts.waiting_signals(connection, None, 1)
    assert [signal.article_id for signal in everything] == [digest("a"), digest("b")]
    assert until == first == everything[:1]

    with store.write() as connection:
        alerts.remove_signals(connection, [everything[0].seq])
        alerts.remove_signals(connection, [])
        assert alerts.waiting_signals(connection, None, 10) == everything[1:]


# Outbox --------------------------------------------------------------------------------------------


def draft(key: str, state: str = outbox.PENDING) -> Draft:
    return Draft(key, "console", digest("one"), "Subject", "Body", {"score": 0.5}, state, "")


def test_a_notification_is_written_once(store: Store) -> None:
    with store.write() as connection:
        assert outbox.add(connection, draft("one"), T0)
        assert not outbox.add(connection, draft("one"), T0 + timedelta(hours=1))
    with store.write() as connection:
        assert not outbox.add(connection, draft("one"), T0)
        assert outbox.add(connection, draft("two", outbox.RECORDED), T0)
        (waiting,) = outbox.due(connection, T0, 10)

    assert (waiting.idempotency_key, waiting.payload, waiting.attempts) == (
        "one",
        {"score": 0.5},
        0,
    )
    assert outbox.tally(store) == {"pending": 1, "recorded": 1}


def test_a_postponed_notification_waits_for_its_time(store: Store) -> None:
    with store.write() as connection:
        outbox.add(connection, draft("one"), T0)
        (first,) = outbox.due(connection, T0, 10)
        outbox.postpone(connection, first, "channel down", T0 + timedelta(minutes=1))
        assert outbox.due(connection, T0 + timedelta(seconds=59), 10) == []
        (again,) = outbox.due(connection, T0 + timedelta(minutes=1), 10)
        assert again == replace(first, attempts=1)
        outbox.settle(connection, again.id, outbox.SENT, "", T0)
        assert outbox.due(connection, T0 + timedelta(days=1), 10) == []

    (told,) = outbox.of_alert(store, digest("one"))
    assert (told["state"], told["channel"], told["created_at"]) == ("sent", "console", T0)


def test_a_channel_in_trouble_holds_all_its_messages_and_no_others(store: Store) -> None:
    later = T0 + timedelta(minutes=5)
    with store.write() as connection:
        for key in ("one", "two"):
            outbox.add(connection, draft(key), T0)
        outbox.add(connection, replace(draft("three"), channel="mail"), T0)
        first, *_ = outbox.due(connection, T0, 10)
        assert outbox.failures(connection, "console") == 0
        outbox.postpone(connection, first, "channel down", later)
        assert [each.channel for each in outbox.due(connection, T0, 10)] == ["mail"]
        assert outbox.failures(connection, "console") == 1
        assert outbox.hurry(connection, "console", T0) == 2
        assert len(outbox.due(connection, T0, 10)) == 3


def test_what_waits_is_ripe_at_its_time(store: Store) -> None:
    due = T0 + timedelta(minutes=5)
    waits = replace(draft("one", outbox.WAITING), due_at=due, group="g", route="r", change="fired")
    with store.write() as connection:
        outbox.add(connection, waits, T0)
        outbox.add(connection, replace(waits, idempotency_key="two", group="h"), T0)
        assert outbox.waits_until(connection, "console", "g") == due
        assert outbox.waits_until(connection, "console", "other") is None
        assert outbox.told_at(connection, "console", "g") is None
        assert not outbox.is_due(connection, T0) and outbox.ripe(connection, T0) == []
        assert outbox.is_due(connection, due)
        first, second = outbox.ripe(connection, due)
        assert (first.group, first.route, first.change) == ("g", "r", "fired")
        outbox.release(connection, [first.id], due)
        outbox.end(connection, [second.id], outbox.GROUPED, "sent within", due)
        outbox.end(connection, [], outbox.GROUPED, "nothing", due)
        assert outbox.ripe(connection, due) == []
        assert outbox.told_at(connection, "console", "g") == due
        assert outbox.told_at(connection, "console", alert_id=digest("one")) == due
    states = {r.state: r.reason for r in outbox.receipts(store, 10, alert_id=digest("one")[:6])}
    assert states == {"pending": "", "grouped": "sent within"}
    assert outbox.receipts(store, 10, channel="mail") == []
    assert len(outbox.receipts(store, 10, state="grouped")) == 1


def test_what_was_due_and_written_when_is_known(store: Store) -> None:
    minute = timedelta(minutes=1)
    first = replace(draft("one"), route="r", change="fired")
    with store.write() as connection:
        assert outbox.waits_since(connection) is None and outbox.due_channels(connection, T0) == []
        outbox.add(connection, first, T0)
        outbox.add(connection, replace(first, idempotency_key="two", channel="mail"), T0 + minute)
        assert outbox.written(connection, digest("one")) == [
            outbox.Written("one", "r", "fired", T0),
            outbox.Written("two", "r", "fired", T0 + minute),
        ]
        assert outbox.written(connection, digest("two")) == []
        assert outbox.due_channels(connection, T0) == ["console"]
        assert outbox.due_channels(connection, T0 + minute) == ["console", "mail"]
        (mine,) = outbox.due(connection, T0 + minute, 10, "console")
        outbox.postpone(connection, mine, "channel down", T0 + 9 * minute)
        assert outbox.waits_since(connection) == T0  # a try moves nothing
        outbox.keep(connection, mine.id, T0 + 9 * minute)
        assert outbox.waits_since(connection) == T0 + minute


def test_what_waits_apart_is_looked_at_again_and_may_say_something_else(store: Store) -> None:
    minute, hour = timedelta(minutes=1), timedelta(hours=1)
    waits = replace(draft("one", outbox.WAITING), due_at=T0 + hour, group="g.silence")
    with store.write() as connection:
        outbox.add(connection, waits, T0)
        outbox.add(connection, replace(waits, idempotency_key="two", group="g.snooze"), T0)
        outbox.look_again(connection, "snooze", T0 + minute, "another alert")
        assert outbox.ripe(connection, T0 + minute) == []
        outbox.look_again(connection, "silence", T0 + minute)
        (message,) = outbox.ripe(connection, T0 + minute)
        assert message.stage == "silence" and not outbox.told_after(connection, message)
        outbox.reword(connection, message.id, "Other", "Text", {"score": 1})
        outbox.add(connection, draft("three"), T0 + minute)
        assert outbox.told_after(connection, message)
        assert not outbox.told_after(connection, replace(message, channel="mail"))
        (again,) = outbox.ripe(connection, T0 + minute)
    assert (again.subject, again.body, again.payload) == ("Other", "Text", {"score": 1})


def test_silences_hold_from_their_start_to_their_end(store: Store) -> None:
    hour = timedelta(hours=1)
    with store.write() as connection:
        id_ = silences.add(
            connection, {"company": "Acme"}, T0 + hour, T0 + 3 * hour, "ann", "works", T0
        )
    with store.write() as connection:
        assert silences.active(connection, T0) == []
        (held,) = silences.active(connection, T0 + hour)
        assert (held.id, held.matchers, held.who) == (id_, {"company": "Acme"}, "ann")
        assert silences.expire(connection, id_, T0 + 2 * hour)
        assert silences.active(connection, T0 + 2 * hour) == []
        assert not silences.expire(connection, id_, T0 + 2 * hour)
        assert silences.ended(connection, T0 + 2 * hour, T0 + 4 * hour) == []
        assert silences.ended(connection, T0, T0 + hour) == []
        (over,) = silences.ended(connection, T0, T0 + 2 * hour)
        assert over.id == id_
    (kept,) = silences.latest(store, 10)
    assert kept.ends_at == T0 + 2 * hour


def test_when_an_alert_last_began_to_fire(store: Store) -> None:
    save(store, alert())
    with store.write() as connection:
        assert alerts.fired_at(connection, alert().id) is None
        for hours, change in ((0, "fired"), (1, "escalated"), (2, "denied")):
            event = AlertEvent(T0 + timedelta(hours=hours), change, "foreshock")
            alerts.record_event(connection, alert().id, event)
        assert alerts.fired_at(connection, alert().id) == T0 + timedelta(hours=1)
