"""A training from the first label to the gate, in the process that calls it; one at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from models.bundle import CARD, Bundle, load_bundle
from models.classifier import Classifier
from models.labels import Head
from models.training.data import data_folder
from monitor.classify import promoting
from monitor.clock import Clock
from monitor.errors import ConfigError, ForeshockError
from monitor.retrain import card
from monitor.retrain.collect import Collected, Sample, collect
from monitor.retrain.fetched import Fetched, fetched
from monitor.retrain.gate import Decision, decide
from monitor.retrain.old import POOL, old_texts
from monitor.retrain.plan import RetrainPlan
from monitor.retrain.recipe import by_recipe
from monitor.retrain.refit import Lesson, refit
from monitor.settings import Settings
from monitor.store import Store, articles, leases, retrains
from monitor.store.retrains import Retrain, State, Trial

log = logging.getLogger(__name__)

LEASE, LEASE_S = "retrain", 300.0
TELL_EVERY_S = 1.0

Progress = Callable[[str, int, int], None]


class Busy(ConfigError):
    """Another process is training."""


@dataclass(frozen=True, slots=True)
class Material:
    """What a training has to go by.

    Parameters
    ----------
    champion
        Its bundle.
    collected, fetched
        What the desk says, and the sets that are here.
    heads
        With enough to learn from.
    recent_from
        Gold said from here on is recent.
    """

    champion: Bundle
    collected: Collected
    fetched: Fetched
    heads: tuple[Head, ...]
    recent_from: datetime

    def trained(self, plan: RetrainPlan) -> tuple[Head, ...]:
        """Return the heads that may change: by a recipe all of them, with new labels or without."""
        return self.heads if plan.recipe is None else self.champion.heads

    def gate_sets(self) -> tuple[list[Sample], list[Sample]]:
        """Return the frozen set and recent gold."""
        own = self.collected.held_out
        recent = [each for each in own if each.said_at and each.said_at >= self.recent_from]
        before = [each for each in own if not each.said_at or each.said_at < self.recent_from]
        gone = {(each.head, each.target, each.key) for each in recent}
        tested = [
            each for each in self.fetched.test if (each.head, each.target, each.key) not in gone
        ]
        return [*tested, *before], recent


class Training:
    """One run.

    Parameters
    ----------
    settings
        Of the service.
    holder
        Name of this process.
    watch
        Told what is done, and how far that is.
    data
        Folder of fetched sets; by default where training looks.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        holder: str,
        clock: Clock,
        watch: Progress = lambda what, done, total: None,
        data: Path | None = None,
    ) -> None:
        self.settings = settings
        self.store = store
        self.holder = holder
        self.clock = clock
        self.watch = watch
        self.data = data or data_folder()
        self.plan: RetrainPlan = settings.retrain.plan(settings.model.threads)
        self._number: int | None = None
        self._told_s = 0.0

    def run(self, who: str, why: str) -> Retrain:
        """Train, ask the gate, and do with the candidate what the settings say; return what came of it.

        Raises
        ------
        Busy
            Another process is training.
        ModelError
            The champion or the recipe is not as it should be.
        """
        with self._leased():
            material = self.material()
            champion = material.champion
            with self.store.write() as connection:
                self._number = retrains.begin(
                    connection,
                    who,
                    why,
                    self.holder,
                    (champion.hash, champion.model_version),
                    material.collected.through,
                    self.clock.now(),
                )
            try:
                self._run(self._number, who, material)
            except Exception as error:
                self._end(State.FAILED, who, f"{type(error).__name__}: {error}")
                raise
            except KeyboardInterrupt:
                self._end(State.FAILED, who, "stopped")
                raise
            with self.store.read() as connection:
                return retrains.get(connection, self._number)

    def gate_again(self, number: int, who: str) -> Decision:
        """Ask the gate once more about a candidate, with the gold and the margins of now.

        Raises
        ------
        RetrainRefused
            There is no such training, or it made no candidate.
        """
        with self.store.read() as connection:
            found = retrains.get(connection, number)
        if not found.hash:
            raise retrains.RetrainRefused(f"training {number}: it made no candidate")
        with self._leased():
            self._number = number
            material = self.material(through=found)
            names = [name for name in found.rows if name in material.champion.labels]
            decision = self._decide(material, Path(found.folder), names)
            self._gated(number, who, decision)
        return decision

    def material(self, through: Retrain | None = None) -> Material:
        """Read what there is to learn from and to measure by."""
        with self.store.read() as connection:
            folder = promoting.champion_folder(connection, self.settings.model)
            champion = load_bundle(folder)
            ours = retrains.of_hash(connection, champion.hash)
        known = {head.name: head for head in champion.heads}
        found = collect(self.store, known, champion.languages, self.plan)
        heads = tuple(
            head for name, head in known.items() if found.trusted(name) >= self.plan.least
        )
        names = [head.name for head in heads] if self.plan.recipe is None else list(known)
        if through is not None:
            names = list(through.rows)
        days = timedelta(days=self.plan.recent_days)
        return Material(
            champion,
            found,
            fetched(
                *(champion, self.data, names, self.plan.old, self.plan.test_rows, self.plan.seed)
            ),
            heads,
            ours.started_at if ours is not None else self.clock.now() - days,
        )

    def _run(self, number: int, who: str, material: Material) -> None:
        if not material.heads:
            self._end(State.NOTHING, who, self._too_little(material.collected))
            return
        lessons = self._lessons(material)
        rows = {lesson.head.name: lesson.as_json() for lesson in lessons}
        candidate = self._candidate(number, material, lessons, rows)
        with self.store.write() as connection:
            retrains.candidate(
                connection,
                number,
                str(candidate.folder.absolute()),
                candidate.hash,
                candidate.model_version,
                rows,
            )
        decision = self._decide(material, candidate.folder, list(rows))
        self._gated(number, who, decision)
        self._follow_up(number, who, candidate, decision)

    def _candidate(
        self,
        number: int,
        material: Material,
        lessons: Sequence[Lesson],
        rows: Mapping[str, Mapping[str, Any]],
    ) -> Bundle:
        champion, now = material.champion, self.clock.now()
        version = f"{champion.version.split('+')[0]}+{number}"
        folder = self.plan.folder.absolute() / f"{champion.name}-{version}-{now:%Y%m%d%H%M%S}"
        if self.plan.recipe is not None:
            return by_recipe(champion, lessons, folder, version, self.plan, self._tell)
        text = card.card(champion, version, rows, material.collected.left_out, self.plan, now)
        told = {
            "number": number,
            "from": champion.model_version,
            "hash": champion.hash,
            "share": self.plan.share,
            "hold": self.plan.hold,
            "seed": self.plan.seed,
        }
        return refit(champion, lessons, folder, version, self.plan, text, told, self._tell)

    def _lessons(self, material: Material) -> list[Lesson]:
        self._tell("collecting", 0, 0)
        with self.store.read() as connection:
            stored = articles.newest_read(connection, POOL)
        reads = {"und", *material.champion.languages}
        stored = [item for item in stored if item.article.language in reads]
        own = material.collected
        test = material.fetched.test
        taken = frozenset(each.key for each in (*own.train, *own.held_out, *test))
        lessons = []
        for head in material.trained(self.plan):
            measured = {(each.target, each.key) for each in test if each.head == head.name}
            new = [
                each
                for each in own.train
                if each.head == head.name and (each.target, each.key) not in measured
            ]
            if head not in material.heads:
                new = []
            before = [each for each in material.fetched.train if each.head == head.name]
            lessons.append(Lesson(head, new, old_texts(head, before, stored, taken, self.plan)))
        return lessons

    def _decide(self, material: Material, folder: Path, heads: Sequence[str]) -> Decision:
        self._tell("measuring", 0, 0)
        frozen, recent = material.gate_sets()
        threads = self.plan.threads
        champion = Classifier.load(material.champion.folder, "openvino", threads)
        return decide(
            champion,
            Classifier.load(folder, "openvino", threads),
            heads,
            frozen,
            recent,
            self.plan.margins,
            lambda done, total: self._tell("measuring", done, total),
        )

    def _gated(self, number: int, who: str, decision: Decision) -> None:
        said = "passed" if decision.passed else "; ".join(decision.reasons)
        report = decision.as_json()
        with self.store.write() as connection:
            retrains.gated(connection, number, who, self.clock.now(), decision.passed, report, said)
            found = retrains.get(connection, number)
        file = Path(found.folder) / CARD
        made_of = file.read_text("utf-8").split("## Measured")[0]
        file.write_text(f"{made_of.rstrip()}\n\n{card.measured(report)}", "utf-8")

    def _follow_up(self, number: int, who: str, candidate: Bundle, decision: Decision) -> None:
        """Promote, or try on live news, as the settings say."""
        chosen, now = self.settings.retrain, self.clock.now()
        if decision.passed and chosen.promote == "gate":
            said = f"the gate passed training {number}"
            promoting.promote(self.store, self.settings.model, candidate.folder, who, now, said)
            return
        trial, share = Trial.SHADOW, chosen.shadow
        if decision.passed and chosen.promote == "canary":
            trial, share = Trial.CANARY, chosen.canary
        if decision.passed and share:
            with self.store.write() as connection:
                retrains.put_on_trial(connection, number, trial, share, who, now)

    def _too_little(self, found: Collected) -> str:
        heads = sorted({each.head for each in found.train})
        have = ", ".join(f"{name} {found.trusted(name)}" for name in heads) or "none"
        return (
            f"labels to learn from that more than one person stands for: {have}; a head needs "
            f"{self.plan.least} ([retrain] least)"
        )

    def _end(self, state: State, who: str, detail: str) -> None:
        assert self._number is not None
        try:
            with self.store.write() as connection:
                retrains.end(connection, self._number, state, who, self.clock.now(), detail)
        except ForeshockError as error:
            log.error("training %d: its end could not be written: %s", self._number, error)

    def _tell(self, what: str, done: int, total: int) -> None:
        """Tell who watches, and every second the store; the lease is renewed with it."""
        self.watch(what, done, total)
        now_s = time.monotonic()
        if self._number is None or now_s - self._told_s < TELL_EVERY_S:
            return
        self._told_s = now_s
        now = self.clock.now()
        with self.store.write() as connection:
            retrains.say(connection, self._number, now, what, done, total)
            if not leases.hold(connection, LEASE, self.holder, now, LEASE_S):
                raise Busy("another process took the lease: this one stood still for too long")

    @contextmanager
    def _leased(self) -> Iterator[None]:
        with self.store.write() as connection:
            if not leases.hold(connection, LEASE, self.holder, self.clock.now(), LEASE_S):
                raise Busy("another process is training; `foreshock retrain status` shows how far")
        try:
            yield
        finally:
            with self.store.write() as connection:
                leases.release(connection, LEASE, self.holder)
