"""A candidate is tried on live news: in the shadow, where nothing it says counts, or as a canary.

Which items it reads is decided by their ids, the same in every process and at every redelivery. Of each of
them the champion's answer is kept beside the candidate's. A canary retreats by itself: when it fails on an
item, or differs from the champion on more of the news than the settings allow, beyond chance.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from models.challenger import ChallengerRefused
from models.classifier import Classifier
from models.routing import Router
from monitor.clock import Clock
from monitor.domain import EPOCH, Article, ClassifiedArticle
from monitor.errors import RetriableError
from monitor.metrics import Metrics, from_zero
from monitor.reload import LOOK_EVERY
from monitor.retrain.trial import overrun
from monitor.store import Connection, Store, comparisons, retrains
from monitor.store.comparisons import Comparison, reading
from monitor.store.retrains import Retrain, Trial

log = logging.getLogger(__name__)

WHO = "classify"
Read = Callable[[Router, Sequence[Article]], list[ClassifiedArticle]]
Load = Callable[[Path, str, Classifier], Classifier]


def in_sample(article_id: str, number: int, share: float) -> bool:
    """Say whether an item is one that the candidate of a training reads.

    Examples
    --------
    >>> sum(in_sample(str(each), 3, 0.1) for each in range(10_000))
    1018
    """
    found = hashlib.sha256(f"trial {number}\0{article_id}".encode()).digest()
    return int.from_bytes(found[:8]) < share * 2**64


@dataclass(frozen=True, slots=True)
class Tried:
    """A batch after the trial: the items that count, and what is written of the comparison."""

    items: list[ClassifiedArticle]
    found: Sequence[Comparison] = ()

    def write(self, connection: Connection) -> None:
        comparisons.add(connection, self.found)


class Trials:
    """Holds the candidate that is tried now, if there is one.

    Parameters
    ----------
    load
        Loads a bundle by folder and hash beside the champion, or raises `ChallengerRefused`.
    differs
        Share of the news on which a canary may differ.
    """

    def __init__(
        self,
        load: Load,
        store: Store,
        wall: Clock,
        metrics: Metrics,
        differs: float = 0.25,
    ) -> None:
        self.load = load
        self.store = store
        self.wall = wall
        self.metrics = metrics
        from_zero(metrics.trials, [Trial.SHADOW, Trial.CANARY], ["alike", "differs", "given up"])
        self.differs = differs
        self._trial: Retrain | None = None
        self._candidate: Classifier | None = None
        self._unfit: set[str] = set()  # hashes that could not be loaded
        self._work: threading.Thread | None = None
        self._looked_at: datetime = EPOCH

    def of(self, router: Router, items: list[ClassifiedArticle], read: Read) -> Tried:
        """Let the candidate read its share of a batch.

        Parameters
        ----------
        router
            That read the batch.
        items
            What it made of it.
        read
            Reads articles by another router.
        """
        trial, candidate = self._trial, self._candidate
        if trial is None or candidate is None or candidate.bundle.hash == router.main.bundle.hash:
            return Tried(items)
        main = router.main.bundle.hash
        places = [
            at
            for at, item in enumerate(items)
            if item.bundle_hash == main and in_sample(item.article.id, trial.number, trial.share)
        ]
        if not places:
            return Tried(items)
        try:
            others = read(router.with_main(candidate), [items[at].article for at in places])
        except Exception as error:  # whatever ails the candidate, the champion's answers are there
            log.error("trial of %s: %s: %s", trial.model_version, type(error).__name__, error)
            self._give_up(trial, f"{type(error).__name__}: {error}")
            return Tried(items)
        serves = trial.trial is Trial.CANARY
        now = self.wall.now()
        found = [
            Comparison(
                trial.number,
                *(other.article.id, other.article.revision),
                serves,
                reading(items[at]),
                reading(other),
                now,
            )
            for at, other in zip(places, others, strict=True)
        ]
        for each in found:
            self.metrics.trials.labels(
                trial.trial.value, "alike" if each.alike else "differs"
            ).inc()
        if serves:
            items = list(items)
            for at, other in zip(places, others, strict=True):
                items[at] = replace(other, watchlist=items[at].watchlist)
        return Tried(items, found)

    def look(self, router: Router) -> None:
        """See every few seconds which candidate is tried, and whether a canary may go on."""
        if self._work is not None and not self._work.is_alive():
            self._work = None
        now = self.wall.now()
        if now - self._looked_at < LOOK_EVERY or self._work is not None:
            return
        self._looked_at = now
        with self.store.read() as connection:
            trial = retrains.on_trial(connection)
            why = None if trial is None else overrun(connection, trial, self.differs)
        if trial is not None and trial.trial is Trial.CANARY and why is not None:
            log.warning("canary %s retreats: %s", trial.model_version, why)
            self._give_up(trial, why)
            return
        self._trial = trial
        if trial is None:
            self._candidate = None
        elif self._candidate is None or self._candidate.bundle.hash != trial.hash:
            self._candidate = None
            if trial.hash not in self._unfit:
                self._work = threading.Thread(
                    target=self._load, args=(trial, router.main), name="trial", daemon=True
                )
                self._work.start()

    def _load(self, trial: Retrain, champion: Classifier) -> None:
        try:
            self._candidate = self.load(Path(trial.folder), trial.hash, champion)
            log.info("%s of %s begins", trial.trial.value, trial.model_version)
        except ChallengerRefused as refused:
            self._unfit.add(trial.hash)
            log.error("trial of %s: %s", trial.model_version, refused)
            self._give_up(trial, f"{refused.reason}: {refused}")

    def _give_up(self, trial: Retrain, why: str) -> None:
        """End a trial; what was read stays as it was read."""
        self._trial, self._candidate = None, None
        canary = trial.trial is Trial.CANARY
        self.metrics.trials.labels(trial.trial.value, "given up").inc()
        try:
            with self.store.write() as connection:
                now = retrains.on_trial(connection)
                if now is not None and now.number == trial.number:
                    ended = Trial.RETREATED if canary else Trial.ENDED
                    retrains.put_on_trial(
                        connection, trial.number, ended, 0.0, WHO, self.wall.now(), why
                    )
        except RetriableError as error:
            log.error("trial of %s: its end could not be written: %s", trial.model_version, error)
