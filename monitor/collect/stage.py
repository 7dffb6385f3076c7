"""The collect stage: visits sources and appends what they bring to ``news.articles``."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.clock import Clock, ReplayClock
from monitor.collect.articles import to_article
from monitor.collect.dates import DateRules
from monitor.collect.near import WINDOW
from monitor.collect.raw import RawItem
from monitor.collect.replay_times import ReplayTimes
from monitor.collect.source import Failure, Remembers, Source, SourceError
from monitor.collect.visitors import Piece, Visitors
from monitor.collect.visits import Visits
from monitor.domain import EPOCH, Article, DateStatus, DeadItem
from monitor.errors import ConfigError
from monitor.metrics import Metrics, from_zero
from monitor.pipeline import ARTICLES, DEADS, Effects, Input, tell_dead
from monitor.store import Connection, Store, progress
from monitor.store import articles as stored_articles
from monitor.store import dead as dead_letters
from monitor.store import visits as stored_visits
from monitor.store.progress import Progress
from monitor.store.visits import Visit
from monitor.stream.codec import ARTICLE, DEAD
from monitor.stream.port import Broker, Message

log = logging.getLogger(__name__)

STAGE = "collect"
CHUNK = 1_000
RECALLED = 5_000  # articles whose texts are known again after a restart: 1.5 s of one core
PATIENCE_S = 2.0  # sources that are due together are handed on together for so long
BEAT = timedelta(seconds=1)
BACKLOG_WAIT_S = 0.05


# Of whose visit, the time a replay ingests it at (else None), and what.
Taken = tuple[Visits, datetime | None, RawItem | DeadItem]


class CollectStage:
    """Takes what visits have brought each turn; waits while classifying is behind.

    Sources that are due are visited at once, in threads (`monitor.collect.visitors`); a replay is read here,
    one item after the other. What a turn brings is handed on in order of publication, whichever source was
    asked first: who repeats a story must not come before the story.

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
        from_zero(metrics.visits, ["ok", *Failure])
        self.max_backlog = max_backlog
        self.read = 0
        self.dead = 0
        self._items: Iterator[tuple[datetime | None, RawItem | DeadItem]] = iter(())
        self._visited: Visits | None = None
        self._held: tuple[datetime | None, RawItem | DeadItem] | None = None
        self._beat_at = EPOCH
        self._ended: list[tuple[Visits, Visit]] = []  # not yet written
        self._visitors: Visitors[int] = Visitors()
        self._random = random.Random(0)  # of jitter
        self._recalled = False

    @property
    def replays(self) -> bool:
        return isinstance(self.clock, ReplayClock)

    def process(self, batch: Sequence[Input]) -> Effects:
        if self._backlog() >= self.max_backlog:
            return Effects(idle_s=BACKLOG_WAIT_S)
        now = self.clock.now()
        if not self.visits:
            return Effects(done=True)
        taken = self._replay_turn(now) if self.replays else self._live_turn(now)
        if not taken and self._visited is None and not self._ended:
            return Effects(write=self._beat(now), idle_s=0.2)
        # What was taken together was ingested together: now that it is handed on.
        through = self.clock.now()
        unread = [each for each in taken if not self._known(each)]
        read = [(visits, self._read(item, at or through)) for visits, at, item in unread]
        dead = [item for _, item in read if isinstance(item, DeadItem)]
        new = self._new((visits, item) for visits, item in read if isinstance(item, Article))
        articles = [item for _, items in new for item in items]
        self._count(taken, read)
        visited = {id(visits): visits for visits, _ in self._ended}
        ended = self._told([(visits, len(items)) for visits, items in new], now)
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
                    self._time(visits, items)
            for (visits, _, raw), (_, item) in zip(unread, read, strict=True):
                if (
                    isinstance(raw, RawItem)
                    and isinstance(item, Article)
                    and not visits.source.once
                ):
                    visits.repeats.note(raw, item)
            for visits in visited.values():
                visits.settled |= not visits.failures
                if visits.items:  # a feed that has not changed says nothing of its length
                    visits.repeats.expect(visits.items)
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

    def close(self) -> None:
        """Begin no more visits; those under way are left to the next process."""
        self._visitors.close()
        for visits in self.visits:
            visits.source.close()

    def _live_turn(self, now: datetime) -> list[Taken]:
        """Begin the visits that are due, and take what those under way have brought."""
        if not self._recalled:
            self._recall(now)
        due = [each for each in self.visits if each.due_at <= now]
        for visits in sorted(due, key=lambda each: each.due_at):
            if id(visits) not in self._visitors:
                visits.items = visits.unusable = 0
                self._visitors.begin(id(visits), visits.source, now)
        by_id = {id(each): each for each in self.visits}
        taken: list[Taken] = []
        for piece in self._visitors.take(CHUNK, PATIENCE_S):
            visits = by_id[piece.key]
            taken += [(visits, None, item) for item in piece.items]
            if piece.ended:
                self._ended_by(piece, visits, now)
        return taken

    def _ended_by(self, piece: Piece[int], visits: Visits, now: datetime) -> None:
        self._end(visits, now, piece.failure, piece.took_s)
        if piece.failure is not None:
            self._tell(visits, piece.failure)

    def _recall(self, now: datetime) -> None:
        with self.store.read() as connection:
            known = stored_visits.load(connection)
            recent = stored_articles.newest_collected(connection, now - WINDOW, RECALLED)
        by_source: dict[str, list[Article]] = {}
        for article in recent:
            by_source.setdefault(article.source, []).append(article)
        for visits in self.visits:
            if visits.source.name in known and not visits.source.once:
                visits.recall(known[visits.source.name], now)
                visits.repeats.recall(by_source.get(visits.source.name, ()))
        self._recalled = True

    def _replay_turn(self, now: datetime) -> list[Taken]:
        """Take up to a chunk of the replay in hand."""
        taken: list[Taken] = []
        if self._visited is not None or self._next_visit(now):
            assert self._visited is not None
            self._take(self._visited, now, taken)
        return taken

    def _next_visit(self, now: datetime) -> bool:
        """Begin to read the next replay."""
        if not self.visits:
            return False
        self._visited = self.visits[0]
        items = self._visited.source.poll(now)
        self._items = ReplayTimes(self.wall.now()).follow(items)
        return True

    def _take(self, visits: Visits, now: datetime, taken: list[Taken]) -> None:
        """Take items of the visit in hand; ends the visit when there are no more."""
        try:
            while len(taken) < CHUNK:
                entry = self._held or next(self._items, None)
                self._held = None
                if entry is None:
                    self._end(visits, now)
                    return
                at, item = entry
                if at is not None and isinstance(self.clock, ReplayClock):
                    if self.clock.speed and taken and at > self.clock.now():
                        self._held = entry  # hand over what is due before waiting for this
                        return
                    self.clock.advance_to(at)
                taken.append((visits, at, item))
        except SourceError as error:
            self._end(visits, now, error)
            self._tell(visits, error)

    def _tell(self, visits: Visits, error: SourceError) -> None:
        if visits.source.once:
            raise ConfigError(str(error)) from error
        log.warning("source %s: %s", visits.source.name, error)

    def _read(self, item: RawItem | DeadItem, at: datetime) -> Article | DeadItem:
        return item if isinstance(item, DeadItem) else to_article(item, at, self.rules)

    def _end(
        self,
        visits: Visits,
        now: datetime,
        failure: SourceError | None = None,
        took_s: float | None = None,
    ) -> None:
        self.metrics.visits.labels("ok" if failure is None else failure.kind.value).inc()
        if took_s is not None:
            self.metrics.visit_seconds.observe(took_s)
        visits.failures = 0 if failure is None else visits.failures + 1
        self._items = iter(())
        self._visited = None
        if visits.source.once:
            visits.source.close()
            self.visits.remove(visits)
        retry_after_s = (failure.retry_after_s or 0.0) if failure is not None else 0.0
        wait_s = visits.wait_s(now, retry_after_s, self._random.uniform(-1, 1))
        visits.due_at = now + timedelta(seconds=wait_s)
        memory = visits.source.memory if isinstance(visits.source, Remembers) else None
        visit = Visit(
            source=visits.source.name,
            at=now,
            new=0,
            failure="" if failure is None else str(failure),
            kind="" if failure is None else failure.kind.value,
            took_s=took_s,
            due_at=visits.due_at,
            memory=memory,
        )
        self._ended.append((visits, visit))

    def _time(self, visits: Visits, items: Iterable[Article]) -> None:
        """Note how long news took to be collected. What a source held before its first visit is none."""
        if visits.settled:
            for item in items:
                if item.date_status is DateStatus.OK:
                    took_s = (item.ingested_at - item.published_at).total_seconds()
                    self.metrics.latency.observe(took_s)

    @staticmethod
    def _known(taken: Taken) -> bool:
        visits, _, item = taken
        return isinstance(item, RawItem) and not visits.source.once and visits.repeats.known(item)

    @staticmethod
    def _count(taken: Sequence[Taken], read: Sequence[tuple[Visits, Article | DeadItem]]) -> None:
        for visits, _, _ in taken:
            visits.items += 1
        for visits, item in read:
            visits.unusable += isinstance(item, DeadItem)

    def _told(self, brought: Sequence[tuple[Visits, int]], now: datetime) -> list[Visit]:
        """Return the visits that ended since the last write, with what their sources brought in this turn."""
        new: dict[str, int] = {}
        for visits, count in brought:
            visits.brought(count, now)
            new[visits.source.name] = count
        ended = {
            visit.source: replace(
                visit,
                new=new.pop(visit.source, 0),
                items=visits.items,
                unusable=visits.unusable,
                cadence_s=visits.cadence_s,
            )
            for visits, visit in self._ended
        }
        self._ended.clear()
        # Others are in the middle of a long visit.
        return [*ended.values(), *(Visit(name, now, count) for name, count in new.items() if count)]

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
