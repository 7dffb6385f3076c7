"""The collect stage: visits sources and appends what they bring to ``news.articles``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitor.clock import Clock, ReplayClock
from monitor.collect.articles import to_article
from monitor.collect.dates import DateRules
from monitor.collect.raw import RawItem
from monitor.collect.repeats import Repeats
from monitor.collect.replay_times import ReplayTimes
from monitor.collect.source import Source, SourceError
from monitor.domain import EPOCH, Article, DeadItem
from monitor.errors import ConfigError
from monitor.metrics import Metrics
from monitor.pipeline import ARTICLES, DEADS, Effects, Input, tell_dead
from monitor.store import Connection, Store, progress
from monitor.store import dead as dead_letters
from monitor.store import visits as stored_visits
from monitor.store.progress import Progress
from monitor.store.visits import Visit
from monitor.stream.codec import ARTICLE, DEAD
from monitor.stream.port import Broker, Message

log = logging.getLogger(__name__)

STAGE = "collect"
CHUNK = 1_000
TURN = timedelta(seconds=5)  # sources that are due together are handed on together for so long
BEAT = timedelta(seconds=1)
BACKLOG_WAIT_S = 0.05


@dataclass(slots=True)
class Visits:
    """One source and when to visit it next, in the pipeline's time."""

    source: Source
    repeats: Repeats = field(default_factory=Repeats)
    due_at: datetime = EPOCH


# Of whose visit, the time a replay ingests it at (else None), and what.
Taken = tuple[Visits, datetime | None, RawItem | DeadItem]


