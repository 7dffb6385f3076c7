"""One run of chaos, and the count after it."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from monitor.aggregate.digest import Digest, digest
from monitor.errors import RetriableError
from monitor.pipeline import ARTICLES, DEADS
from monitor.replay import drained
from monitor.service import Service, open_outside
from monitor.settings import load_settings
from monitor.store import dead, outbox, progress
from monitor.store.schema import articles, notifications
from monitor.stream.codec import DEAD
from monitor.stream.port import Broker, Message, Record
from tests.chaos.bench import Bench, bench
from tests.chaos.news import POISON

STILL_S = 240.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run showed.

    Attributes
    ----------
    accepted
        Different revisions that the broker acknowledged.
    records
        Records of ``news.articles``: with repeats, poison, and what was sent again since nothing said that
        it had come.
    lost, doubled
        Accepted revisions that are not stored, and dead records that are no letters; the difference between
        records and what they were counted as (articles, repeats and dead).
    digest_equal
        Ids, labels and buckets (also against their recount) are those of the same records without faults.
    untold, told_twice
        Messages that were due and did not reach the receiver; and those that it took twice, each since a
        process was killed between the answer and its note of it.
    crashes
        Processes that ended by themselves, by exit code; -9 where one did not drain in time.
    longest_drain_s
        What the slowest process took to end after SIGTERM.
    """

    seconds: float
    seed: int
    faults: dict[str, int]
    accepted: int
    records: int
    articles: int
    repeats: int
    dead: int
    lost: int
    doubled: int
    digest_equal: bool
    notifications: int
    untold: int
    told_twice: int
    drained_s: float
    crashes: dict[int, int]
    longest_drain_s: float

    @property
    def sound(self) -> bool:
        return not (self.lost or self.doubled or self.untold) and self.digest_equal

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "fault_count": sum(self.faults.values()), "sound": self.sound}


def chaos(
    seconds: float,
    seed: int,
    per_second: float = 40.0,
    watch: Callable[[float], None] = lambda passed: None,
) -> Outcome:
    """Run for so long, let everything drain, and count."""
    with bench(seed, per_second) as place:
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < seconds:
            watch(passed)
            place.faults.one()
            place.faults.pause(1, 4)
        place.wire.stopped.set()
        place.wire.join(120)
        if place.wire.failure is not None:
            raise place.wire.failure
        drained_s = drain(place)
        for worker in place.faults.workers:
            worker.end(signal.SIGTERM)
        return count(place, passed, seed, drained_s)


def drain(place: Bench) -> float:
    """Wait until everything has had all its effects; return how long that took, in seconds.

    It may take as long as it takes, but not stand still: the machine may have other work.
    """
    begin = moved_at = time.monotonic()
    before: tuple[object, ...] = ()
    while True:
        place.faults.pause(0.5, 0.5)
        try:
            tally = outbox.tally(place.outside.store)
            waits = sum(tally.get(state, 0) for state in ("waiting", "pending"))
            if not waits and drained(place.outside.broker, place.outside.store):
                return time.monotonic() - begin
            lag = place.outside.broker.lag("classify", ARTICLES).values()
            now = (progress.totals(place.outside.store), sum(each.records for each in lag), tally)
        except RetriableError:
            continue
        if now != before:
            before, moved_at = now, time.monotonic()
        elif time.monotonic() - moved_at > STILL_S:
            raise AssertionError(f"stands still for {STILL_S:.0f} s, not drained: {now}")


def count(place: Bench, seconds: float, seed: int, drained_s: float) -> Outcome:
    """Count everything that was accepted, stored, told, and what the same records give without faults."""
    outside, wire, faults = place.outside, place.wire, place.faults
    records = _read(outside.broker, ARTICLES)
    buried = {DEAD.decode(record.value).origin for record in _read(outside.broker, DEADS)}
    stored, repeats = progress.totals(outside.store)
    with outside.store.read() as connection:
        kept = {
            (row.id, row.revision)
            for row in connection.execute(select(articles.c.id, articles.c.revision))
        }
        due = set(
            connection.execute(
                select(notifications.c.idempotency_key).where(notifications.c.state == "sent")
            ).scalars()
        )
        messages = connection.execute(select(notifications.c.state)).scalars().all()
        letters = {letter.item.origin for letter in dead.letters(connection)}
    taken = Counter(place.receiver.keys)
    found, calm = digest(outside.store), _without_faults(records, place.folder)
    return Outcome(
        seconds=round(seconds, 1),
        seed=seed,
        faults=dict(sorted(faults.done.items())),
        accepted=len(wire.accepted.articles),
        records=len(records),
        articles=stored,
        repeats=repeats,
        dead=len(buried),
        lost=len(wire.accepted.articles - kept) + len(buried ^ letters),
        doubled=abs(len(records) - stored - repeats - len(buried)) + abs(stored - len(kept)),
        digest_equal=found.buckets_match
        and (found.ids, found.labels, found.buckets) == (calm.ids, calm.labels, calm.buckets),
        notifications=len(messages),
        untold=len(due - set(taken)) + sum(state != "sent" for state in messages),
        told_twice=sum(times - 1 for times in taken.values()),
        drained_s=round(drained_s, 1),
        crashes=dict(sum((worker.ended for worker in faults.workers), Counter())),
        longest_drain_s=round(max((s for w in faults.workers for s in w.drains_s), default=0.0), 1),
    )


def _read(broker: Broker, stream: str) -> list[Record]:
    """Return every record of a stream."""
    wanted = sum(lag.end for lag in broker.lag("count", stream).values())
    reader = broker.reader("count", [stream])
    records: list[Record] = []
    try:
        until = time.monotonic() + 60
        while len(records) < wanted and time.monotonic() < until:
            records += reader.poll(5_000, 0.5)
    finally:
        reader.close()
    assert len(records) == wanted, f"{stream}: {len(records)} of {wanted} records read"
    return records


def _without_faults(records: list[Record], folder: Path) -> Digest:
    """Run the same records through one process, an embedded log and SQLite."""
    settings = load_settings(
        None,
        {
            "store": {"url": f"sqlite:///{folder / 'calm.db'}"},
            "watchlist": {"path": folder / "watchlist.csv"},
        },
    )
    outside = open_outside(settings)
    service = Service(outside, ("classify", "aggregate"), housekeeping=False)
    try:
        writer = outside.broker.writer()
        writer.append(ARTICLES, [Message(record.key, record.value) for record in records])
        writer.flush()
        writer.close()
        service.start()
        until = time.monotonic() + 60 + len(records) / 50
        while sum(progress.totals(outside.store)) < _readable(records):
            assert service.failure is None, service.failure
            assert time.monotonic() < until
            time.sleep(0.2)
        return digest(outside.store)
    finally:
        service.close()


def _readable(records: list[Record]) -> int:
    return sum(record.value not in POISON for record in records)
