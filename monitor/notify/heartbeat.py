"""The dead man's heartbeat: an outside monitor hears of us while all is well; people, when it does not.

It beats only while the whole pipeline moves (`monitor.health`). Where collecting, classifying, aggregating,
deciding or telling stands still, or this process or its machine does, the beats end.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import httpx2 as httpx

from monitor.clock import Clock
from monitor.errors import ConfigError
from monitor.health import Bounds, troubles
from monitor.metrics import Metrics, from_zero
from monitor.store import Store

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0


class Heartbeat:
    """Asks for an address now and then.

    Parameters
    ----------
    url
        What to GET, as Healthchecks, Dead Man's Snitch and Uptime Kuma give it out. Never logged.
    every
        Between two beats.
    bounds
        What still counts as well.

    Raises
    ------
    ConfigError
        The address is none.
    """

    def __init__(
        self,
        url: str,
        every: timedelta,
        bounds: Bounds,
        store: Store,
        wall: Clock,
        metrics: Metrics,
    ) -> None:
        try:
            self._url = httpx.URL(url)
        except (httpx.InvalidURL, TypeError, ValueError):
            self._url = httpx.URL("")
        if self._url.scheme not in ("http", "https") or not self._url.host:
            raise ConfigError("notify.heartbeat.url: write https://HOST/PATH")
        self.every = every
        self.bounds = bounds
        self.store = store
        self.wall = wall
        self.metrics = metrics
        from_zero(metrics.heartbeats, ["heard", "unheard", "withheld"])
        self._client = httpx.Client(timeout=TIMEOUT_S, follow_redirects=False)
        self._next_at: datetime | None = None
        logging.getLogger("httpx2").setLevel(logging.WARNING)  # its INFO line holds the address

    def __repr__(self) -> str:
        return "Heartbeat()"

    def beat(self) -> bool:
        """Beat when it is time and all is well; say whether the outside heard it."""
        now = self.wall.now()
        if self._next_at is not None and now < self._next_at:
            return False
        self._next_at = now + self.every
        if found := troubles(self.store, now, self.bounds):
            log.warning("no heartbeat: %s", "; ".join(found))
            self.metrics.heartbeats.labels("withheld").inc()
            return False
        try:
            with self._client.stream("GET", self._url) as response:
                heard = response.status_code < 400
        except httpx.HTTPError as error:
            log.warning("heartbeat: no answer: %s", type(error).__name__)
            heard = False
        self.metrics.heartbeats.labels("heard" if heard else "unheard").inc()
        return heard
