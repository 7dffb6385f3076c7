"""How soon work goes on after a long outage: a database that was killed, a broker that stood still."""

from __future__ import annotations

import time
from collections.abc import Callable

from monitor.errors import RetriableError
from monitor.store import progress
from tests.chaos.bench import Bench, bench

LONGEST_S = 60.0
START_S = 240.0  # three models are loaded, and the machine may have other work


def recovery(outage_s: float, seed: int = 1, per_second: float = 20.0) -> dict[str, float]:
    """Return the seconds from the return of each until the next article is stored."""
    with bench(seed, per_second) as place:
        faults = place.faults
        _until_more(place, START_S)  # it works
        return {
            "killed_database": _after(place, faults.postgres.kill, faults.postgres.start, outage_s),
            "frozen_broker": _after(place, faults.kafka.freeze, faults.kafka.thaw, outage_s),
        }


def _after(
    place: Bench, breaks: Callable[[], None], mends: Callable[[], None], outage_s: float
) -> float:
    breaks()
    place.faults.pause(outage_s, outage_s)
    mends()
    return _until_more(place)


def _until_more(place: Bench, longest_s: float = LONGEST_S) -> float:
    """Return the seconds until another article has been stored."""
    begin, before = time.monotonic(), None
    while True:
        try:
            stored = sum(progress.totals(place.outside.store))
        except RetriableError:
            stored = None
        if stored is not None:
            if before is None:
                before = stored
            elif stored > before:
                return round(time.monotonic() - begin, 1)
        if time.monotonic() - begin > longest_s:
            raise AssertionError(f"nothing stored within {longest_s:.0f} s")
        place.faults.pause(0.05, 0.05)
