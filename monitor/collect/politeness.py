"""Taking turns at a host: few requests at once, and a pause between two."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

REQUESTS_AT_ONCE = 2
PAUSE_S = 0.5
MAX_PAUSE_S = 30.0
MAX_WAIT_S = 60.0
MAX_HOSTS = 10_000


class Busy(Exception):
    """So many requests wait for this host that another would wait too long."""


@dataclass
class _Host:
    free: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(REQUESTS_AT_ONCE))
    next_s: float = 0.0  # the earliest start of the next request, on the monotonic clock


class Turns:
    """Who may ask which host now. Shared by all threads.

    Parameters
    ----------
    pause_s
        Seconds from the start of one request to a host to the start of the next.

    Examples
    --------
    >>> turns = Turns(pause_s=0.01)
    >>> with turns.at("a.example"):
    ...     pass
    """

    def __init__(self, pause_s: float = PAUSE_S) -> None:
        self.pause_s = pause_s
        self._hosts: OrderedDict[str, _Host] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def at(self, host: str, pause_s: float | None = None) -> Iterator[None]:
        """Wait for a turn and hold it.

        Parameters
        ----------
        pause_s
            What the host itself asks for (``Crawl-delay``), at most `MAX_PAUSE_S`.

        Raises
        ------
        Busy
            The wait would be longer than `MAX_WAIT_S`.
        """
        pause = self.pause_s if pause_s is None else max(self.pause_s, min(pause_s, MAX_PAUSE_S))
        with self._lock:
            known = self._hosts.setdefault(host, _Host())
            self._hosts.move_to_end(host)
            while len(self._hosts) > MAX_HOSTS:
                self._hosts.popitem(last=False)
        if not known.free.acquire(timeout=MAX_WAIT_S):
            raise Busy(host)
        try:
            with self._lock:
                now = time.monotonic()
                start = max(now, known.next_s)
                if start - now > MAX_WAIT_S:
                    raise Busy(host)
                known.next_s = start + pause
            if start > now:
                time.sleep(start - now)
            yield
        finally:
            known.free.release()
