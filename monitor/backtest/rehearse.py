"""What other alert rules would have made of the stored history, beside what did fire.

The articles of a store, as they were classified, go once more through the aggregate and the alert stage, in
the order they came, into a store that is thrown away. What is read from is not written to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from monitor.aggregate.stage import AggregateStage
from monitor.alert.rulebook import rule_book
from monitor.alert.ruleset import RuleSet
from monitor.alert.stage import AlertStage
from monitor.alert.story import may_concern
from monitor.backtest.run import throwaway
from monitor.clock import ReplayClock
from monitor.domain import Alert, ClassifiedArticle, Company
from monitor.errors import ConfigError
from monitor.pipeline import ARTICLES, CLASSIFIEDS, Effects, Input
from monitor.service import Outside, names_of, open_outside
from monitor.settings import Settings
from monitor.store import Store, alerts, articles, progress
from monitor.store.progress import Progress
from monitor.stream.codec import Classified, Origin
from monitor.stream.port import Record

AT_ONCE = 2_000
BEFORE = timedelta(days=7)  # alerts that were open when the span begins began in these days
SPAN = timedelta(days=7)
TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Alerts that began in a span: by the rules that were tried, and those that fired.

    ``same`` holds the pairs of the two that are one event.
    """

    start: datetime
    end: datetime
    articles: int
    would_fire: tuple[Alert, ...]
    fired: tuple[Alert, ...]
    same: tuple[tuple[Alert, Alert], ...]

    @property
    def only_rules(self) -> tuple[Alert, ...]:
        paired = {would.id for would, _ in self.same}
        return tuple(alert for alert in self.would_fire if alert.id not in paired)

    @property
    def only_fired(self) -> tuple[Alert, ...]:
        paired = {did.id for _, did in self.same}
        return tuple(alert for alert in self.fired if alert.id not in paired)


def span_of(
    store: Store, start: datetime | None, end: datetime | None
) -> tuple[datetime, datetime]:
    """Return the span to look at; by default the last week that the store knows.

    Raises
    ------
    ConfigError
        The store is empty, or the span is.
    """
    with store.read() as connection:
        reached = progress.load(connection, "collect").values()
        first = articles.first_arrival(connection)
    known = [state.through_at for state in reached]
    if first is None or not known:
        raise ConfigError(f"{store.name}: holds no articles yet; nothing to test rules on")
    end = end or max(known) + TICK  # the end is not part of the span, the newest article is
    start = start or end - SPAN
    if start >= end:
        raise ConfigError(f"--from {start:%Y-%m-%d %H:%M} is not before --to {end:%Y-%m-%d %H:%M}")
    return start, end


def rehearse(
    store: Store,
    companies: tuple[Company, ...],
    rules: RuleSet,
    settings: Settings,
    start: datetime,
    end: datetime,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> Rehearsal:
    """Run rules over the articles of a store and compare what fires in ``[start, end)``.

    The history that the rules need before ``start`` is run through as well.

    Parameters
    ----------
    store
        Only read.
    watch
        Told how many articles are done, and how many there are.
    """
    begin = start - max(rules.history, BEFORE)
    done = 0
    with TemporaryDirectory(prefix="foreshock-rules-") as folder:
        outside = open_outside(throwaway(settings, Path(folder)), ReplayClock(None))
        desk = _Desk(outside, rules, companies)
        try:
            with store.read() as connection:
                total = articles.count_ingested(connection, begin, end)
                for batch in articles.by_ingest(connection, begin, end, AT_ONCE):
                    desk.take(batch)
                    done += len(batch)
                    watch(done, total)
            desk.look(end)
            would_fire = _began(outside.store, start, end)
        finally:
            outside.broker.close()
            outside.store.close()
    fired = _began(store, start, end)
    return Rehearsal(start, end, done, would_fire, fired, tuple(_pairs(would_fire, fired)))


class _Desk:
    """The aggregate and the alert stage over the throwaway store."""

    def __init__(self, outside: Outside, rules: RuleSet, companies: tuple[Company, ...]) -> None:
        self.outside = outside
        self.aggregate = AggregateStage(may_concern, outside.wall.now, outside.metrics)
        self.alert = AlertStage(
            outside.store,
            outside.broker,
            rule_book(lambda: rules, None, outside.wall, outside.metrics),
            names_of(outside.settings, companies),
            outside.holder,
            outside.clock,
            outside.wall,
            outside.metrics,
        )
        self._offset = 0

    def take(self, items: Sequence[ClassifiedArticle]) -> None:
        batch = []
        for item in items:
            record = Record(CLASSIFIEDS, 0, self._offset, item.article.id, b"", 0)
            batch.append(Input(Classified(item, Origin(0, self._offset)), record))
            self._offset += 1
        self._apply(self.aggregate.process(batch))
        self.look(items[-1].article.ingested_at)

    def look(self, through: datetime) -> None:
        """Let the alert stage look at everything up to a time."""
        with self.outside.store.write() as connection:
            reached = Progress(
                "collect", ARTICLES, 0, through_at=through, replay=True, beat_at=through
            )
            progress.save(connection, reached)
        while True:
            effects = self.alert.process(())
            if effects.write is None and not effects.outputs:
                return
            self._apply(effects)

    def _apply(self, effects: Effects) -> None:
        """Do what a stage wants done, but for its outputs: nobody is told of a rehearsal."""
        if effects.write is not None:
            with self.outside.store.write() as connection:
                effects.write(connection)
        if effects.after is not None:
            effects.after()


def _began(store: Store, start: datetime, end: datetime) -> tuple[Alert, ...]:
    found = [each for each in alerts.latest(store, 10**9) if start <= each.started_at < end]
    return tuple(sorted(found, key=lambda alert: (alert.started_at, alert.id)))


def _pairs(would_fire: Iterable[Alert], fired: Iterable[Alert]) -> Iterator[tuple[Alert, Alert]]:
    """Yield alerts of one fingerprint that began together, else that overlap in time; each once."""
    left = {alert.id: alert for alert in fired}
    later = []
    for would in would_fire:
        if would.id in left:
            yield would, left.pop(would.id)
        else:
            later.append(would)
    for would in later:
        for did in left.values():
            if (
                did.fingerprint == would.fingerprint
                and did.started_at <= (would.resolved_at or would.updated_at)
                and would.started_at <= (did.resolved_at or did.updated_at)
            ):
                yield would, left.pop(did.id)
                break
