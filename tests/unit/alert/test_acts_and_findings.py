"""People and news at once: any interleaving of acts and findings keeps what the desk relies on."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alert.states import Finding, Life, advance
from monitor.domain import OPEN_STATES, AlertKind, AlertState, Dimension, Evidence, digest
from monitor.store import Store, acts, alerts, audit
from monitor.store.acts import ActRefused
from monitor.store.alerts import AlertEvent
from tests.support.make import T0

LIFE = Life(quiet=timedelta(hours=48), cooldown=timedelta(hours=24))
HOUR = timedelta(hours=1)
ACTS = ("acknowledge", "assign", "snooze", "wake", "resolve", "reopen", "comment", "judge")


def finding(hour: float, severity: int, mark: str) -> Finding:
    at = T0 + hour * HOUR
    proof = Evidence(digest(f"{hour}"), "r", at, f"p{hour}", f"title {hour}", None, "q", None, mark)
    return Finding(
        fingerprint="story|acme|fraud",
        kind=AlertKind.STORY,
        dimension=Dimension.COMPANY,
        key="acme",
        event="fraud",
        severity=severity,
        title="Acme: fraud",
        at=at,
        decided_at=at,
        fires=mark == "",
        mark=mark,
        details={},
        evidence=(proof,),
        events=frozenset({"fraud"}),
    )


def news(store: Store, found: Finding) -> None:
    """What the alert stage does with a finding."""
    with store.write() as connection:
        known = alerts.by_fingerprint(connection, found.fingerprint)
        for step in advance(known, found, LIFE):
            alerts.save(connection, step.alert)
            if step.change is not None:
                event = AlertEvent(found.decided_at, step.change, "foreshock")
                alerts.record_event(connection, step.alert.id, event)


def act(store: Store, hour: float, name: str, which: int) -> None:
    now = T0 + hour * HOUR
    told = sorted(alerts.latest(store), key=lambda each: each.started_at)
    if not told:
        return
    id_ = told[which % len(told)].id
    deeds = {
        "acknowledge": lambda c: acts.acknowledge(c, id_, "ann", now),
        "assign": lambda c: acts.assign(c, id_, "ann", now, "bob"),
        "snooze": lambda c: acts.snooze(c, id_, "ann", now, now + 100 * HOUR),
        "wake": lambda c: acts.snooze(c, id_, "ann", now, None),
        "resolve": lambda c: acts.resolve(c, id_, "ann", now),
        "reopen": lambda c: acts.reopen(c, id_, "ann", now),
        "comment": lambda c: acts.comment(c, id_, "ann", now, "text"),
        "judge": lambda c: acts.judge(c, id_, "ann", now, "true"),
    }
    with contextlib.suppress(ActRefused), store.write() as connection:
        deeds[name](connection)


HAPPENS = st.lists(
    st.tuples(
        st.sampled_from([0.5, 5.0, 30.0, 60.0]),  # hours since the last
        st.one_of(
            st.tuples(
                st.just("news"), st.integers(3, 5), st.sampled_from(["", "rumour", "denied"])
            ),
            st.tuples(st.sampled_from(ACTS), st.integers(0, 3), st.just("")),
        ),
    ),
    min_size=4,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(HAPPENS)
def test_any_interleaving_keeps_what_the_desk_relies_on(
    happens: list[tuple[float, tuple[str, int, str]]],
) -> None:
    with TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{Path(folder) / 'desk.db'}")
        hour = 0.0
        for gap, (what, number, mark) in happens:
            hour += gap
            if what == "news":
                news(store, finding(hour, number, mark))
            else:
                act(store, hour, what, number)
            told = alerts.latest(store)
            still_open = [each for each in told if each.state in OPEN_STATES]
            assert len(still_open) <= 1  # one open alert of an event
            for each in told:
                _is_whole(store, each.id)
        store.close()


def _is_whole(store: Store, id_: str) -> None:
    """The state of an alert is what its history says, and people's part of it is what the audit says."""
    with store.read() as connection:
        found = alerts.get(connection, id_)
    assert found is not None
    assert (found.state is AlertState.RESOLVED) == (found.resolved_at is not None)
    if found.state is AlertState.RESOLVED:
        assert found.snoozed_until is None
    history = alerts.history(store, id_)
    by_people = [(each.at, each.change) for each in history if each.actor == "ann"]
    assert by_people == [(entry.at, entry.act) for entry in audit.trail(store, id_)]
    turns = [each.change for each in history if each.change in TURNS]
    assert TURNS[turns[-1]] == (found.state is AlertState.RESOLVED)
    assert replace(found, evidence=()) in [
        replace(each, evidence=()) for each in alerts.latest(store)
    ]


#: What ends an alert, and what makes it go on.
TURNS = {"resolved": True, "fired": False, "reopened": False, "escalated": False, "confirmed": False,
         "developed": False}  # fmt: skip
