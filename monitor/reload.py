"""Files that are read again when they change: alert rules, routes, the watchlist.

As Prometheus does it: a file that is wrong leaves what was read before in use, says so once in the log, and
two gauges tell when the last reload was and whether it worked; a third is a hash of what is in use. What is
wrong only beside another file is tried again until it fits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Generic, TypeVar

from prometheus_client import Gauge

from monitor.clock import Clock
from monitor.errors import ConfigError

log = logging.getLogger(__name__)

LOOK_EVERY = timedelta(seconds=5)
HASH_DIGITS = 12  # hex digits that a gauge, which is a float, holds without loss

T = TypeVar("T")
Stamp = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class ReloadGauges:
    """What tells of reloads: a hash of what is in use, whether the last one worked, and when one did."""

    hash: Gauge
    ok: Gauge
    at: Gauge


class Followed(Generic[T]):
    """Holds what was read last from files.

    Parameters
    ----------
    load
        Reads it; raises `ConfigError` when it is wrong.
    files
        Returns the files that are looked at; none: it does not change.
    hash_of
        Hex digits that name a version of it.
    wall
        The wall clock: how often a file is looked at, and when a reload was.
    """

    def __init__(
        self,
        load: Callable[[], T],
        files: Callable[[], Iterable[Path]],
        hash_of: Callable[[T], str],
        wall: Clock,
        gauges: ReloadGauges,
    ) -> None:
        self.wall = wall
        self.gauges = gauges
        self._load = load
        self._files = files
        self._hash_of = hash_of
        self._stamp = self._look()
        self._looked_at = wall.now()
        self._wrong = ""
        self.value = load()
        self._tell(ok=True)

    def refresh(self) -> T:
        """Return it, read again if a file changed. Cheap: at most one look every few seconds."""
        now: datetime = self.wall.now()
        if now - self._looked_at >= LOOK_EVERY:
            self._looked_at = now
            stamp = self._look()
            if stamp != self._stamp or self._wrong:
                self._stamp = stamp
                self._reload()
        return self.value

    def _reload(self) -> None:
        try:
            self.value = self._load()
        except ConfigError as error:
            if str(error) != self._wrong:
                log.error("not reloaded, what was read before stays in use: %s", error)
            self._wrong = str(error)
            self._tell(ok=False)
            return
        self._wrong = ""
        log.info("reloaded: %s", ", ".join(str(file) for file in self._files()))
        self._tell(ok=True)

    def _look(self) -> Stamp:
        """Return what tells one version of the files from another without reading them."""
        found = []
        for file in self._files():
            try:
                stat = file.stat()
                found.append((file.name, stat.st_mtime_ns, stat.st_size, stat.st_ino))
            except OSError:
                found.append((file.name, 0, 0, 0))
        return tuple(found)

    def _tell(self, ok: bool) -> None:
        self.gauges.ok.set(int(ok))
        if ok:
            self.gauges.at.set(self.wall.now().timestamp())
            self.gauges.hash.set(int(self._hash_of(self.value)[:HASH_DIGITS] or "0", 16))
