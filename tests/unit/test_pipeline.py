"""The loop and its guarantee: real embedded streams, a real store, and stages that fail in every way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import monitor.pipeline
from monitor.aggregate.digest import digest
from monitor.aggregate.stage import AggregateStage
from monitor.clock import SystemClock
from monitor.domain import ClassifiedArticle, DeadItem
from monitor.errors import FatalError, StoreUnavailable
from monitor.metrics import Metrics
from monitor.pipeline import (
    ARTICLES,
    CLASSIFIEDS,
    DEADS,
    STAGES,
    Effects,
    Input,
    Stage,
    StageLoop,
    StageSpec,
)
from monitor.service import Stop
from monitor.store import Connection, Store, articles, progress
from monitor.stream import LocalStreamSettings
from monitor.stream.codec import ARTICLE, CLASSIFIED, DEAD, Classified, Origin
from monitor.stream.local import LocalBroker
from monitor.stream.port import Message
from tests.support.make import classified

WAIT_S = 20.0
SPEC = StageSpec("copy", ARTICLES, (CLASSIFIEDS, DEADS), ARTICLE, batch=8)


@dataclass
class Bench:
    """A broker, a store, and loops that run in threads."""

    broker: LocalBroker
    store: Store
    stop: threading.Event = field(default_factory=threading.Event)
    metrics: Metrics = field(default_factory=Metrics)

    def append(self, stream: str, *messages: Message) -> None:
        writer = self.broker.writer()
        writer.append(stream, messages)
        writer.flush()
        writer.close()

    def loop(self, stage: Stage, spec: StageSpec = SPEC) -> StageLoop:
        return StageLoop(
            spec, stage, self.broker, self.store, SystemClock(), self.metrics, self.stop
        )

    def run(self, stage: Stage, done: Callable[[], bool], spec: StageSpec = SPEC) -> None:
        """Run until ``done``, then stop; raises what the loop raises."""
        raised: list[BaseException] = []
        self.stop.clear()

        def work() -> None:
            try:
                self.loop(stage, spec).run()
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        until(lambda: done() or not thread.is_alive())
        self.stop.set()
        thread.join(WAIT_S)
        assert not thread.is_alive()
        if raised:
            raise raised[0]

    def waiting(self, stream: str = ARTICLES, group: str = "copy") -> int:
        return sum(lag.records for lag in self.broker.lag(group, stream).values())

    def read(self, stream: str) -> list[bytes]:
        reader = self.broker.reader("test", [stream])
        values = [record.value for record in reader.poll(10_000, 0.05)]
        reader.close()
        return values

    def dead(self) -> list[DeadItem]:
        return [DEAD.decode(value) for value in self.read(DEADS)]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "took too long"
        time.sleep(0.01)


@pytest.fixture
def bench(tmp_path: Path, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(monitor.pipeline, "BACKOFF_S", (0.02, 0.1))
    broker = LocalBroker(LocalStreamSettings(tmp_path / "streams.db", lease_s=1.0))
    broker.create({ARTICLES: 3, CLASSIFIEDS: 3, DEADS: 1})
    yield Bench(broker, sqlite_store)
    broker.close()


def news(count: int) -> list[ClassifiedArticle]:
    return [classified(f"n{i}", f"Title {i}") for i in range(count)]


def article_messages(items: Sequence[ClassifiedArticle]) -> list[Message]:
    return [Message(item.article.id, ARTICLE.encode(item.article)) for item in items]


class Copy:
    """Stores every article and hands it on; ``trouble`` is called with each batch before anything."""

    def __init__(self, trouble: Callable[[Sequence[Input]], None] = lambda _: None) -> None:
        self.trouble = trouble
        self.after: Callable[[], None] | None = None
        self.out = CLASSIFIEDS

    def process(self, batch: Sequence[Input]) -> Effects:
        if not batch:
            return Effects()
        self.trouble(batch)
        by_id = {item.article.id: item for item in news(100)}
        items = [by_id[entry.body.id] for entry in batch]

        def write(connection: Connection) -> None:
            articles.add(connection, items)

        messages = [
            Message(item.article.id, CLASSIFIED.encode(Classified(item, Origin(0, 0))))
            for item in items
        ]
        return Effects(write, {self.out: messages}, self.after)


def titles(bench: Bench) -> list[str]:
    return sorted(articles.latest(bench.store, 1000)["title"])


def handed_on(bench: Bench) -> list[str]:
    return sorted(CLASSIFIED.decode(value).item.article.title for value in bench.read(CLASSIFIEDS))


def test_every_record_has_its_effect_and_its_output(bench: Bench) -> None:
    bench.append(ARTICLES, *article_messages(news(50)))

    bench.run(Copy(), lambda: bench.waiting() == 0)

    assert titles(bench) == handed_on(bench) == sorted(f"Title {i}" for i in range(50))
    assert bench.dead() == []


def test_poison_goes_to_dead_with_reason_and_origin_and_the_rest_goes_on(bench: Bench) -> None:
    good = article_messages(news(6))
    bad = [
        Message("k", b"\xff not JSON"),
        Message("k", b'{"hello": 1}'),
        Message("k", good[0].value.replace(b'"schema_version":1', b'"schema_version":9')),
    ]
    bench.append(ARTICLES, *bad, *good)

    bench.run(Copy(), lambda: bench.waiting() == 0)

    assert titles(bench) == handed_on(bench) == sorted(f"Title {i}" for i in range(6))
    dead = bench.dead()
    assert [item.reason for item in dead] == ["schema"] * 3
    assert [item.detail for item in dead] == [
        "not JSON",
        "not a Foreshock record: it has no schema_version",
        "unknown schema_version 9; this version reads 1",
    ]
    (partition,) = {item.origin.rsplit("@", 1)[0] for item in dead}
    assert partition.startswith("news.articles[")
    assert [item.origin.rsplit("@", 1)[1] for item in dead] == ["0", "1", "2"]
    assert dead[1].payload == '{"hello": 1}'
    assert dead[0].stage == "copy"


def test_a_stream_of_nothing_but_poison_is_passed(bench: Bench) -> None:
    bench.append(ARTICLES, *(Message("k", b"{}") for _ in range(20)))

    bench.run(Copy(), lambda: bench.waiting() == 0)

    assert len(bench.dead()) == 20


def test_a_stage_that_fails_without_input_stops_and_does_not_spin(bench: Bench) -> None:
    """An all-poison batch is processed as an empty one; a bug there is no record's fault."""

    class Broken:
        def process(self, batch: Sequence[Input]) -> Effects:
            raise ZeroDivisionError

    bench.append(ARTICLES, Message("k", b"{}"))
    with pytest.raises(ZeroDivisionError):
        bench.run(Broken(), lambda: False)


