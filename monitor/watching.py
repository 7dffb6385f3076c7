"""The watchlist in use, which follows its file, and what other processes have read."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from monitor.clock import Clock
from monitor.domain import Company
from monitor.entities.watchlist import load_reference, load_watchlist
from monitor.metrics import Metrics
from monitor.reload import LOOK_EVERY, Followed
from monitor.settings import WatchlistSettings
from monitor.store import Store, companies
from monitor.store.companies import Watched

log = logging.getLogger(__name__)

Lists = tuple[tuple[Company, ...], tuple[Company, ...]]  # watched, and those of reference lists


class Watching:
    """Knows whom to watch.

    A process that is told of a file reads it, and stores it when it differs from what is stored; all
    processes use what is stored. So those on other machines need no file, and ``foreshock watchlist load``
    reaches all of them.

    Parameters
    ----------
    check
        Raises `ConfigError` where something else, rules or relations, does not fit these companies: they
        are then not taken.
    live
        False in a replay: who is watched does not change.

    Raises
    ------
    ConfigError
        The file is wrong at the start.
    """

    def __init__(
        self,
        settings: WatchlistSettings,
        store: Store,
        wall: Clock,
        metrics: Metrics,
        check: Callable[[tuple[Company, ...]], object],
        live: bool = True,
    ) -> None:
        self.settings = settings
        self.store = store
        self.wall = wall
        self.metrics = metrics
        self.live = live
        self._check = check
        self._lock = threading.Lock()
        self._looked_at: datetime = wall.now()
        self._file: Followed[Lists] | None = None
        self._stored: Lists | None = None  # what of the file was stored last
        if settings.path is None:
            metrics.watchlist.ok.set(1)
            metrics.watchlist.at.set(wall.now().timestamp())
            with store.read() as connection:
                self.value = companies.watched(connection)
        else:
            files = (settings.path, *settings.reference)
            self._file = Followed(
                self._read,
                lambda: files,
                lambda lists: companies.hash_of(*lists),
                wall,
                metrics.watchlist,
            )
            self.value = self._put(self._file.value)
        self._tell()

    def refresh(self) -> Watched:
        """Return the watchlist in use. Cheap: at most one look every few seconds."""
        with self._lock:
            now = self.wall.now()
            if self.live and now - self._looked_at >= LOOK_EVERY:
                self._looked_at = now
                before = self.value
                self._look()
                if self.value.number != before.number:
                    log.info(
                        "watchlist %d: %d companies", self.value.number, len(self.value.companies)
                    )
                    self._tell()
            return self.value

    def _look(self) -> None:
        if self._file is not None:
            lists = self._file.refresh()
            if lists is not self._stored:
                self.value = self._put(lists)
                return
        with self.store.read() as connection:
            if companies.number(connection) != self.value.number:
                self.value = companies.watched(connection)

    def _read(self) -> Lists:
        assert self.settings.path is not None
        watchlist = load_watchlist(self.settings.path)
        others = load_reference(self.settings.reference, watchlist.companies)
        self._check(watchlist.companies)
        for warning in watchlist.warnings:
            log.warning("%s", warning)
        return watchlist.companies, others

    def _put(self, lists: Lists) -> Watched:
        watched, others = lists
        with self.store.write() as connection:
            stored = companies.replace(connection, watched, self.wall.now(), others)
        self._stored = lists
        return stored

    def _tell(self) -> None:
        self.metrics.watchlist_number.set(self.value.number)
