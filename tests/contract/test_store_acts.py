"""What people do about alerts, over both databases: who may what, who was first, and what is kept of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection

from monitor.domain import Alert, AlertState, digest
from monitor.store import Store, acts, alerts, audit
from monitor.store.acts import ActRefused
from monitor.store.alerts import AlertEvent
from tests.support.make import T0
from tests.support.make import alert as alert_of

HOUR = timedelta(hours=1)
Act = Callable[[Connection, str, str, datetime], None]


def alert(name: str = "one", state: AlertState = AlertState.FIRING) -> Alert:
    over_at = T0 + HOUR if state is AlertState.RESOLVED else None
    return alert_of(event="fraud", severity=3, state=state, id=digest(name), resolved_at=over_at)


def put(store: Store, item: Alert) -> Alert:
    with store.write() as connection:
        alerts.save(connection, item)
    return item


def do(store: Store, act: Act, name: str = "one", who: str = "ann", now: datetime = T0) -> Alert:
    with store.write() as connection:
        act(connection, digest(name), who, now)
    return load(store, name)


def load(store: Store, name: str = "one") -> Alert:
    with store.read() as connection:
        found = alerts.get(connection, digest(name))
    assert found is not None
    return found


def test_acknowledging_happens_once_and_the_second_is_told_who_was_first(store: Store) -> None:
    put(store, alert())
    found = do(store, acts.acknowledge)
    assert (found.state, found.acknowledged_by, found.acknowledged_at) == (
        AlertState.ACKNOWLEDGED,
        "ann",
        T0,
    )
    with pytest.raises(ActRefused, match="ann acknowledged it at 2026-01-05 09:00 UTC"):
        do(store, acts.acknowledge, who="bob")
    with pytest.raises(ActRefused, match="there is none"):
        do(store, acts.acknowledge, "nothing")
    assert alerts.history(store, digest("one")) == [AlertEvent(T0, "acknowledged", "ann")]


def test_every_act_is_in_history_and_audit(store: Store) -> None:
    put(store, alert())
    until = T0 + 4 * HOUR
    steps: list[tuple[str, Act]] = [
        ("assigned", lambda c, i, w, n: acts.assign(c, i, w, n, "bob", "yours")),
        ("snoozed", lambda c, i, w, n: acts.snooze(c, i, w, n, until)),
        ("unsnoozed", lambda c, i, w, n: acts.snooze(c, i, w, n, None)),
        ("unassigned", lambda c, i, w, n: acts.assign(c, i, w, n, None, over=True)),
        ("commented", lambda c, i, w, n: acts.comment(c, i, w, n, "call at two")),
        ("resolved", lambda c, i, w, n: acts.resolve(c, i, w, n, "known")),
        ("judged", lambda c, i, w, n: acts.judge(c, i, w, n, "false", "routine")),
        ("reopened", acts.reopen),
    ]
    seen = {act: do(store, step) for act, step in steps}
    assert seen["assigned"].assigned_to == "bob" and seen["unassigned"].assigned_to is None
    assert seen["snoozed"].snoozed_until == until and seen["unsnoozed"].snoozed_until is None
    closed = seen["resolved"]
    assert (closed.state, closed.closed_by, closed.resolved_at) == (AlertState.RESOLVED, "ann", T0)
    again = seen["reopened"]
    assert (again.state, again.closed_by, again.resolved_at) == (AlertState.FIRING, None, None)

    told = [event.change for event in alerts.history(store, digest("one"))]
    trail = audit.trail(store, digest("one"))
    assert told == [entry.act for entry in trail] == [act for act, _ in steps]
    assert trail[0].before == {"assigned_to": None} and trail[0].after == {"assigned_to": "bob"}
    assert [entry.comment for entry in trail if entry.comment] == [
        *("yours", "call at two", "known", "false: routine"),
    ]


def test_what_an_alert_does_not_allow_is_refused_and_leaves_no_trace(store: Store) -> None:
    put(store, alert("over", AlertState.RESOLVED))
    put(store, alert("pending", AlertState.PENDING))
    refused: list[tuple[str, Act, str]] = [
        ("over", acts.acknowledge, "it was resolved at 2026-01-05 10:00 UTC"),
        ("over", acts.resolve, "cannot be resolved"),
        ("over", lambda c, i, w, n: acts.snooze(c, i, w, n, n + HOUR), "cannot be snoozed"),
        ("pending", acts.acknowledge, "there is none"),
        ("over", lambda c, i, w, n: acts.judge(c, i, w, n, "maybe"), "no verdict 'maybe'.*true"),
    ]
    for name, act, message in refused:
        with pytest.raises(ActRefused, match=message):
            do(store, act, name)
    put(store, alert())
    with pytest.raises(ActRefused, match="that is past"):
        do(store, lambda c, i, w, n: acts.snooze(c, i, w, n, n - HOUR))
    for name in ("one", "over", "pending"):
        assert not audit.trail(store, digest(name)) and not alerts.history(store, digest(name))


def test_one_open_alert_of_an_event(store: Store) -> None:
    put(store, alert("over", AlertState.RESOLVED))
    put(store, alert("newer"))
    with pytest.raises(ActRefused, match=f"the event goes on as alert {digest('newer')[:8]}"):
        do(store, acts.reopen, "over")


def test_of_two_resolved_alerts_of_an_event_one_can_be_reopened(store: Store) -> None:
    put(store, alert("older", AlertState.RESOLVED))
    put(store, replace(alert("newer", AlertState.RESOLVED), updated_at=T0 + HOUR))
    refused: list[str] = []

    def click(name: str) -> None:
        try:
            do(store, acts.reopen, name)
        except ActRefused:
            refused.append(name)

    threads = [threading.Thread(target=click, args=(name,)) for name in ("older", "newer")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["older"]
    assert load(store, "older").state is AlertState.RESOLVED


def test_what_somebody_has_is_not_taken_behind_their_back(store: Store) -> None:
    put(store, alert())
    do(store, lambda c, i, w, n: acts.assign(c, i, w, n, w), who="ann")
    with pytest.raises(ActRefused, match="ann has it already"):
        do(store, lambda c, i, w, n: acts.assign(c, i, w, n, w), who="bob")
    do(store, lambda c, i, w, n: acts.assign(c, i, w, n, "bob"), who="ann")  # gives it away
    do(store, lambda c, i, w, n: acts.assign(c, i, w, n, "eve", over=True), who="carl")
    assert load(store).assigned_to == "eve"


def test_a_snooze_that_is_none_cannot_be_ended(store: Store) -> None:
    put(store, alert())
    with pytest.raises(ActRefused, match="it is not snoozed"):
        do(store, lambda c, i, w, n: acts.snooze(c, i, w, n, None))


def test_the_newest_verdict_of_each_alert_counts(store: Store) -> None:
    put(store, alert())
    put(store, replace(alert("later"), started_at=T0 + HOUR))
    for name, who, verdict in (
        ("one", "ann", "true"),
        ("one", "bob", "true"),
        ("one", "ann", "wrong_company"),
        ("later", "ann", "duplicate"),
    ):
        do(store, lambda c, i, w, n, v=verdict: acts.judge(c, i, w, n, v), name, who)  # type: ignore[misc]
    assert len(acts.verdicts_on(store, digest("one"))) == 3
    counted = [(each.who, each.verdict) for each in acts.verdicts_since(store)]
    assert counted == [("ann", "wrong_company"), ("ann", "duplicate")]
    assert [each.verdict for each in acts.verdicts_since(store, T0 + HOUR)] == ["duplicate"]


def test_of_many_at_once_one_is_first(store: Store) -> None:
    put(store, alert())
    refused: list[str] = []

    def click(who: str) -> None:
        try:
            do(store, acts.acknowledge, who=who)
        except ActRefused as error:
            refused.append(str(error))

    threads = [threading.Thread(target=click, args=(f"analyst {n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = load(store).acknowledged_by
    assert len(refused) == 5 and all(f"{first} acknowledged it" in each for each in refused)
    assert len(audit.trail(store, digest("one"))) == 1


def test_acknowledging_while_the_alert_grows_is_not_lost(store: Store) -> None:
    """The alert stage reads an alert, thinks, and saves it: a person's click falls between."""
    item = put(store, alert())
    clicked = threading.Event()

    def click() -> None:
        clicked.set()
        do(store, acts.acknowledge)

    thread = threading.Thread(target=click)
    with store.write() as connection:
        found = alerts.by_fingerprint(connection, item.fingerprint)
        assert found is not None
        thread.start()
        clicked.wait()
        thread.join(0.2)
        alerts.save(connection, replace(found, items=2))
    thread.join()
    assert (load(store).state, load(store).items) == (AlertState.ACKNOWLEDGED, 2)