def test_records_that_fail_alone_are_found_in_their_batch(bench: Bench) -> None:
    bad = {"Title 3", "Title 4", "Title 17"}

    def trouble(batch: Sequence[Input]) -> None:
        for entry in batch:
            if entry.body.title in bad:
                raise ValueError(f"cannot bear {entry.body.title}")

    bench.append(ARTICLES, *article_messages(news(30)))
    bench.run(Copy(trouble), lambda: bench.waiting() == 0)

    assert titles(bench) == sorted({f"Title {i}" for i in range(30)} - bad)
    dead = bench.dead()
    assert sorted(item.detail for item in dead) == sorted(
        f"ValueError: cannot bear {title}" for title in bad
    )
    assert {item.reason for item in dead} == {"failed"}
    assert all(ARTICLE.decode(item.payload.encode()).title in bad for item in dead)


def test_an_outage_is_waited_out_without_loss(bench: Bench) -> None:
    left = [5]

    def trouble(_: Sequence[Input]) -> None:
        if left[0]:
            left[0] -= 1
            assert bench.waiting() == 30, "committed in an outage"
            raise StoreUnavailable("the database is away")

    bench.append(ARTICLES, *article_messages(news(30)))
    bench.run(Copy(trouble), lambda: bench.waiting() == 0)

    assert titles(bench) == handed_on(bench) == sorted(f"Title {i}" for i in range(30))
    assert bench.metrics.retries.labels("copy")._value.get() == 5
    assert bench.dead() == []


