"""The route for programs that bring news: taken once it is durable, read by the collect stage."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Request
from fastapi import Path as PathPart
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from monitor.api.asking import Actor, Opened, Work
from monitor.collect.pushed import PushedItems
from monitor.store.clock import time_of

pushing = APIRouter(tags=["sources"])

HEARD_OUT = 4  # times the most that is taken
MAX_BODY_BYTES = 4 * 2**20
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": PushedItems.model_json_schema()}},
    }
}


class Taken(BaseModel):
    """How many items were taken. They are durable; collecting reads them within seconds."""

    taken: int = Field(examples=[1])


@pushing.post("/sources/{name}/items", status_code=202, openapi_extra=_BODY)
async def push(
    _: Actor,
    store: Opened,
    work: Work,
    request: Request,
    name: Annotated[str, PathPart(max_length=200, pattern=r"^[^/\x00-\x1f\x7f]+$")],
) -> Taken:
    """Bring items to a source of kind `push`, at most 100 and 4 MiB at once.

    Idempotent by the key of each item: after a 503, or none, send the same again.
    """
    known = [source.name for source in work.settings.sources if source.kind == "push"]
    if name not in known:
        names = ", ".join(known) or "none: add a source of kind push to the settings"
        raise HTTPException(404, f"no such source to push to; there are {names}")
    body = await _bounded(request)
    try:
        items = PushedItems.model_validate_json(body).items
    except ValidationError as error:
        raise RequestValidationError(
            error.errors(include_url=False, include_context=False)
        ) from None
    now = await run_in_threadpool(time_of, store)
    await run_in_threadpool(work.inlet.append, name, items, now)
    return Taken(taken=len(items))


async def _bounded(request: Request) -> bytes:
    """Read a body, at most so much of it.

    A little more is read and forgotten: who is answered while still sending may see a broken connection
    instead of the answer. Whoever sends far more is not listened to.
    """
    body = bytearray()
    sent = 0
    async for piece in request.stream():
        sent += len(piece)
        if sent <= MAX_BODY_BYTES:
            body += piece
        elif sent > HEARD_OUT * MAX_BODY_BYTES:
            break
    if sent > MAX_BODY_BYTES:
        raise HTTPException(413, f"more than {MAX_BODY_BYTES:,} bytes; send fewer items at once")
    return bytes(body)
