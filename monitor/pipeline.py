"""The pipeline: one table of stages, and the one loop that runs any of them.

The guarantee
-------------
A record of a stream has its effects exactly once, though it may be delivered many times:

1. *poll* a batch of records, or, for a stage at the head of the flow, wait for its next turn;
2. *decode*; what is not a record of ours goes to ``news.dead`` with reason, stream, partition and offset;
3. *process*: the stage computes its effects and its outputs, and touches nothing yet;
4. *write* all effects in one transaction of the store. Keys are deterministic and inserts ignore what is
   there, so that the same record a second time changes nothing;
5. *produce* the outputs, of every record, new or not: a crash between 4 and 5 loses nothing;
6. *flush*: wait until the outputs are durable;
7. *commit* the offsets, last. A crash anywhere before this repeats the batch, which is harmless.

Failures are sorted by what is done about them: an outage (`RetriableError`) is waited out with the batch in
hand and the partitions paused; a record that alone makes its stage fail goes to ``news.dead``; a
`FatalError` stops the process without a commit.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Protocol, TypeVar, runtime_checkable

from monitor.batch_size import BatchSize
from monitor.clock import Clock
from monitor.domain import DeadItem, DeadReason, storable
from monitor.errors import FatalError, PoisonError, RetriableError
from monitor.metrics import Metrics, from_zero
from monitor.store import Connection, Store
from monitor.store import dead as dead_letters
from monitor.store.dead import Original
from monitor.stream.codec import ALERT, ARTICLE, CLASSIFIED, DEAD, Codec
from monitor.stream.port import Broker, Message, Partition, Record, StreamReader
from monitor.traces import Traces

log = logging.getLogger(__name__)

T = TypeVar("T")

ARTICLES = "news.articles"
CLASSIFIEDS = "news.classified"
DEADS = "news.dead"
ALERTS = "alerts"
LABELS = "labels"
TRACED = (ARTICLES, CLASSIFIEDS, ALERTS)  # the key of a record is the id of its trace

PAYLOAD_CHARS = 2_000
# First and longest wait in an outage. A try costs next to nothing, and work has to go on soon after it.
BACKOFF_S = (0.2, 5.0)
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class StageSpec:
    """One row of the table: what a stage reads and writes, and how its input is decoded.

    ``batch`` is the most records that one turn takes; ``wakes`` is the stage at the head, of the same
    process, that may have something to do once this one has done something.
    """

    name: str
    reads: str | None
    writes: tuple[str, ...]
    codec: Codec[Any] | None
    batch: int = 1_000
    wakes: str | None = None


STAGES: Mapping[str, StageSpec] = {
    spec.name: spec
    for spec in (
        StageSpec("collect", None, (ARTICLES, DEADS), None, wakes="alert"),
        StageSpec("classify", ARTICLES, (CLASSIFIEDS, DEADS), ARTICLE),
        StageSpec("aggregate", CLASSIFIEDS, (DEADS,), CLASSIFIED, wakes="alert"),
        StageSpec("alert", None, (ALERTS, LABELS), None),
        StageSpec("notify", ALERTS, (DEADS,), ALERT),
    )
}


@dataclass(frozen=True, slots=True)
class Input:
    """A decoded record and where it came from."""

    body: Any
    record: Record


@dataclass(frozen=True, slots=True)
class Effects:
    """What a stage wants done: first ``write`` in one transaction, then ``outputs``, then ``after``."""

    write: Callable[[Connection], None] | None = None
    outputs: Mapping[str, Sequence[Message]] = field(default_factory=dict)
    after: Callable[[], None] | None = None
    idle_s: float = 0.0  # a stage at the head: how long until its next turn
    done: bool = False  # a stage at the head: there will be no more turns
    # Key of an output: the article that it is from.
    causes: Mapping[str, str] = field(default_factory=dict)


class Stage(Protocol):
    """One stage. It knows nothing of brokers; it imports no other stage."""

    def process(self, batch: Sequence[Input]) -> Effects:
        """Return what is to be done about a batch (empty for a stage without input)."""
        ...


@runtime_checkable
class Closes(Protocol):
    """A stage that has work under way between its turns."""

    def close(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        ...


class StageLoop:
    """The loop, for one stage in one thread.

    Parameters
    ----------
    spec, stage
        What to run.
    broker, store, clock, metrics
        The outside.
    stop
        Set from elsewhere to end the loop after the batch in hand.
    before
        Called before every turn: what a stage knows may have changed.
    traces
        Told what has all its effects.
    wake
        Called after a turn that did something: another stage may have to follow.
    bell
        Set when this stage, at the head, shall not wait for its next turn; and with ``stop``, where given.
    """

    def __init__(
        self,
        spec: StageSpec,
        stage: Stage,
        broker: Broker,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        stop: threading.Event,
        before: Callable[[], None] = lambda: None,
        traces: Traces | None = None,
        wake: Callable[[], None] = lambda: None,
        bell: threading.Event | None = None,
    ) -> None:
        self.spec = spec
        self.stage = stage
        self.broker = broker
        self.store = store
        self.clock = clock
        self.metrics = metrics
        self.stop = stop
        self.before = before
        self.traces = traces or Traces()
        self.wake = wake
        self.bell = bell
        self.size = BatchSize(spec.batch)
        from_zero(metrics.records, [spec.name])
        from_zero(metrics.retries, [spec.name])
        from_zero(metrics.dead, [spec.name], DeadReason)

    def run(self) -> None:
        """Run until stopped, or until a head stage has no more turns."""
        writer = self.broker.writer()
        try:
            if self.spec.reads is None:
                self._run_head(writer.append, writer.flush)
            else:
                reader = self.broker.reader(self.spec.name, [self.spec.reads])
                try:
                    self._run_reader(reader, writer.append, writer.flush)
                finally:
                    reader.close()
        finally:
            writer.close()

    def _run_head(self, append: Append, flush: Flush) -> None:
        while not self.stop.is_set():
            effects = self._idle_turn(append, flush, None)
            if effects is None or effects.done:
                return
            self._ended_turn()
            self._rest(effects.idle_s)

    def _rest(self, seconds: float) -> None:
        """Wait for the next turn of a head; a ring that came meanwhile is not lost."""
        if self.bell is None:
            self.stop.wait(seconds)
        else:
            self.bell.wait(seconds)
            self.bell.clear()

    def _run_reader(self, reader: StreamReader, append: Append, flush: Flush) -> None:
        while not self.stop.is_set():
            records = self._patiently(lambda: reader.poll(self.size.limit, POLL_S), reader)
            if not records:
                self._idle_turn(append, flush, reader)
            elif not self._turn(records, append, flush, reader):
                return  # stopped in an outage: nothing is committed
            self._ended_turn()

    def _ended_turn(self) -> None:
        self.metrics.turns.labels(self.spec.name).set_to_current_time()

    def _idle_turn(
        self, append: Append, flush: Flush, reader: StreamReader | None
    ) -> Effects | None:
        """Give the stage a turn without records: all turns of a head, and what only time makes due."""
        self._patiently(self.before, reader)
        began_ns = time.time_ns()
        effects = self._patiently(lambda: self.stage.process(()), reader)
        if effects is None:
            return None
        if not self._patiently(lambda: self._apply(effects, append, flush), reader):
            return None
        out = [m.key for name in TRACED for m in effects.outputs.get(name, ())]
        self.traces.passed(self.spec.name, out, began_ns, time.time_ns(), effects.causes)
        if any(effects.outputs.values()):
            self.wake()
        return effects

    def _turn(
        self, records: Sequence[Record], append: Append, flush: Flush, reader: StreamReader
    ) -> bool:
        """Steps 2 to 7 for one batch; ``False`` when stopped before the batch was done."""
        self._patiently(self.before, reader)
        self.metrics.records.labels(self.spec.name).inc(len(records))
        began_ns = time.time_ns()
        with self.metrics.batches.labels(self.spec.name).time():
            inputs, undecodable = self._decode(records)
            failed = self._patiently(lambda: self._batch(inputs, append, flush), reader)
            if failed is None:
                return False
            dead = [*undecodable, *failed]
            if dead and not self._patiently(lambda: self._bury(dead, append, flush), reader):
                return False
        offsets = next_offsets(records)
        self._patiently(lambda: reader.commit(offsets), reader)
        keys = (record.key for record in records)
        self.traces.passed(self.spec.name, keys, began_ns, time.time_ns())
        self.wake()  # not before the commit, by which others see how far this stage is
        return True

    def _decode(self, records: Sequence[Record]) -> tuple[list[Input], list[Dead]]:
        assert self.spec.codec is not None
        inputs: list[Input] = []
        dead: list[Dead] = []
        for record in records:
            try:
                inputs.append(Input(self.spec.codec.decode(record.value), record))
            except PoisonError as error:
                dead.append(self._dead(record, error))
        return inputs, dead

    def _batch(self, inputs: Sequence[Input], append: Append, flush: Flush) -> list[Dead]:
        """Process and apply a batch; where it fails, find and return the records that fail alone."""
        try:
            began_s = time.monotonic()
            effects = self.stage.process(inputs)
            self.size.took(len(inputs), time.monotonic() - began_s)
            self._apply(effects, append, flush)
            return []
        except (RetriableError, FatalError):
            raise
        except Exception as error:
            if not inputs:
                raise  # no record's fault; halving nothing would go on for ever
            if len(inputs) == 1:
                log.exception("record fails alone", extra={"stage": self.spec.name})
                return [self._dead(inputs[0].record, error)]
            log.warning(
                "batch of %d failed (%s); trying halves",
                len(inputs),
                error,
                extra={"stage": self.spec.name},
            )
        middle = len(inputs) // 2
        return [
            *self._batch(inputs[:middle], append, flush),
            *self._batch(inputs[middle:], append, flush),
        ]

    def _apply(self, effects: Effects, append: Append, flush: Flush) -> bool:
        """Steps 4 to 6."""
        if effects.write is not None:
            with self.store.write() as connection:
                effects.write(connection)
        if any(effects.outputs.values()):
            for stream, messages in effects.outputs.items():
                append(stream, messages)
            flush()
        if effects.after is not None:
            effects.after()
        return True

    def _dead(self, record: Record, error: Exception) -> Dead:
        reason, detail = DeadReason.FAILED, f"{type(error).__name__}: {error}"
        if isinstance(error, PoisonError):
            reason, detail = DeadReason(error.reason), error.detail
        item = DeadItem(
            reason=reason,
            detail=storable(detail),
            origin=f"{record.source}@{record.offset}",
            payload=record.value[:PAYLOAD_CHARS].decode("utf-8", "replace"),
            stage=self.spec.name,
            failed_at=self.clock.now(),
        )
        return item, Original(record.stream, record.key, record.value)

    def _bury(self, dead: Sequence[Dead], append: Append, flush: Flush) -> bool:
        """Keep items as dead letters, send them to ``news.dead``, and say so once they are there."""
        with self.store.write() as connection:
            dead_letters.add(connection, dead)
        items = [item for item, _ in dead]
        append(DEADS, [Message(item.origin, DEAD.encode(item)) for item in items])
        flush()
        tell_dead(self.metrics, self.spec.name, items, [original.key for _, original in dead])
        return True

    def _patiently(self, work: Callable[[], T], reader: StreamReader | None) -> T | None:
        """Do some work, waiting out outages; ``None`` when told to stop meanwhile."""
        wait_s, longest_s = BACKOFF_S
        paused: frozenset[Partition] = frozenset()
        while True:
            try:
                result = work()
                break
            except RetriableError as error:
                self.metrics.retries.labels(self.spec.name).inc()
                log.warning(
                    "%s; trying again in %.1f s", error, wait_s, extra={"stage": self.spec.name}
                )
            if reader is not None and not paused:
                paused = reader.assigned()
                reader.pause(paused)
            paused |= self._wait(wait_s, reader)
            if self.stop.is_set():
                return None
            wait_s = min(wait_s * 2, longest_s)
        if reader is not None and paused:
            reader.resume(paused)
        return result

    def _wait(self, wait_s: float, reader: StreamReader | None) -> frozenset[Partition]:
        """Wait while staying a member of the group; return partitions that came meanwhile, paused."""
        came: frozenset[Partition] = frozenset()
        until = time.monotonic() + wait_s
        while (left_s := until - time.monotonic()) > 0:
            if self.stop.wait(min(left_s, 1.0)):
                break
            if reader is None:
                continue
            with contextlib.suppress(RetriableError):
                # Paused partitions give nothing; one that was assigned just now is read again later.
                early: dict[Partition, int] = {}
                for record in reader.poll(1, 0.0):
                    early.setdefault(record.source, record.offset)
                reader.pause(early)
                reader.seek(early)
                came |= early.keys()
        return came


Dead = tuple[DeadItem, Original]
Append = Callable[[str, Sequence[Message]], None]
Flush = Callable[[], None]


def tell_dead(
    metrics: Metrics, stage: str, dead: Sequence[DeadItem], keys: Sequence[str] = ()
) -> None:
    """Count and log items that are in ``news.dead`` now; ``keys`` are those of their records."""
    for item, key in zip_longest(dead, keys):
        metrics.dead.labels(stage, item.reason.value).inc()
        about = {"stage": stage} if key is None else {"stage": stage, "trace": key}
        log.warning("dead: %s: %s: %s", item.origin, item.reason, item.detail, extra=about)


def next_offsets(records: Sequence[Record]) -> dict[Partition, int]:
    """Return the offsets to commit after these records."""
    offsets: dict[Partition, int] = {}
    for record in records:
        offsets[record.source] = max(offsets.get(record.source, 0), record.offset + 1)
    return offsets