class CollectStage:
    """Takes a chunk of the visits that are due each turn; waits while classifying is behind.

    What a turn brings is handed on in order of publication, whichever source was asked first: who repeats
    a story must not come before the story.

    Parameters
    ----------
    sources
        What to visit. A replay file is visited once.
    rules
        Which dates to believe.
    clock
        The pipeline's time. A `ReplayClock` is moved by the items; then sources are replays.
    max_backlog
        Most articles that may wait to be classified.

    Attributes
    ----------
    read, dead
        Items taken from sources so far, and those of them that were unusable.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        rules: DateRules,
        broker: Broker,
        store: Store,
        clock: Clock,
        wall: Clock,
        metrics: Metrics,
        max_backlog: int,
    ) -> None:
        self.visits = [Visits(source) for source in sources]
        self.rules = rules
        self.broker = broker
        self.store = store
        self.clock = clock
        self.wall = wall
        self.metrics = metrics
        self.max_backlog = max_backlog
        self.read = 0
        self.dead = 0
        self._items: Iterator[tuple[datetime | None, RawItem | DeadItem]] = iter(())
        self._visited: Visits | None = None
        self._held: tuple[datetime | None, RawItem | DeadItem] | None = None
        self._beat_at = EPOCH
        self._ended: list[Visit] = []  # not yet written

    @property
    def replays(self) -> bool:
        return isinstance(self.clock, ReplayClock)

    def process(self, batch: Sequence[Input]) -> Effects:
        if self._backlog() >= self.max_backlog:
            return Effects(idle_s=BACKLOG_WAIT_S)
        now = self.clock.now()
        if not self.visits:
            return Effects(done=True)
        taken = self._turn(now)
        if not taken and self._visited is None and not self._ended:
            return Effects(write=self._beat(now), idle_s=0.2)
        # What was taken together was ingested together: now that it is handed on.
        through = self.clock.now()
        read = [(visits, self._read(item, at or through)) for visits, at, item in taken]
        dead = [item for _, item in read if isinstance(item, DeadItem)]
        new = self._new((visits, item) for visits, item in read if isinstance(item, Article))
        articles = [item for _, items in new for item in items]
        ended = self._told([(visits.source.name, len(items)) for visits, items in new], now)
        if not self.replays:
            articles.sort(key=lambda item: item.published_at)

        def after() -> None:
            self.read += len(taken)
            self.dead += len(dead)
            self.metrics.collected.inc(len(articles))
            tell_dead(self.metrics, STAGE, dead)
            for visits, items in new:
                if not visits.source.once:
                    visits.repeats.remember(items)
            # Only now: everything up to this time is in the stream.
            with self.store.write() as connection:
                dead_letters.add(connection, [(item, None) for item in dead])
                stored_visits.save(connection, ended)
                progress.save(connection, self._progress(through))

        return Effects(
            outputs={
                DEADS: [Message(item.origin, DEAD.encode(item)) for item in dead],
                ARTICLES: [Message(item.id, ARTICLE.encode(item)) for item in articles],
            },
            after=after,
        )

    def _backlog(self) -> int:
        lags = self.broker.lag("classify", ARTICLES).values()
        return sum(lag.records for lag in lags)

    def _turn(self, now: datetime) -> list[Taken]:
        """Take up to a chunk: of one visit of a replay, else of every source that is due."""
        taken: list[Taken] = []
        until = self.wall.now() + TURN
        while len(taken) < CHUNK and (self._visited is not None or self._next_visit(now)):
            assert self._visited is not None
            self._take(self._visited, now, taken)
            if self.replays or self.wall.now() >= until:
                break
        return taken

    def _next_visit(self, now: datetime) -> bool:
        """Begin the next visit that is due."""
        for visits in self.visits:
            if visits.due_at <= now or self.replays:
                self._visited = visits
                items = visits.source.poll(now)
                if self.replays:
                    self._items = ReplayTimes(self.wall.now()).follow(items)
                else:
                    self._items = ((None, item) for item in items)
                return True
        return False

    def _take(self, visits: Visits, now: datetime, taken: list[Taken]) -> None:
        """Take items of the visit in hand; ends the visit when there are no more."""
        try:
            while len(taken) < CHUNK:
                entry = self._held or next(self._items, None)
                self._held = None
                if entry is None:
                    self._end(visits, now, "ok")
                    return
                at, item = entry
                if at is not None and isinstance(self.clock, ReplayClock):
                    if self.clock.speed and taken and at > self.clock.now():
                        self._held = entry  # hand over what is due before waiting for this
                        return
                    self.clock.advance_to(at)
                taken.append((visits, at, item))
        except SourceError as error:
            self._end(visits, now, "failed", error.retry_after_s, str(error))
            if visits.source.once:
                raise ConfigError(str(error)) from error
            log.warning("source %s: %s", visits.source.name, error)

    def _read(self, item: RawItem | DeadItem, at: datetime) -> Article | DeadItem:
        return item if isinstance(item, DeadItem) else to_article(item, at, self.rules)

    def _end(
        self,
        visits: Visits,
        now: datetime,
        outcome: str,
        retry_after_s: float | None = None,
        failure: str = "",
    ) -> None:
        self.metrics.visits.labels(outcome).inc()
        self._ended.append(Visit(visits.source.name, now, 0, failure))
        self._items = iter(())
        if visits.source.once:
            visits.source.close()
            self.visits.remove(visits)
        wait_s = max(visits.source.interval_s, retry_after_s or 0.0)
        visits.due_at = now + timedelta(seconds=wait_s)
        self._visited = None

    def _told(self, new: Sequence[tuple[str, int]], now: datetime) -> list[Visit]:
        """Return the visits that ended since the last write, with what their sources brought in this turn."""
        brought = dict(new)
        ended = {visit.source: visit for visit in self._ended}
        for name, count in brought.items():
            if count and name not in ended:  # in the middle of a long visit
                ended[name] = Visit(name, now, count)
        self._ended.clear()
        return [replace(visit, new=brought.get(name, 0)) for name, visit in ended.items()]

    @staticmethod
    def _new(read: Iterable[tuple[Visits, Article]]) -> list[tuple[Visits, list[Article]]]:
        """Return what each source had not brought before."""
        by_source: dict[int, tuple[Visits, list[Article]]] = {}
        for visits, article in read:
            by_source.setdefault(id(visits), (visits, []))[1].append(article)
        return [
            (visits, articles if visits.source.once else visits.repeats.fresh(articles))
            for visits, articles in by_source.values()
        ]

    def _beat(self, now: datetime) -> Callable[[Connection], None] | None:
        """Say now and then that collecting is alive and has nothing in hand."""
        wall = self.wall.now()
        if wall - self._beat_at < BEAT:
            return None
        self._beat_at = wall
        return lambda connection: progress.save(connection, self._progress(now))

    def _progress(self, through: datetime) -> Progress:
        return Progress(
            STAGE, ARTICLES, 0, through_at=through, replay=self.replays, beat_at=self.wall.now()
        )
