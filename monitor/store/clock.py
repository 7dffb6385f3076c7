"""The time by which processes agree: leases, what is due, and who was heard from last.

On a server it is the server's. Machines disagree, and a clock may be set while we run: a process whose own
clock jumped an hour ahead would take every lease for expired, and what it put off for a minute would wait an
hour once the clock is right again.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from monitor.clock import SystemClock, WallClock
from monitor.store.database import Store

log = logging.getLogger(__name__)

ASK_EVERY_S = 30.0
# A slower answer says too little: when, in all that time, did the database look at its clock?
PROMPT_S = 0.5
TELL_FROM_S = 2.0


def wall_clock(store: Store) -> WallClock:
    """Return the wall clock that the processes of a store agree on.

    Raises
    ------
    StoreUnavailable
        The database does not answer.
    """
    return SystemClock() if store.is_sqlite else StoreClock(store)


def time_of(store: Store) -> datetime:
    """Return the time by which the processes of a store agree, now; for whoever runs no stage.

    Raises
    ------
    StoreUnavailable
        The database does not answer.
    """
    clock = store.clock = store.clock or wall_clock(store)
    clock.follow()
    return clock.now()


class StoreClock:
    """The time of the database server, carried on between two questions by this machine's steady clock.

    Raises
    ------
    StoreUnavailable
        The database does not answer, when made; `follow` raises it too.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._said, self._said_s, _ = self._ask()
        self._ask_at_s = time.monotonic() + ASK_EVERY_S

    def now(self) -> datetime:
        with self._lock:
            return self._said + timedelta(seconds=time.monotonic() - self._said_s)

    def follow(self) -> None:
        """Ask the database again, if that is long ago."""
        with self._lock:
            if time.monotonic() < self._ask_at_s:
                return
            self._ask_at_s = time.monotonic() + ASK_EVERY_S  # one thread asks
        said, said_s, took_s = self._ask()
        if took_s > PROMPT_S:
            return
        with self._lock:
            moved_s = (said - self._said).total_seconds() - (said_s - self._said_s)
            self._said, self._said_s = said, said_s
        if abs(moved_s) > TELL_FROM_S:
            log.warning("the database's clock was set: %+.1f s", moved_s)

    def _ask(self) -> tuple[datetime, float, float]:
        """Return what the database says, when that was by our steady clock, and how long it took (s)."""
        with self._store.read() as connection:
            begun_s = time.monotonic()
            said: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
            ended_s = time.monotonic()
        return said.astimezone(UTC), (begun_s + ended_s) / 2, ended_s - begun_s
