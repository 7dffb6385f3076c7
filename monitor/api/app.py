"""The application: routes put together, and every error as a problem (RFC 9457)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from models.errors import ModelError
from monitor.access.roles import Forbidden
from monitor.api.alerting import alerting
from monitor.api.asking import Outfit, Rate
from monitor.api.desk import model, service
from monitor.api.labelling import labelling
from monitor.api.model import Model
from monitor.api.news import news
from monitor.api.pushing import pushing
from monitor.api.shapes import Problem
from monitor.collect.pushed import Inlet
from monitor.errors import ConfigError, RetriableError
from monitor.relabel.heads import NotALabel
from monitor.settings import Settings
from monitor.store import Store
from monitor.store.acts import ActRefused
from monitor.store.labels import LabelRefused
from monitor.stream import open_broker

VERSION = "1"
ANSWERS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": said}
    for status, said in (
        (400, "A cursor that is none"),
        (401, "Not signed in"),
        (403, "Role or scope do not allow it"),
        (404, "There is no such thing"),
        (413, "The body is too long"),
        (409, "It cannot be done as things are now"),
        (422, "The request is not right"),
        (429, "Too many requests; see Retry-After"),
        (503, "Database or model do not answer"),
    )
}


def build(
    opened: Callable[[], AbstractContextManager[Store]],
    settings: Settings,
    reader: Model | None = None,
) -> FastAPI:
    """Return the application, to be mounted under ``/api/v1``.

    Who asks is in ``request.state.visitor``, put there by what it is mounted in.

    Parameters
    ----------
    opened
        Hands out the store for a request.
    reader
        The model, where others of this process use it, too.
    """
    app = FastAPI(
        title="Foreshock",
        version=VERSION,
        description="News, trends and alerts; what people do about them; the model's answers.",
        docs_url=None,  # their scripts come from elsewhere
        redoc_url=None,
        responses=ANSWERS,
    )
    inlet = Inlet(lambda: open_broker(settings.broker_settings()), settings.stream.partitions)
    app.state.outfit = Outfit(
        opened, settings, reader or Model(settings), Rate(settings.web.requests_per_minute), inlet
    )
    for router in (news, alerting, labelling, pushing, model, service):
        app.include_router(router)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    for kind, status in STATUSES.items():
        app.add_exception_handler(kind, _said(status))
    return app


STATUSES: dict[type[Exception], int] = {
    Forbidden: 403,
    ActRefused: 409,
    LabelRefused: 409,
    NotALabel: 422,
    ModelError: 422,
    RetriableError: 503,
    ConfigError: 503,
}

Handler = Callable[[Request, Exception], JSONResponse]


def _said(status: int) -> Handler:
    def handle(_request: Request, error: Exception) -> JSONResponse:
        return _problem(status, str(error))

    return handle


def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _problem(error.status_code, str(error.detail), headers=dict(error.headers or {}))


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"where": ".".join(str(part) for part in each["loc"]), "what": each["msg"]}
        for each in error.errors()
    ]
    return _problem(422, "the request is not right", errors=errors)


def _problem(
    status: int, title: str, headers: dict[str, str] | None = None, errors: Any = None
) -> JSONResponse:
    body = Problem(title=title, status=status, errors=errors)
    return JSONResponse(
        jsonable_encoder(body, exclude_none=True),
        status,
        headers,
        media_type="application/problem+json",
    )