def test_a_broker_that_is_away_is_waited_for(bench: Bench) -> None:
    """The output stream is not there: what was written is there already, and is not written twice."""
    stage = Copy()
    stage.out = "news.later"
    bench.append(ARTICLES, *article_messages(news(5)))

    def come_back() -> bool:
        if bench.metrics.retries.labels("copy")._value.get() >= 2:
            bench.broker.create({"news.later": 1})
        return bench.waiting() == 0

    bench.run(stage, come_back)

    assert len(bench.read("news.later")) == 5
    assert articles.count(bench.store) == 5


def test_told_to_stop_in_an_outage_it_stops_and_commits_nothing(bench: Bench) -> None:
    stage = Copy()
    stage.out = "news.never"
    bench.append(ARTICLES, *article_messages(news(5)))
    started = time.monotonic()

    bench.run(stage, lambda: bench.metrics.retries.labels("copy")._value.get() >= 3)

    assert bench.waiting() == 5
    assert time.monotonic() - started < WAIT_S / 2
    bench.run(Copy(), lambda: bench.waiting() == 0)
    assert len(handed_on(bench)) == articles.count(bench.store) == 5


def test_a_partition_that_comes_in_an_outage_is_read_afterwards(bench: Bench) -> None:
    """Another member leaves while we wait; its partitions come to us, and are not left paused."""
    other = bench.broker.reader("copy", [ARTICLES])
    until(lambda: other.poll(1, 0.05) == [] and len(other.assigned()) == 3)
    trouble_over = threading.Event()

    def trouble(_: Sequence[Input]) -> None:
        if not trouble_over.is_set():
            raise StoreUnavailable("the database is away")

    taken: set[int] = set()

    def done() -> bool:
        if not taken:
            other.poll(0, 0.01)
            if len(other.assigned()) == 3:
                return False  # the loop has not joined yet
            bench.append(ARTICLES, *article_messages(news(30)))
            taken.add(1)
            until(lambda: bench.metrics.retries.labels("copy")._value.get() >= 1)
            other.close()
            time.sleep(1.0)
            trouble_over.set()
        return bench.waiting() == 0

    bench.run(Copy(trouble), done)

    assert titles(bench) == sorted(f"Title {i}" for i in range(30))


def test_a_crash_before_the_commit_repeats_harmlessly(bench: Bench) -> None:
    def crash() -> None:
        raise FatalError("killed between write and commit")

    stage = Copy()
    stage.after = crash
    bench.append(ARTICLES, *article_messages(news(6)))
    with pytest.raises(FatalError):
        bench.run(stage, lambda: False)
    assert bench.waiting() == 6
    assert 0 < articles.count(bench.store) <= 6

    bench.run(Copy(), lambda: bench.waiting() == 0)

    assert titles(bench) == sorted(f"Title {i}" for i in range(6))
    assert set(handed_on(bench)) == set(titles(bench))
    assert bench.dead() == []


def test_the_steps_come_in_their_order(bench: Bench) -> None:
    """When a stage hears that all is done: effects written, outputs durable, nothing committed yet."""
    seen: list[tuple[int, int, int]] = []
    stage = Copy()

    def after() -> None:
        stored = articles.count(bench.store)
        seen.append((stored, bench.waiting(CLASSIFIEDS, "nobody"), bench.waiting()))

    stage.after = after
    bench.append(ARTICLES, *article_messages(news(4)))
    bench.run(stage, lambda: bench.waiting() == 0)
    assert seen[0][0] == seen[0][1] > 0
    assert seen[0][2] == 4


