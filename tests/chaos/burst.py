"""Ten times as much news as usual for a while: memory has to stay flat, and nothing may be lost."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from monitor.pipeline import ARTICLES
from tests.chaos.bench import Bench, bench
from tests.chaos.run import Outcome, count, drain

WARM_S = 60.0
TIMES = 10
LOOK_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Burst:
    """What a burst showed.

    Attributes
    ----------
    lag_most
        Records that waited to be classified, at the worst moment.
    resident_mb_before, resident_mb_most
        The largest process: at most before the burst, and at most in it and until all was done.
    """

    lag_most: int
    resident_mb_before: float
    resident_mb_most: float
    outcome: Outcome

    @property
    def growth_percent(self) -> float:
        return round(100 * (self.resident_mb_most / self.resident_mb_before - 1), 1)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "growth_percent": self.growth_percent}


def burst(
    seconds: float,
    seed: int,
    per_second: float = 20.0,
    watch: Callable[[float], None] = lambda passed: None,
) -> Burst:
    """Run at a usual rate for a minute, then at ten times the rate, let everything drain, and count."""
    with bench(seed, per_second) as place:
        before = _most(place, WARM_S, watch)
        place.wire.per_second = TIMES * per_second
        amid = _most(place, seconds, watch)
        place.wire.stopped.set()
        place.wire.join(120)
        drained_s = drain(place)
        after = _most(place, LOOK_EVERY_S, watch)
        for worker in place.faults.workers:
            worker.end(signal.SIGTERM)
        return Burst(
            lag_most=max(lag for lag, _ in (*before, *amid)),
            resident_mb_before=max(size for _, size in before),
            resident_mb_most=max(size for _, size in (*amid, *after)),
            outcome=count(place, WARM_S + seconds, seed, drained_s),
        )


def _most(place: Bench, seconds: float, watch: Callable[[float], None]) -> list[tuple[int, float]]:
    """Look for so long; return each time the records that wait, and the MB of the largest process."""
    found = []
    for step in range(max(1, round(seconds / LOOK_EVERY_S))):
        place.faults.pause(LOOK_EVERY_S, LOOK_EVERY_S)
        watch(step * LOOK_EVERY_S)
        lag = sum(each.records for each in place.outside.broker.lag("classify", ARTICLES).values())
        sizes = [_resident_mb(worker.pid) for worker in place.faults.workers if worker.pid]
        found.append((lag, max(sizes, default=0.0)))
    return found


def _resident_mb(pid: int) -> float:
    """Return what a process holds in memory and no file could give back."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return 0.0
