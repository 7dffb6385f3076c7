"""Whether the pipeline does its work now: what the heartbeat and ``/readyz`` ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.domain import EPOCH
from monitor.store import Store, outbox, progress


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far the decisions may be behind the clock, and how long a message that is due may wait."""

    behind: timedelta = timedelta(minutes=10)
    undelivered: timedelta = timedelta(minutes=15)


def troubles(store: Store, now: datetime, bounds: Bounds) -> list[str]:
    """Return what stands still, in words; nothing where all is well.

    The alert stage has to have decided, not long ago, on everything that was collected up to then, and what
    was due by then has to have reached people: so nothing before them stands still either.

    Parameters
    ----------
    now
        Wall clock.
    """
    with store.read() as connection:
        decided = progress.load(connection, "alert")
        due_since = outbox.waits_since(connection)
    through = min((state.through_at for state in decided.values()), default=EPOCH)
    behind = now - through
    found = []
    if through == EPOCH:
        found.append("nothing has been decided yet")
    elif behind > bounds.behind:
        found.append(f"the decisions are {behind} behind")
    if due_since is not None and now - due_since > bounds.undelivered:
        found.append(f"a message waits for its channel since {due_since:%Y-%m-%d %H:%M} UTC")
    return found
