"""The aggregate stage: stores classified articles, and everything that follows from new ones, at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import pandas as pd

from monitor.aggregate.buckets import bucket_rows, contributions, publisher_rows
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
        touched: dict[int, Progress] = {}
        for body in bodies:
            if body.origin is None:
                self.metrics.stored.labels("read_again").inc()
                continue
            partition, offset = body.origin.partition, body.origin.offset
            state = touched.get(partition) or states.get((ARTICLES, partition))
            state = state or Progress(STAGE, ARTICLES, partition)
            article = body.item.article
            key = (article.id, article.revision)
            if key in new:
                new.discard(key)  # a second time in this batch it is a repeat
                state = replace(state, articles=state.articles + 1)
                self.metrics.stored.labels("new").inc()
            elif offset > state.origin:
                state = replace(state, repeats=state.repeats + 1)
                self.metrics.stored.labels("repeat").inc()
            else:
                self.metrics.stored.labels("redelivered").inc()
            touched[partition] = replace(
                state,
                origin=max(state.origin, offset),
                through_at=max(state.through_at, article.ingested_at),
            )
        for state in touched.values():
            progress.save(connection, replace(state, beat_at=self.wall()))


def count(connection: Connection, items: Sequence[ClassifiedArticle], scale: Scale) -> Added:
    """Store articles and add those that are new to buckets and publishers, each report's weight once.

    Of those that are stored already, what a later watchlist finds in them replaces what an earlier one did.
    """
    amended = amend(connection, items)
    if amended:
        # First out, then in: an article's weight has the lists of the watchlist that it was counted with.
        out = _moved(connection, scale, Added([], [], [each.before for each in amended]))
        back = _moved(connection, scale, Added([], [each.after for each in amended], []))
        _book(connection, pd.concat([out, back], ignore_index=True))
    added = articles.add(connection, items)
    _book(connection, _moved(connection, scale, added))
    return added


def _moved(connection: Connection, scale: Scale, added: Added) -> pd.DataFrame:
    return contributions(added.counted, added.displaced, move(connection, scale, added))


def _book(connection: Connection, frame: pd.DataFrame) -> None:
    if not frame.empty:
        buckets.add(connection, bucket_rows(frame))
        buckets.add_publishers(connection, publisher_rows(frame))
