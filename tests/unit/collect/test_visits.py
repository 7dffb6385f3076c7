"""What the collect stage keeps of its visits: success, something new, and why one failed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from monitor.collect.dates import DateRules
from monitor.collect.raw import RawItem
from monitor.collect.source import SourceError
from monitor.collect.stage import CollectStage
from monitor.metrics import Metrics
from monitor.store import Store, visits
from monitor.store.visits import Visited
from monitor.stream import LocalStreamSettings, open_broker
from tests.support.make import T0

EVERY = timedelta(seconds=300)


@dataclass
class Feed:
    """A source that brings what it is told to, or fails."""

    name: str
    items: list[str] = field(default_factory=list)
    failure: str = ""
    interval_s: float = EVERY.total_seconds()
    once: bool = False

    def poll(self, now: datetime) -> Iterator[RawItem]:
        for title in self.items:
            yield RawItem(
                self.name, self.name, title, "", f"https://{self.name}/{title}", None, now
            )
        if self.failure:
            raise SourceError(self.failure)

    def close(self) -> None:
        pass


@dataclass
class Clock:
    at: datetime = T0

    def now(self) -> datetime:
        return self.at


def test_every_visit_is_kept_with_its_outcome(sqlite_store: Store, tmp_path: Path) -> None:
    broker = open_broker(LocalStreamSettings(path=tmp_path / "streams.db"))
    broker.create({"news.articles": 1, "news.classified": 1, "news.dead": 1, "alerts": 1})
    good, bad, torn = Feed("good", ["one", "two"]), Feed("bad", failure="HTTP 500"), Feed("torn")
    torn.items, torn.failure = ["three"], "cut off"
    clock = Clock()
    stage = CollectStage(
        [good, bad, torn], DateRules(), broker, sqlite_store, clock, clock, Metrics(), 1_000
    )

    def turn(at: datetime) -> dict[str, Visited]:
        clock.at = at
        for _ in range(4):
            effects = stage.process(())
            if effects.write is not None:
                with sqlite_store.write() as connection:
                    effects.write(connection)
            if effects.after is not None:
                effects.after()
        with sqlite_store.read() as connection:
            known = visits.load(connection)
        assert all(each.due_at and each.took_s is not None for each in known.values())
        return {name: replace(each, due_at=None, took_s=None) for name, each in known.items()}

    first = turn(T0)
    assert first["good"] == Visited("good", T0, T0, T0, 0, "", "", None, 2, 0)
    assert first["bad"] == Visited("bad", T0, None, None, 1, "HTTP 500", "other", None, 0, 0)
    assert first["torn"] == Visited("torn", T0, None, T0, 1, "cut off", "other", None, 1, 0)
    assert turn(T0 + EVERY / 2) == first  # nobody was visited
    bad.failure, torn.failure = "", "cut off again"
    second = turn(T0 + EVERY)
    later = T0 + EVERY
    assert second["good"] == Visited("good", later, later, T0, 0, "", "", None, 2, 0)  # nothing new
    assert second["bad"] == Visited("bad", later, later, None, 0, "", "", None, 0, 0)
    assert second["torn"] == replace(
        first["torn"], tried_at=later, failures=2, failure="cut off again"
    )
    third = turn(T0 + 2 * EVERY)
    assert third["good"].tried_at == T0 + 2 * EVERY
    assert third["torn"].tried_at == later, "the breaker: a wait twice as long"
    stage.close()
    broker.close()


def test_the_time_from_publication_to_collection_is_measured(
    sqlite_store: Store, tmp_path: Path
) -> None:
    broker = open_broker(LocalStreamSettings(path=tmp_path / "streams.db"))
    broker.create({"news.articles": 1, "news.classified": 1, "news.dead": 1, "alerts": 1})
    clock, metrics = Clock(), Metrics()

    class Dated(Feed):
        def poll(self, now: datetime) -> Iterator[RawItem]:
            for age_s, title in enumerate(self.items):
                at = now - timedelta(seconds=age_s * 40)
                yield RawItem(self.name, self.name, title, "", f"https://x/{title}", None, at)

    feed = Dated("feed", ["one", "two", "three"])
    stage = CollectStage(
        [feed], DateRules(), broker, sqlite_store, clock, clock, metrics, max_backlog=1_000
    )

    def turn(at: datetime) -> tuple[float, float]:
        clock.at = at
        effects = stage.process(())
        assert effects.after is not None
        effects.after()
        total, count = (
            metrics.registry.get_sample_value(f"foreshock_collect_latency_seconds_{what}")
            for what in ("sum", "count")
        )
        assert total is not None and count is not None
        return total, count

    assert turn(T0) == (0, 0)  # what it held before we came is no news
    feed.items = ["four", "five", "one"]
    assert turn(T0 + EVERY) == (40, 2)
    assert turn(T0 + 2 * EVERY) == (40, 2)
    stage.close()
    broker.close()
