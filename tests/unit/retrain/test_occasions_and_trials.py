"""When a training is due, what a trial shows, what drift monitors say, and the commands for them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from models.bundle import load_bundle
from monitor.cli import app
from monitor.clock import SystemClock
from monitor.errors import ConfigError
from monitor.retrain.drift import look
from monitor.retrain.job import LEASE, Busy, Training
from monitor.retrain.occasions import due, new_labels, watch
from monitor.retrain.trial import disagreement, overrun
from monitor.settings import Settings, load_settings
from monitor.store import Store, articles, audit, comparisons, leases, retrains
from monitor.store.comparisons import Comparison, Reading
from monitor.store.retrains import RetrainRefused, State, Trial
from tests.support.make import T0, classified
from tests.unit.relabel.desk import fill, news, say

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LABELLED = T0 + DAY  # when `say` says it


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'store.db'}")
    yield store
    store.close()


def settings(store: Store, **retrain: object) -> Settings:
    return load_settings(None, {"store": {"url": str(store.url)}, "retrain": retrain})


def begin(store: Store, at: object = T0, through: int = 0) -> int:
    bundle = load_bundle()
    with store.write() as connection:
        return retrains.begin(
            *(connection, "ann", "test", "here:1", (bundle.hash, bundle.model_version)),
            *(through, at),  # type: ignore[arg-type]
        )


def made(store: Store, passed: bool = True) -> int:
    number = begin(store)
    with store.write() as connection:
        retrains.candidate(connection, number, "folder", "c" * 64, "new 1", {})
        retrains.gated(connection, number, "ann", T0, passed, {"passed": passed}, "")
    return number


def foreshock(store: Store, *arguments: object) -> Result:
    words = [*map(str, arguments), "--db", store.name]
    return CliRunner().invoke(app, ["retrain", *words])


def test_the_calendar_says_when(store: Store) -> None:
    chosen = settings(store, cron="30 2 * * *")
    assert due(chosen, store, T0, T0 + HOUR) is None
    said = due(chosen, store, T0, T0 + DAY)
    assert said == f"by the calendar, {T0 + DAY:%Y-%m-%d} 02:30"
    begin(store, T0 + DAY)
    assert due(chosen, store, T0, T0 + DAY + 2 * HOUR) is None
    with pytest.raises(ConfigError, match="five fields"):
        settings(store, cron="at night")


def test_new_labels_of_two_people_say_when(store: Store) -> None:
    chosen = settings(store, after_labels=10)
    items = news(40)
    fill(store, items)
    for item in items:
        say(store, item, "negative", "mallory")
    assert due(chosen, store, T0, T0 + DAY) is None  # of one person
    for item in items[:20]:
        say(store, item, "negative", "ann")
    fresh = new_labels(chosen, store, None)["sentiment"]
    assert 10 <= fresh < 20  # some are held out
    assert due(chosen, store, T0, LABELLED + HOUR) == (
        f"{fresh} new labels that more than one person stands for"
    )
    begin(store, LABELLED + HOUR, through=60)
    assert due(chosen, store, T0, LABELLED + DAY) is None
    for item in items[20:]:
        say(store, item, "negative", "bob", minute=120)
    assert due(chosen, store, T0, LABELLED + DAY) is not None
    # One that runs, or has just failed, is not followed by another.
    assert due(chosen, store, T0, LABELLED + HOUR + timedelta(minutes=30)) is None


def test_one_process_trains_and_too_little_is_said(store: Store) -> None:
    clock = SystemClock()
    chosen = settings(store)
    with store.write() as connection:
        assert leases.hold(connection, LEASE, "other", clock.now(), 60)
    training = Training(chosen, store, "here", clock)
    with pytest.raises(Busy, match="another process is training"):
        training.run("ann", "test")
    with store.write() as connection:
        leases.release(connection, LEASE, "other")
    found = training.run("ann", "test")
    assert found.state is State.NOTHING
    assert "a head needs 40" in found.detail
    with store.write() as connection:  # the lease is free again
        assert leases.hold(connection, LEASE, "other", clock.now(), 60)
    acts = [(each.entry.act, each.entry.subject) for each in audit.newest(store, 5)]
    assert acts == [("retrained", "training 1"), ("retrain", "training 1")]


def test_a_training_that_fails_says_why(store: Store, tmp_path: Path) -> None:
    items = news(120)
    fill(store, items)
    for item in items:
        for who in ("ann", "bob"):
            say(store, item, "negative", who)
    file = tmp_path / "no-folder"
    file.write_text("")
    training = Training(settings(store, folder=file, old=0), store, "here", SystemClock())
    with pytest.raises(OSError):
        training.run("ann", "test")
    with store.read() as connection:
        (found,) = retrains.latest(connection)
    assert found.state is State.FAILED
    assert "no-folder" in found.detail
    listed = foreshock(store, "status")
    assert "failed" in listed.stdout and "no-folder" in listed.stdout


def test_one_candidate_is_tried_at_a_time_and_a_canary_needs_the_gate(store: Store) -> None:
    refused, passed = made(store, passed=False), made(store)
    with store.write() as connection:
        with pytest.raises(RetrainRefused, match="try a shadow"):
            retrains.put_on_trial(connection, refused, Trial.CANARY, 0.1, "ann", T0)
        with pytest.raises(RetrainRefused, match="there is none"):
            retrains.put_on_trial(connection, 9, Trial.SHADOW, 0.1, "ann", T0)
        retrains.put_on_trial(connection, refused, Trial.SHADOW, 0.1, "ann", T0)
        retrains.put_on_trial(connection, passed, Trial.CANARY, 0.2, "ann", T0)
        found = retrains.on_trial(connection)
        assert found is not None and (found.number, found.share) == (passed, 0.2)
        assert retrains.get(connection, refused).trial is Trial.ENDED
    ended = foreshock(store, "trial", passed, "--as", "none", "--by", "eve")
    assert ended.exit_code == 0 and "ended" in ended.stdout
    assert audit.newest(store, 1)[0].entry.who == "eve"
    assert foreshock(store, "trial", refused, "--as", "canary").exit_code == 1


def read(store: Store, number: int, count: int, differ: int, minute: int = 1) -> list[Comparison]:
    items = [classified(f"t{at}", f"Item {at} of many") for at in range(count)]
    one, other = Reading("Macro", "neutral", 0.0, ()), Reading("Macro", "negative", -0.6, ())
    at = T0 + timedelta(minutes=minute)
    found = [
        Comparison(
            number, i.article.id, i.article.revision, True, one, other if n < differ else one, at
        )
        for n, i in enumerate(items)
    ]
    with store.write() as connection:
        articles.add(connection, items)
        comparisons.add(connection, found)
        comparisons.add(connection, found)  # redelivered
    return found


def test_a_canary_that_differs_too_much_or_is_wrong_has_to_retreat(store: Store) -> None:
    number = made(store)
    with store.write() as connection:
        retrains.put_on_trial(connection, number, Trial.CANARY, 0.5, "ann", T0)
    read(store, number, 100, 30)
    with store.read() as connection:
        trial = retrains.get(connection, number)
        assert overrun(connection, trial, 0.25) is None  # within chance
        assert overrun(connection, trial, 0.15) == (
            "differs from the champion on 30 of 100 items, more than 15%"
        )
        # What it read before it was a canary does not count.
        later = replace(trial, trial_at=T0 + timedelta(hours=1))
        assert overrun(connection, later, 0.15) is None
    for at in range(8):  # people say that the champion was right
        for who in ("ann", "bob"):
            say(store, classified(f"t{at}", f"Item {at} of many"), "neutral", who)
    with store.read() as connection:
        said = overrun(connection, trial, 0.25)
        assert said is not None and said.startswith("sentiment: 8 lost and 0 gained of 8")
        found = disagreement(connection, number)
    assert found.counted.items == 100 and found.counted.differ == 30
    assert found.moves == (("sentiment", "neutral", "negative", 30),)
    shown = foreshock(store, "differences", number).stdout
    assert "100 items read by both, 30 differently" in shown
    assert "by 8 gold labels: 8 right before, 0 now" in shown
    assert json.loads(foreshock(store, "differences", number, "--json").stdout)["counted"]


def test_monitors_are_quiet_on_the_usual_and_speak_on_a_change(store: Store) -> None:
    def week(number: int, moods: str) -> None:
        titles = [(f"w{number}-{at}", f"Week {number} item {at}") for at in range(400)]
        items = [
            classified(
                name,
                title,
                published_at=T0 + timedelta(days=7 * number, minutes=at),
                topic="Macro" if at % 2 else "Earnings",
                sentiment={"n": "negative", "p": "positive"}[moods[at % len(moods)]],
            )
            for at, (name, title) in enumerate(titles)
        ]
        fill(store, items)

    def embed(texts: object) -> np.ndarray:
        draw = np.random.default_rng(1)
        return np.stack(
            [draw.normal(1.0 if "Week 3" in text else 0.0, 1, 8) for text in list(texts)]  # type: ignore[call-overload]
        ).astype(np.float32)

    assert [each.value for each in look(store, None)] == [None, None, None]
    week(0, "np")
    week(1, "np")
    quiet = look(store, embed)
    assert [each.speaks for each in quiet] == [False] * 4
    week(2, "np")
    week(3, "nnnnnnnnnp")
    found = {each.name: each for each in look(store, embed)}
    assert found["answers, sentiment"].speaks and not found["answers, topic"].speaks
    assert found["embedding"].speaks
    assert found["calibration on gold"].value is None


def test_who_watches_trains_when_it_is_due_and_stops_when_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.retrain.occasions.LOOK_EVERY_S", 0.05)
    items = news(20)
    fill(store, items)
    for item in items:
        for who in ("ann", "bob"):
            say(store, item, "negative", who)
    chosen = settings(store, after_labels=5)
    stop = threading.Event()
    thread = threading.Thread(
        target=watch,
        args=(chosen, store, SystemClock(), partial(Training, chosen, store, "w", SystemClock())),
        kwargs={"stop": stop},
    )
    thread.start()
    try:
        until = time.monotonic() + 60
        found: list[retrains.Retrain] = []
        while not found or found[0].state is State.RUNNING:
            assert time.monotonic() < until
            with store.read() as connection:
                found = retrains.latest(connection)
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    assert [(each.who, each.state) for each in found] == [("schedule", State.NOTHING)]
    assert found[0].why.endswith("new labels that more than one person stands for")
    refused = foreshock(store, "run", "--by", "ann")
    assert refused.exit_code == 1 and "a head needs 40" in refused.stdout
