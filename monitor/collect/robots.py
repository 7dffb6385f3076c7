"""What the owner of a site lets programs read: robots.txt (RFC 9309)."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from protego import Protego

from monitor.collect.source import SourceError

NAME = "Foreshock"
KEPT_S = 86_400.0  # RFC 9309, section 2.4
FAILED_KEPT_S = 60.0
MAX_BYTES = 512_000  # RFC 9309, section 2.5
MAX_ORIGINS = 10_000

# The body of a robots.txt; None where there is none; SourceError where nobody can tell.
Read = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class _Rules:
    parsed: Protego | SourceError
    until_s: float


class Robots:
    """The rules of every origin that was asked, kept for a day.

    Parameters
    ----------
    read
        Returns the robots.txt at a URL, ``None`` where the server says that there is none.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._origins: OrderedDict[str, _Rules] = OrderedDict()
        self._lock = threading.Lock()

    def allow(self, url: str, origin: str) -> bool:
        """Whether ``url``, which is at ``origin`` (``https://host:port``), may be read.

        Without a robots.txt everything may; while it cannot be had, nothing (RFC 9309, section 2.3.1.4).

        Raises
        ------
        SourceError
            Why it cannot be had.
        """
        rules = self._rules(origin).parsed
        if isinstance(rules, SourceError):
            raise rules
        return bool(rules.can_fetch(url, NAME))

    def pause_s(self, origin: str) -> float | None:
        """Return the pause between two requests that the owner asks for, if any."""
        with self._lock:
            rules = self._origins.get(origin)
        if rules is None or isinstance(rules.parsed, SourceError):
            return None
        delay = rules.parsed.crawl_delay(NAME)
        return None if delay is None else float(delay)

    def _rules(self, origin: str) -> _Rules:
        now = time.monotonic()
        with self._lock:
            known = self._origins.get(origin)
        if known is not None and known.until_s > now:
            return known
        found = self._ask(origin, now)
        with self._lock:
            self._origins[origin] = found
            self._origins.move_to_end(origin)
            while len(self._origins) > MAX_ORIGINS:
                self._origins.popitem(last=False)
        return found

    def _ask(self, origin: str, now: float) -> _Rules:
        try:
            body = self._read(f"{origin}/robots.txt")
        except SourceError as error:
            return _Rules(error, now + FAILED_KEPT_S)
        text = (body or b"")[:MAX_BYTES].decode("utf-8", "replace").removeprefix("\ufeff")
        return _Rules(Protego.parse(text), now + KEPT_S)
