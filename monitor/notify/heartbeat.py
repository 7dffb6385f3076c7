"""The dead man's heartbeat: an outside monitor hears of us while all is well; people, when it does not.

It beats only while the whole pipeline moves: the alert stage has to have decided, not long ago, on
everything that was collected up to then, and what was due by then has to have reached people. Where
collecting, classifying, aggregating, deciding or telling stands still, or this process or its machine does,
the beats end.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import httpx2 as httpx

from monitor.clock import Clock
from monitor.errors import ConfigError
from monitor.metrics import Metrics
from monitor.store import Store, outbox, progress

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0


class Heartbeat:
    """Asks for an address now and then.

    Parameters
    ----------
    url
        What to GET, as Healthchecks, Dead Man's Snitch and Uptime Kuma give it out. Never logged.
    every, behind, undelivered
        Between two beats; how far the decisions may be behind the wall clock; how long a message that is due
        may wait.

    Raises
    ------
    ConfigError
        The address is none.
    """

    def __init__(
        self,
        url: str,
        every: timedelta,
        behind: timedelta,
        undelivered: timedelta,
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
        self.behind = behind
        self.undelivered = undelivered
        self.store = store
        self.wall = wall
        self.metrics = metrics
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
        if trouble := self._trouble(now):
            log.warning("no heartbeat: %s", trouble)
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

    def _trouble(self, now: datetime) -> str:
        """Return what stands still, or nothing."""
        with self.store.read() as connection:
            decided = progress.load(connection, "alert")
            due_since = outbox.waits_since(connection)
        behind = min((now - state.through_at for state in decided.values()), default=None)
        if behind is None:
            return "nothing has been decided yet"
        if behind > self.behind:
            return f"the decisions are {behind} behind"
        if due_since is not None and now - due_since > self.undelivered:
            return f"a message waits for its channel since {due_since:%Y-%m-%d %H:%M} UTC"
        return ""
