"""Stored articles whose companies were looked for with an earlier watchlist: to be read again."""

from __future__ import annotations

from datetime import datetime, timedelta

from monitor.clock import Clock
from monitor.domain import EPOCH, ClassifiedArticle
from monitor.store import Store, amend, leases

LEASE = "read_again"
LEASE_S = 30.0
PAGE = 500
LOOK_EVERY = timedelta(seconds=30)  # after the last one: some were on their way meanwhile


class Backlog:
    """Gives them out, the newest first, to one process at a time.

    Which they are, the store says at any time: nothing has to be kept, and who is killed in the middle is
    followed by another. What is given out twice does no harm (`monitor.store.amend`).

    Parameters
    ----------
    holder
        Name of this process, for the lease.
    clock
        Event time: how old an article is.
    wall
        For the lease, and how often it is looked.
    reach
        Articles ingested longer ago keep their companies.
    """

    def __init__(
        self, store: Store, holder: str, clock: Clock, wall: Clock, reach: timedelta
    ) -> None:
        self.store = store
        self.holder = holder
        self.clock = clock
        self.wall = wall
        self.reach = reach
        self._number = 0
        self._after: tuple[datetime, str] | None = None
        self._look_at: datetime = EPOCH

    def take(self, watchlist: int) -> list[ClassifiedArticle]:
        """Return the next articles whose companies are of a watchlist before this one; often none."""
        if watchlist != self._number:
            self._number, self._after, self._look_at = watchlist, None, EPOCH
        now = self.wall.now()
        if now < self._look_at:
            return []
        with self.store.read() as connection:
            since = self.clock.now() - self.reach
            found = amend.of_earlier_watchlists(connection, watchlist, since, PAGE, self._after)
        if found:
            with self.store.write() as connection:
                if leases.hold(connection, LEASE, self.holder, now, LEASE_S):
                    last = found[-1].article
                    self._after = (last.ingested_at, last.id)
                    return found
        self._after, self._look_at = None, now + LOOK_EVERY
        return []
