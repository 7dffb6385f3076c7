"""The aggregate stage: stores classified articles, and everything that follows from new ones, at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from monitor.aggregate.buckets import Contribution, bucket_rows, contributions, publisher_rows
from monitor.aggregate.weights import Scale, move
from monitor.domain import ClassifiedArticle
from monitor.metrics import Metrics
from monitor.pipeline import ARTICLES, Effects, Input
from monitor.store import Connection, alerts, articles, buckets, progress
from monitor.store.amend import amend
from monitor.store.articles import Added
from monitor.store.progress import Progress
from monitor.stream.codec import Classified

STAGE = "aggregate"


class AggregateStage:
    """Writes articles, buckets, publishers and signals in one transaction.

    Only articles that were new to the store add to anything. What was there already is a *repeat* when it
    was appended to ``news.articles`` again, and nothing at all when the same offset was delivered again:
    each partition's highest counted offset tells the two apart. (That offset only decides how a record is
    *counted*; whether it is *stored* never depends on it.)

    Parameters
    ----------
    calls_for_alert
        Says whether an article has to be shown to the story rules.
    wall
        The wall clock, for heartbeats.
    scale
        What articles weigh in the sentiment index, and the lists of the watchlist.
    """

    def __init__(
        self,
        calls_for_alert: Callable[[ClassifiedArticle], bool],
        wall: Callable[[], datetime],
        metrics: Metrics,
        scale: Scale | None = None,
    ) -> None:
        self.calls_for_alert = calls_for_alert
        self.wall = wall
        self.metrics = metrics
        self.scale = scale or Scale()

    def watch(self, scale: Scale) -> None:
        """Take the lists of another watchlist."""
        self.scale = scale

    def process(self, batch: Sequence[Input]) -> Effects:
        if not batch:
            return Effects()
        bodies: list[Classified] = [entry.body for entry in batch]

        def write(connection: Connection) -> None:
            added = count(connection, [body.item for body in bodies], self.scale)
            alerts.add_signals(
                connection,
                (
                    (item.article.id, item.article.revision, item.article.ingested_at)
                    for item in added.counted
                    if self.calls_for_alert(item)
                ),
            )
            self._count(connection, bodies, added.fresh)

        return Effects(write=write)

    def _count(
        self,
        connection: Connection,
        bodies: Sequence[Classified],
        fresh: Sequence[ClassifiedArticle],
    ) -> None:
        states = progress.load(connection, STAGE)
        new = {(item.article.id, item.article.revision) for item in fresh}
        by_partition: dict[int, list[Classified]] = {}
        seen: Counter[str] = Counter()
        for body in bodies:
            if body.origin is None:
                seen["read_again"] += 1
            else:
                by_partition.setdefault(body.origin.partition, []).append(body)
        for partition, several in by_partition.items():
            state = states.get((ARTICLES, partition)) or Progress(STAGE, ARTICLES, partition)
            found = Counter(_kinds(several, new, state.origin))
            reached = [body.item.article.ingested_at for body in several]
            state = replace(
                state,
                origin=max(state.origin, *(body.origin.offset for body in several if body.origin)),
                through_at=max(state.through_at, *reached),
                articles=state.articles + found["new"],
                repeats=state.repeats + found["repeat"],
                beat_at=self.wall(),
            )
            progress.save(connection, state)
            seen += found
        for kind, number in seen.items():
            self.metrics.stored.labels(kind).inc(number)


def _kinds(bodies: Sequence[Classified], new: set[tuple[str, str]], reached: int) -> Iterator[str]:
    """Say of each record of a partition what it is; ``new`` loses those that are there now."""
    for body in bodies:
        assert body.origin is not None
        key = (body.item.article.id, body.item.article.revision)
        if key in new:
            new.discard(key)  # a second time in this batch it is a repeat
            yield "new"
        else:
            yield "repeat" if body.origin.offset > reached else "redelivered"
        reached = max(reached, body.origin.offset)


def count(connection: Connection, items: Sequence[ClassifiedArticle], scale: Scale) -> Added:
    """Store articles and add those that are new to buckets and publishers, each report's weight once.

    Of those that are stored already, what a later watchlist finds in them replaces what an earlier one did.
    """
    amended = amend(connection, items)
    if amended:
        # First out, then in: an article's weight has the lists of the watchlist that it was counted with.
        out = _moved(connection, scale, Added([], [], [each.before for each in amended]))
        back = _moved(connection, scale, Added([], [each.after for each in amended], []))
        _book(connection, out + back)
    added = articles.add(connection, items)
    _book(connection, _moved(connection, scale, added))
    return added


def _moved(connection: Connection, scale: Scale, added: Added) -> list[Contribution]:
    return contributions(added.counted, added.displaced, move(connection, scale, added))


def _book(connection: Connection, given: Sequence[Contribution]) -> None:
    buckets.add(connection, bucket_rows(given))
    buckets.add_publishers(connection, publisher_rows(given))
