"""Trainings, trials and drift in both databases: kept as they were, one trial at a time, all in the audit."""

from __future__ import annotations

from datetime import timedelta

from monitor.store import Store, audit, comparisons, drifts, retrains
from monitor.store.comparisons import Comparison, Counted, Reading
from monitor.store.retrains import GONE_AFTER, State, Trial
from tests.support.make import T0

MINUTE = timedelta(minutes=1)
CHAMPION = ("a" * 64, "champion 4")


def test_a_training_from_its_beginning_to_the_gate(store: Store) -> None:
    report = {"passed": True, "reasons": [], "sets": [{"rows": 40, "champion": 0.5}]}
    with store.write() as connection:
        number = retrains.begin(connection, "ann", "why", "here:1", CHAMPION, 7, T0)
        retrains.say(connection, number, T0 + MINUTE, "reading", 3, 10)
        running = retrains.get(connection, number)
        assert (running.state, running.phase, running.done, running.total) == (
            *(State.RUNNING, "reading", 3, 10),
        )
        assert running.is_alive(T0 + MINUTE)
        assert not running.is_alive(T0 + MINUTE + GONE_AFTER)
        rows = {"topic": {"new": 4}}
        retrains.candidate(connection, number, "/models/x", "c" * 64, "new 4+1", rows)
        retrains.gated(connection, number, "ann", T0 + 2 * MINUTE, True, report, "passed")
    with store.read() as connection:
        (found,) = retrains.latest(connection)
        assert retrains.of_hash(connection, "c" * 64) == found
        assert retrains.of_hash(connection, "d" * 64) is None
        assert retrains.on_trial(connection) is None
    assert (found.state, found.rows, found.report) == (State.PASSED, rows, report)
    assert (found.champion_hash, found.champion_version) == CHAMPION
    assert found.ended_at == T0 + 2 * MINUTE and found.labels_through == 7
    assert [each.act for each in audit.trail(store, retrains.subject(number))] == [
        "retrain",
        "gated",
    ]
    assert audit.verify(store).troubles == ()


def test_a_training_whose_process_was_killed_has_failed_when_the_next_begins(store: Store) -> None:
    with store.write() as connection:
        first = retrains.begin(connection, "ann", "why", "here:1", CHAMPION, 7, T0)
        second = retrains.begin(connection, "ann", "why", "here:2", CHAMPION, 7, T0 + MINUTE)
        assert retrains.get(connection, first).state is State.FAILED
        assert "without a word" in retrains.get(connection, first).detail
        assert retrains.get(connection, second).state is State.RUNNING


def test_comparisons_are_kept_once_counted_and_expire(store: Store) -> None:
    one, other = Reading("Macro", "neutral", 0.0, ()), Reading(None, "negative", -0.5, ("topic",))
    found = [
        Comparison(3, str(at), "r", at % 2 == 0, one, other if at < 4 else one, T0 + at * MINUTE)
        for at in range(10)
    ]
    with store.write() as connection:
        comparisons.add(connection, found)
        comparisons.add(connection, found[:5])
    with store.read() as connection:
        assert comparisons.of_training(connection, 3, 100) == found[::-1]
        assert comparisons.of_training(connection, 3, 2, differing=True) == found[3:1:-1]
        assert comparisons.counted(connection, 3) == Counted(10, 5, 4)
        assert comparisons.counted(connection, 3, T0 + 3 * MINUTE) == Counted(7, 3, 1)
        assert comparisons.counted(connection, 4) == Counted()
    with store.write() as connection:
        comparisons.expire(connection, T0 + 8 * MINUTE)
        assert comparisons.of_training(connection, 3, 100) == found[:7:-1]


def test_the_last_trial_and_the_last_look_count(store: Store) -> None:
    with store.write() as connection:
        numbers = []
        for hash_ in ("c", "d"):
            number = retrains.begin(connection, "ann", "why", "here:1", CHAMPION, 7, T0)
            retrains.candidate(connection, number, "/models/x", hash_ * 64, "new", {})
            retrains.put_on_trial(connection, number, Trial.SHADOW, 0.05, "ann", T0)
            numbers.append(number)
        on = retrains.on_trial(connection)
        assert on is not None and on.number == numbers[1]
        assert retrains.get(connection, numbers[0]).trial is Trial.ENDED
        assert drifts.last(connection) is None
        drifts.add(connection, T0, False, [])
        drifts.add(connection, T0 + MINUTE, True, [{"name": "embedding", "value": None}])
        looked = drifts.last(connection)
    assert looked is not None
    assert (looked.at, looked.speaks) == (T0 + MINUTE, True)
    assert looked.monitors == [{"name": "embedding", "value": None}]