def test_a_head_stage_runs_until_it_is_done(bench: Bench) -> None:
    class Head:
        turns = 0

        def process(self, batch: Sequence[Input]) -> Effects:
            assert batch == ()
            self.turns += 1
            message = Message("k", ARTICLE.encode(news(1)[0].article))
            return Effects(outputs={ARTICLES: [message]}, done=self.turns == 3)

    bench.loop(Head(), StageSpec("head", None, (ARTICLES,), None)).run()

    assert len(bench.read(ARTICLES)) == 3


class Waits:
    """A head that would wait for an hour between its turns."""

    def __init__(self) -> None:
        self.turns = 0

    def process(self, batch: Sequence[Input]) -> Effects:
        self.turns += 1
        return Effects(idle_s=3_600.0)


def test_a_head_that_waits_is_woken(bench: Bench) -> None:
    bell, head = threading.Event(), Waits()
    stop = Stop([bell])
    spec = StageSpec("head", None, (ARTICLES,), None)
    loop = StageLoop(
        *(spec, head, bench.broker, bench.store, SystemClock(), bench.metrics, stop), bell=bell
    )
    thread = threading.Thread(target=loop.run, daemon=True)
    thread.start()
    for turns in (1, 2):
        until(lambda turns=turns: head.turns == turns)  # type: ignore[misc]
        bell.set()
    until(lambda: head.turns == 3)
    stop.set()
    thread.join(WAIT_S)
    assert not thread.is_alive()
    assert head.turns == 3


def test_others_are_woken_when_a_turn_is_committed(bench: Bench) -> None:
    waited: list[int] = []
    loop = bench.loop(Copy())
    loop.wake = lambda: waited.append(bench.waiting())
    bench.append(ARTICLES, *article_messages(news(5)))
    thread = threading.Thread(target=loop.run, daemon=True)
    thread.start()
    until(lambda: bool(waited))
    bench.stop.set()
    thread.join(WAIT_S)
    assert waited[-1] == 0


# The aggregate stage in its loop --------------------------------------------------------------------


def classified_messages(items: Sequence[ClassifiedArticle], first_offset: int = 0) -> list[Message]:
    return [
        Message("one key: one partition", CLASSIFIED.encode(Classified(item, Origin(0, offset))))
        for offset, item in enumerate(items, first_offset)
    ]


def aggregate(bench: Bench) -> tuple[int, int]:
    """Run the aggregate stage over what waits; return (articles, repeats) counted so far."""
    stage = AggregateStage(lambda item: True, SystemClock().now, bench.metrics)
    spec = STAGES["aggregate"]
    bench.run(stage, lambda: bench.waiting(CLASSIFIEDS, "aggregate") == 0, spec)
    return progress.totals(bench.store)


def test_a_repeat_is_counted_and_a_redelivery_is_nothing(bench: Bench) -> None:
    items = news(10)
    bench.append(CLASSIFIEDS, *classified_messages(items))
    assert aggregate(bench) == (10, 0)

    again = classified_messages(items[:4], first_offset=10)
    bench.append(CLASSIFIEDS, *again)
    assert aggregate(bench) == (10, 4)

    # A classifier died before its commit: the same offsets of news.articles come a second time.
    bench.append(CLASSIFIEDS, *classified_messages(items), *again)
    assert aggregate(bench) == (10, 4)
    assert digest(bench.store).buckets_match


def test_a_batch_with_repeats_in_it_counts_the_same(bench: Bench) -> None:
    items = news(5)
    bench.append(CLASSIFIEDS, *classified_messages([*items, *items, *items[:2]]))
    assert aggregate(bench) == (5, 7)


def test_partitions_count_apart(bench: Bench) -> None:
    entry: Any
    for partition in (0, 1):
        for offset, item in enumerate(news(3)):
            entry = Classified(item, Origin(partition, offset))
            bench.append(CLASSIFIEDS, Message("one key", CLASSIFIED.encode(entry)))
    assert aggregate(bench) == (3, 3)
