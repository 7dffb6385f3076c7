"""When to train: at a time of the calendar, after so many new labels, or when a drift monitor speaks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from models.bundle import load_bundle
from models.classifier import Classifier
from models.errors import ModelError
from models.labels import EMBEDDING
from monitor.classify import promoting
from monitor.clock import WallClock
from monitor.errors import ForeshockError
from monitor.retrain.collect import collect
from monitor.retrain.drift import Monitor, look
from monitor.retrain.job import Busy, Training
from monitor.schedule import next_of_cron
from monitor.settings import Settings
from monitor.store import Store, drifts, labels, promotions, retrains
from monitor.store.retrains import Retrain

log = logging.getLogger(__name__)

WHO = "schedule"
LOOK_EVERY_S = 60.0
AGAIN_AFTER = timedelta(hours=1)  # a training that failed is not tried again sooner
DRIFT_AFTER = timedelta(days=7)  # nor one for a drift that the last training has not ended


def due(settings: Settings, store: Store, since: datetime, now: datetime) -> str | None:
    """Return why a training is due, in words, or ``None``.

    Parameters
    ----------
    since
        When this was first asked: times of the calendar before it are past.
    now
        By the wall clock.
    """
    chosen = settings.retrain
    with store.read() as connection:
        last = next(iter(retrains.latest(connection, 1)), None)
        newest = labels.last_id(connection)
    if last is not None and (last.is_alive(now) or now - last.started_at < AGAIN_AFTER):
        return None
    if chosen.cron is not None:
        begun = since if last is None else max(since, last.started_at)
        planned = next_of_cron(chosen.cron, begun)
        if planned <= now:
            return f"by the calendar, {planned:%Y-%m-%d %H:%M}"
    if chosen.on_drift and (said := _drift(settings, store, last, now)):
        return said
    through = 0 if last is None else last.labels_through
    if chosen.after_labels is not None and newest > through:
        fresh = new_labels(settings, store, None if last is None else last.started_at)
        most = max(fresh.values(), default=0)
        if most >= chosen.after_labels:
            return f"{most} new labels that more than one person stands for"
    return None


def drifted(settings: Settings, store: Store, now: datetime) -> list[Monitor]:
    """Ask the drift monitors, and write down what they say."""
    with store.read() as connection:
        folder = promoting.champion_folder(connection, settings.model)
        promoted = next(iter(promotions.latest(connection)), None)
    classifier = Classifier.load(folder, "openvino", settings.model.threads)

    def embed(texts: Sequence[str]) -> NDArray[np.float32] | None:
        return classifier.outputs(texts).get(EMBEDDING)

    found = look(store, embed, None if promoted is None else promoted.at)
    with store.write() as connection:
        told = [each.as_json() for each in found]
        drifts.add(connection, now, any(each.speaks for each in found), told)
    return found


def _drift(settings: Settings, store: Store, last: Retrain | None, now: datetime) -> str | None:
    """Return which monitors speak, where the last training is long enough ago; asked once an hour."""
    with store.read() as connection:
        looked = drifts.last(connection)
    if last is not None and now - last.started_at < DRIFT_AFTER:
        return None
    if looked is not None and now - looked.at < AGAIN_AFTER:
        return None
    speak = [each.name for each in drifted(settings, store, now) if each.speaks]
    return f"drift: {'; '.join(speak)}" if speak else None


def new_labels(settings: Settings, store: Store, since: datetime | None) -> Mapping[str, int]:
    """Return how many labels to learn from began to count after the last training, by head."""
    with store.read() as connection:
        champion = load_bundle(promoting.champion_folder(connection, settings.model))
    known = {head.name: head for head in champion.heads}
    found = collect(store, known, champion.languages, settings.retrain.plan())
    counts: dict[str, int] = {}
    for each in found.train:
        if each.trusted and (since is None or each.said_at is None or each.said_at > since):
            counts[each.head] = counts.get(each.head, 0) + 1
    return counts


def watch(
    settings: Settings,
    store: Store,
    wall: WallClock,
    train: Callable[[], Training],
    stop: threading.Event,
) -> None:
    """Train whenever that is due, until told to stop."""
    since = wall.now()
    while not stop.is_set():
        try:
            wall.follow()
            why = due(settings, store, since, wall.now())
            if why is not None:
                log.info("training: %s", why)
                found = train().run(WHO, why)
                log.info("training %d: %s %s", found.number, found.state.value, found.detail)
                since = wall.now()
        except Busy as error:
            log.info("%s", error)
        except (ForeshockError, ModelError) as error:
            log.error("training: %s", error)
        stop.wait(LOOK_EVERY_S)
