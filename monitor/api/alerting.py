"""Routes on alerts: which there are, what people do about them, and how programs follow them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Header, HTTPException, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from monitor.access import visitor as visitors
from monitor.access.visitor import Deed, Visitor
from monitor.api.asking import Actor, Opened, Outfit, Reader, Work
from monitor.api.atom import feed
from monitor.api.cursors import cursor, place
from monitor.api.export import exported
from monitor.api.news import MAX_EXPORT, Cursor, Filter, Limit
from monitor.api.shapes import (
    AlertOut,
    AlertWhole,
    Assignment,
    HappenedOut,
    Moment,
    Page,
    Remark,
    Said,
    Snooze,
    Verdict,
    Word,
)
from monitor.domain import AlertKind, AlertState, to_micros
from monitor.store import Connection, Store, acts, alerts, listing
from monitor.store.clock import time_of

alerting = APIRouter(tags=["alerts"])

#: A stream of events ends then, and its reader comes back with Last-Event-ID: who was shut out stays out.
STREAM_S = 240.0
LOOK_S = 1.0
ATOM_ENTRIES = 50
MAX_STREAMS = 4  # of one person or token at once
MAX_SEQ = 2**62


@alerting.get("/alerts")
def list_alerts(
    _: Reader,
    store: Opened,
    state: Annotated[list[Literal["firing", "acknowledged", "resolved"]] | None, Query()] = None,
    kind: Annotated[list[AlertKind] | None, Query()] = None,
    key: Filter = None,
    min_severity: Annotated[int, Query(ge=1, le=5)] = 1,
    since: Moment | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[AlertOut]:
    """Alerts with their evidence, the newest first."""
    with store.read() as connection:
        found = listing.alert_page(
            connection,
            limit + 1,
            before=place(cursor),
            states=[AlertState(name) for name in state or ()],
            kinds=[each.value for each in kind or ()],
            key=key,
            min_severity=min_severity,
            since=since,
        )
    shown = found[:limit]
    more = len(found) > limit
    return Page(
        items=[AlertOut.of(alert) for alert in shown],
        next_cursor=_next(shown[-1].started_at, shown[-1].id) if more else None,
    )


@alerting.get("/alerts/export")
def export_alerts(
    _: Reader,
    store: Opened,
    format: Literal["csv", "parquet"] = "csv",
    limit: Annotated[int, Query(ge=1, le=MAX_EXPORT)] = 1_000,
) -> Response:
    """The newest alerts as a table. In CSV no cell is a formula."""
    with store.read() as connection:
        found = listing.alert_page(connection, limit)
    rows = [AlertOut.of(alert).model_dump() for alert in found]
    return exported(rows, ROW, format, "alerts")


@alerting.get("/alerts/atom")
def atom(_: Reader, request: Request, store: Opened) -> Response:
    """The newest alerts as an Atom feed (RFC 4287)."""
    with store.read() as connection:
        found = listing.alert_page(connection, ATOM_ENTRIES)
    base = f"{request.url.scheme}://{request.url.netloc}"
    return Response(feed(found, base), media_type="application/atom+xml")


@alerting.get("/alerts/stream")
async def stream(
    visitor: Reader,
    work: Work,
    last_event_id: Annotated[int | None, Header(ge=0, le=MAX_SEQ)] = None,
) -> StreamingResponse:
    """What happens to alerts, as server-sent events, from now on or after ``Last-Event-ID``.

    Each is named ``alert``. The stream ends after four minutes: come back with the last id as
    ``Last-Event-ID``.
    """
    if _STREAMS.get(visitor.key, 0) >= MAX_STREAMS:
        raise HTTPException(429, f"at most {MAX_STREAMS} streams at once", {"Retry-After": "60"})
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _events(visitor, work, last_event_id), headers=headers, media_type="text/event-stream"
    )


@alerting.get("/alerts/{alert_id}")
def get_alert(_: Reader, store: Opened, alert_id: Word) -> AlertWhole:
    """One alert, with everything that happened to it and was said of it."""
    return _whole(store, alert_id)


@alerting.post("/alerts/{alert_id}/acknowledge")
def acknowledge(visitor: Actor, store: Opened, alert_id: Word, body: Remark) -> AlertWhole:
    """Say that you look after it; reminders and escalations end."""
    return _do(store, visitor, alert_id, partial(acts.acknowledge, comment=body.comment))


@alerting.post("/alerts/{alert_id}/assign")
def assign(visitor: Actor, store: Opened, alert_id: Word, body: Assignment) -> AlertWhole:
    """Give it to somebody, or to nobody."""
    deed = partial(acts.assign, to=body.to, comment=body.comment, over=body.over)
    return _do(store, visitor, alert_id, deed)


@alerting.post("/alerts/{alert_id}/snooze")
def snooze(visitor: Actor, store: Opened, alert_id: Word, body: Snooze) -> AlertWhole:
    """Hear nothing of it for a while, unless it gets worse."""

    def deed(connection: Connection, id_: str, who: str, now: datetime) -> None:
        until = now + timedelta(hours=body.hours)
        acts.snooze(connection, id_, who, now, until, body.comment)

    return _do(store, visitor, alert_id, deed)


@alerting.post("/alerts/{alert_id}/wake")
def wake(visitor: Actor, store: Opened, alert_id: Word, body: Remark) -> AlertWhole:
    """End a snooze."""
    return _do(store, visitor, alert_id, partial(acts.snooze, until=None, comment=body.comment))


@alerting.post("/alerts/{alert_id}/resolve")
def resolve(visitor: Actor, store: Opened, alert_id: Word, body: Remark) -> AlertWhole:
    """Say that it is over."""
    return _do(store, visitor, alert_id, partial(acts.resolve, comment=body.comment))


@alerting.post("/alerts/{alert_id}/reopen")
def reopen(visitor: Actor, store: Opened, alert_id: Word, body: Remark) -> AlertWhole:
    """Take it up again."""
    return _do(store, visitor, alert_id, partial(acts.reopen, comment=body.comment))


@alerting.post("/alerts/{alert_id}/comment")
def comment(visitor: Actor, store: Opened, alert_id: Word, body: Said) -> AlertWhole:
    """Write something about it, for others."""
    return _do(store, visitor, alert_id, partial(acts.comment, text=body.comment))


@alerting.post("/alerts/{alert_id}/verdict")
def verdict(visitor: Actor, store: Opened, alert_id: Word, body: Verdict) -> AlertWhole:
    """Say whether it was worth it."""
    deed = partial(acts.judge, verdict=body.verdict, note=body.note)
    return _do(store, visitor, alert_id, deed)


ROW = (
    *("id", "started_at", "updated_at", "kind", "state", "severity", "key", "event", "title"),
    *("items", "publishers", "acknowledged_by", "assigned_to", "resolved_at"),
)

_STREAMS: dict[str, int] = {}  # open ones by visitor; touched in the event loop only


def _do(store: Store, visitor: Visitor, alert_id: str, deed: Deed) -> AlertWhole:
    visitors.act(store, visitor, alert_id, deed, time_of(store))
    return _whole(store, alert_id)


def _whole(store: Store, alert_id: str) -> AlertWhole:
    with store.read() as connection:
        found = alerts.get(connection, alert_id)
    if found is None or found.state is AlertState.PENDING:
        raise HTTPException(404, "there is no such alert")
    return AlertWhole(
        **AlertOut.of(found).model_dump(),
        history=[asdict(each) for each in alerts.history(store, alert_id)],
        verdicts=[asdict(each) for each in acts.verdicts_on(store, alert_id)],
    )


async def _events(visitor: Visitor, work: Outfit, after: int | None) -> AsyncIterator[str]:
    _STREAMS[visitor.key] = _STREAMS.get(visitor.key, 0) + 1
    until_s = time.monotonic() + STREAM_S
    try:
        at = await run_in_threadpool(_last, work) if after is None else after
        yield "retry: 2000\n\n"
        while time.monotonic() < until_s:
            found = await run_in_threadpool(_after, work, at)
            for seq, text in found:
                at = seq
                yield f"id: {seq}\nevent: alert\ndata: {text}\n\n"
            if not found:
                yield ": nothing new\n\n"  # notices a reader that has left
                await asyncio.sleep(LOOK_S)
    finally:
        _STREAMS[visitor.key] -= 1
        if not _STREAMS[visitor.key]:
            del _STREAMS[visitor.key]


def _last(work: Outfit) -> int:
    with work.opened() as store, store.read() as connection:
        return listing.last_happened(connection)


def _after(work: Outfit, seq: int) -> list[tuple[int, str]]:
    with work.opened() as store, store.read() as connection:
        found = listing.happened_after(connection, seq, 100)
    return [(each.seq, HappenedOut.of(each).model_dump_json()) for each in found]


def _next(moment: datetime, id_: str) -> str:
    return cursor(to_micros(moment), id_)
