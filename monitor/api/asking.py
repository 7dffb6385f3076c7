"""What every route needs: the store, who asks and what they may, and how often they have asked."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from monitor.access.visitor import Visitor
from monitor.api.model import Model
from monitor.collect.pushed import Inlet
from monitor.settings import Settings
from monitor.store import Store

SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(slots=True)
class Rate:
    """So many requests a minute for each key, and as many at once (a token bucket)."""

    per_minute: int
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait_s(self, key: str, now_s: float) -> float:
        """Take one request; return 0, or how long to wait for the next one.

        Examples
        --------
        >>> rate = Rate(per_minute=2)
        >>> [rate.wait_s("a", 0.0), rate.wait_s("a", 0.0), rate.wait_s("a", 0.0), rate.wait_s("a", 30.0)]
        [0.0, 0.0, 30.0, 0.0]
        """
        with self._lock:
            if len(self._left) > 10_000:  # keys are people and tokens; forget those who are idle
                self._left = {k: v for k, v in self._left.items() if now_s - v[1] < 60}
            left, at_s = self._left.get(key, (float(self.per_minute), now_s))
            left = min(self.per_minute, left + (now_s - at_s) * self.per_minute / 60)
            if left < 1:
                self._left[key] = (left, now_s)
                return (1 - left) * 60 / self.per_minute
            self._left[key] = (left - 1, now_s)
            return 0.0


@dataclass(frozen=True, slots=True)
class Outfit:
    """What the API works with."""

    opened: Callable[[], AbstractContextManager[Store]]
    settings: Settings
    model: Model
    rate: Rate
    inlet: Inlet


def outfit(request: Request) -> Outfit:
    found: Outfit = request.app.state.outfit
    return found


def store(request: Request) -> Iterator[Store]:
    with outfit(request).opened() as found:
        yield found


def need(scope: str) -> Callable[[Request], Visitor]:
    """Return a dependency that lets in who may do something: 401, 403 and 429 are decided here."""

    def asked(request: Request) -> Visitor:
        visitor: Visitor | None = getattr(request.state, "visitor", None)
        if visitor is None:
            raise HTTPException(401, "sign in, or send a token")
        wait_s = outfit(request).rate.wait_s(visitor.key, time.monotonic())
        if wait_s:
            headers = {"Retry-After": str(int(wait_s) + 1)}
            raise HTTPException(429, "too many requests", headers)
        if request.method not in SAFE and visitor.csrf:
            sent = request.headers.get("x-csrf-token", "")
            if not secrets.compare_digest(sent.encode(), visitor.csrf.encode()):
                raise HTTPException(403, "send the csrf of /api/v1/me as X-CSRF-Token")
        visitor.need(scope)
        return visitor

    asked.scope = scope  # type: ignore[attr-defined]
    return asked


Reader = Annotated[Visitor, Depends(need("read"))]
Actor = Annotated[Visitor, Depends(need("act"))]
Admin = Annotated[Visitor, Depends(need("admin"))]
Opened = Annotated[Store, Depends(store)]
Work = Annotated[Outfit, Depends(outfit)]
