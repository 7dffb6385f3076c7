"""Clocks. Everything that asks for the time gets one, so a replay runs the code of live operation."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """The time that the pipeline believes in."""

    def now(self) -> datetime:
        """Return the current time, aware UTC. Never goes back."""
        ...


class WallClock(Clock, Protocol):
    """The time of the world, which may be kept elsewhere."""

    def follow(self) -> None:
        """Compare with where it is kept, now and then. Called often, and not within a transaction.

        Raises
        ------
        RetriableError
            Where it is kept is away; the time goes on.
        """
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def follow(self) -> None:
        """Do nothing: the operating system keeps it."""


class AcceleratedClock:
    """Begins at ``start``, runs ``speed`` times as fast as the wall clock and stops at ``end``."""

    def __init__(self, start: datetime, end: datetime, speed: float) -> None:
        self.start = start
        self.end = end
        self.speed = speed
        self.restart()

    def restart(self) -> None:
        """Begin again at ``start``."""
        self._began_s = time.monotonic()

    def now(self) -> datetime:
        passed = timedelta(seconds=(time.monotonic() - self._began_s) * self.speed)
        return min(self.start + passed, self.end)


class ReplayClock:
    """A clock that a replay moves: it says the time of the newest item handed over so far.

    With ``speed`` given, `advance_to` sleeps so that a recorded hour takes an hour divided by ``speed``.
    """

    def __init__(self, speed: float | None = None) -> None:
        self.speed = speed
        self._now: datetime | None = None
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            return self._now or datetime(1970, 1, 1, tzinfo=UTC)

    def advance_to(self, moment: datetime) -> None:
        """Move forward to ``moment``; a moment already passed changes nothing."""
        before = self.now()
        if moment <= before:
            return
        if self.speed and before.year > 1970:
            time.sleep((moment - before) / timedelta(seconds=1) / self.speed)
        with self._lock:
            self._now = moment
