"""How a source is: ok, slow, silent, failing or blocked, and why, in words."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from monitor.alert import explain
from monitor.collect.source import Failure
from monitor.store.visits import Visited

QUIET = timedelta(hours=24)
SLOW_S = 10.0
OVERDUE = 3.0  # waits without a visit
SLACK = timedelta(minutes=2)


class SourceState(StrEnum):
    """A closed set: it labels a metric. The worst come last."""

    OK = "ok"
    SLOW = "slow"  # answers, and takes long
    SILENT = "silent"  # answers, and brings nothing new
    FAILING = "failing"
    BLOCKED = "blocked"  # its owner does not want to be read, or it leads where it must not


def state_of(
    visited: Visited | None,
    last_at: datetime | None,
    every: timedelta | None,
    now: datetime,
    configured: bool = True,
    silent: bool = False,
) -> tuple[SourceState, str]:
    """Return the state of a source, and why.

    Parameters
    ----------
    visited
        Its visits; ``None``: there was none.
    last_at
        When it brought something new last; ``None``: not lately, or never.
    every
        How often it is to be visited; ``None`` where that is not known, or nothing visits it now.
    configured
        Whether the settings name it.
    silent
        Whether an alert on its silence is open.
    """
    if visited is not None and visited.failures:
        since = visited.succeeded_at
        ok = f"the last success {explain.span(now - since)} ago" if since else "it never succeeded"
        blocked = visited.kind in (Failure.BLOCKED, Failure.FORBIDDEN)
        said = f"{explain.count(visited.failures, 'visit')} failed in a row; {ok}"
        return SourceState.BLOCKED if blocked else SourceState.FAILING, said
    if visited is None and configured and last_at is None:
        return (SourceState.SILENT if every is None else SourceState.FAILING), "never visited"
    if visited is not None and every is not None:
        late = now - visited.tried_at
        if visited.due_at is not None:
            every = max(every, visited.due_at - visited.tried_at)
        if late > OVERDUE * every + SLACK:
            said = f"not visited for {explain.span(late)}; due every {explain.span(every)}"
            return SourceState.FAILING, said
    if silent:
        return SourceState.SILENT, "silent for longer than it ever is: an alert is open"
    if last_at is None:
        return SourceState.SILENT, "answers, and never brought an item"
    if now - last_at > QUIET:
        said = f"answers, and brought nothing new for {explain.span(now - last_at)}"
        return SourceState.SILENT, said
    if visited is None:
        return SourceState.OK, "brings items; its visits are not recorded"
    if visited.took_s is not None and visited.took_s > SLOW_S:
        return SourceState.SLOW, f"answers, and takes {visited.took_s:.0f} s to do so"
    return SourceState.OK, "answers"
