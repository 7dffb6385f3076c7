"""Many visits at once: a few threads that wait for the web, and one that takes what they bring."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from queue import SimpleQueue
from typing import Generic, TypeVar

from monitor.collect.raw import RawItem
from monitor.collect.source import Failure, Source, SourceError
from monitor.domain import DeadItem

log = logging.getLogger(__name__)

THREADS = 32
PIECE = 200  # items
MAX_WAITING = 5_000  # items brought and not yet taken; then visits wait

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Piece(Generic[K]):
    """Some items of a visit, in its order; the last piece of a visit says how it ended."""

    key: K
    items: list[RawItem | DeadItem]
    ended: bool = False
    failure: SourceError | None = None
    took_s: float = 0.0


class Visitors(Generic[K]):
    """Makes visits in threads of its own.

    Parameters
    ----------
    threads
        Most visits at once. Threads are made when they are needed.
    """

    def __init__(self, threads: int = THREADS) -> None:
        self.threads = threads
        self._todo: SimpleQueue[tuple[K, Source, datetime]] = SimpleQueue()
        self._changed = threading.Condition()
        self._under_way: dict[K, float] = {}  # when they began, on the monotonic clock
        self._brought: deque[Piece[K]] = deque()
        self._waiting = 0
        self._started = 0
        self._stopped = False

    def __contains__(self, key: object) -> bool:
        """Whether a visit is under way, or not all of it is taken."""
        return key in self._under_way

    def __len__(self) -> int:
        return len(self._under_way)

    def begin(self, key: K, source: Source, now: datetime) -> None:
        """Visit a source; ``now`` is the pipeline's time."""
        with self._changed:
            self._under_way[key] = time.monotonic()
            if self._started < min(self.threads, len(self._under_way)):
                self._started += 1
                threading.Thread(target=self._work, name="visits", daemon=True).start()
        self._todo.put((key, source, now))

    def take(self, most: int, patience_s: float) -> list[Piece[K]]:
        """Return what visits have brought: about ``most`` items, those that belong together.

        Waits for visits that began less than ``patience_s`` ago, so that sources asked together are handed
        on together, and no longer; never for one that hangs.
        """
        until = time.monotonic() + patience_s
        with self._changed:
            while self._waiting < most:
                now = time.monotonic()
                young = [began for began in self._running() if now - began < patience_s]
                if not young or now >= until:
                    break
                self._changed.wait(min(until, max(young) + patience_s) - now)
            taken: list[Piece[K]] = []
            count = 0
            while self._brought and count < most:
                piece = self._brought.popleft()
                count += len(piece.items)
                taken.append(piece)
                if piece.ended:
                    del self._under_way[piece.key]
            self._waiting -= count
            self._changed.notify_all()
        return taken

    def close(self) -> None:
        """Begin nothing more; what is under way is left to be repeated by the next process."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _running(self) -> list[float]:
        ended = {piece.key for piece in self._brought if piece.ended}
        return [began for key, began in self._under_way.items() if key not in ended]

    def _work(self) -> None:
        while not self._stopped:
            key, source, now = self._todo.get()
            began = time.monotonic()
            failure = None
            try:
                items: list[RawItem | DeadItem] = []
                for item in source.poll(now):
                    items.append(item)
                    if len(items) == PIECE:
                        self._put(Piece(key, items))
                        items = []
            except SourceError as error:
                failure = error
            except Exception as error:  # a source that breaks must not take the others with it
                log.exception("source %s broke", source.name)
                failure = SourceError(f"{type(error).__name__}: {error}", kind=Failure.BROKEN)
            if self._stopped:
                return
            self._put(Piece(key, items, True, failure, time.monotonic() - began))

    def _put(self, piece: Piece[K]) -> None:
        with self._changed:
            while self._waiting >= MAX_WAITING and not self._stopped:
                self._changed.wait()
            self._brought.append(piece)
            self._waiting += len(piece.items)
            self._changed.notify_all()
