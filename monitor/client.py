"""A client of the API, typed.

>>> from monitor.client import Client
>>> with Client("http://127.0.0.1:8501", token) as desk:               # doctest: +SKIP
...     for alert in desk.alerts(state=["firing"], min_severity=4):
...         desk.acknowledge(alert.id, "on it")
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

import httpx2 as httpx

from monitor.api.shapes import (
    AlertOut,
    AlertWhole,
    ArticleOut,
    HappenedOut,
    LabelIn,
    LabelOut,
    Me,
    RevisionOut,
    ToLabel,
)
from monitor.errors import ForeshockError, RetriableError

TIMEOUT_S = 60.0  # the first question to the model loads it


class ApiRefused(ForeshockError):
    """The server said no: ``status`` is HTTP's, the message says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(f"{status}: {why}")
        self.status = status


class ApiUnavailable(RetriableError):
    """The server does not answer, or asks to come back later."""


class Client:
    """One server, asked with one token.

    Parameters
    ----------
    url
        Of the web process: ``https://desk.example``.
    token
        What ``foreshock people token`` printed.

    Raises
    ------
    ApiRefused
        From every method: 401, 403, 404, 409 and 422.
    ApiUnavailable
        From every method: 429, 5xx, or no answer.
    """

    def __init__(self, url: str, token: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1", headers=headers, timeout=TIMEOUT_S
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def me(self) -> Me:
        """Return for whom the token acts, and what it may."""
        return Me(**self._ask("GET", "/me"))

    def articles(self, limit: int = 50, **filters: Any) -> Iterator[ArticleOut]:
        """Go through articles, the newest first; ``limit`` is of a page.

        Filters: company, topic, sentiment, publisher, language, since, until.
        """
        return (ArticleOut(**item) for item in self._pages("/articles", limit, filters))

    def article(self, article_id: str) -> ArticleOut:
        return ArticleOut(**self._ask("GET", f"/articles/{article_id}"))

    def revisions(self, article_id: str) -> list[RevisionOut]:
        """Return the revisions of an article as they came, each with what it changed of the one before."""
        return [
            RevisionOut(**each) for each in self._ask("GET", f"/articles/{article_id}/revisions")
        ]

    def alerts(self, limit: int = 50, **filters: Any) -> Iterator[AlertOut]:
        """Go through alerts, the newest first. Filters: state, kind, key, min_severity, since."""
        return (AlertOut(**item) for item in self._pages("/alerts", limit, filters))

    def alert(self, alert_id: str) -> AlertWhole:
        return AlertWhole(**self._ask("GET", f"/alerts/{alert_id}"))

    def acknowledge(self, alert_id: str, comment: str = "") -> AlertWhole:
        return self._act(alert_id, "acknowledge", {"comment": comment})

    def assign(
        self, alert_id: str, to: str | None, comment: str = "", over: bool = False
    ) -> AlertWhole:
        return self._act(alert_id, "assign", {"to": to, "comment": comment, "over": over})

    def snooze(self, alert_id: str, hours: float, comment: str = "") -> AlertWhole:
        return self._act(alert_id, "snooze", {"hours": hours, "comment": comment})

    def wake(self, alert_id: str, comment: str = "") -> AlertWhole:
        return self._act(alert_id, "wake", {"comment": comment})

    def resolve(self, alert_id: str, comment: str = "") -> AlertWhole:
        return self._act(alert_id, "resolve", {"comment": comment})

    def reopen(self, alert_id: str, comment: str = "") -> AlertWhole:
        return self._act(alert_id, "reopen", {"comment": comment})

    def comment(self, alert_id: str, text: str) -> AlertWhole:
        return self._act(alert_id, "comment", {"comment": text})

    def verdict(self, alert_id: str, verdict: str, note: str = "") -> AlertWhole:
        return self._act(alert_id, "verdict", {"verdict": verdict, "note": note})

    def labels(self, limit: int = 50, **filters: Any) -> Iterator[LabelOut]:
        """Go through labels and withdrawals, the newest first. Filters: head, who, article."""
        return (LabelOut(**item) for item in self._pages("/labels", limit, filters))

    def to_label(self, size: int = 20, seed: int = 1) -> list[ToLabel]:
        """Return what whoever the token acts for would be asked next."""
        found = self._ask("GET", "/labels/queue", parameters={"size": size, "seed": seed})
        return [ToLabel(**item) for item in found]

    def label(
        self,
        article_id: str,
        head: str,
        value: str,
        company_id: str | None = None,
        role: str = "annotation",
        guess_shown: bool = True,
    ) -> LabelOut:
        """Label an article; say ``guess_shown=False`` where the model's answer was not seen."""
        body = LabelIn.model_validate(
            {
                **{"article_id": article_id, "head": head, "value": value, "role": role},
                **{"company_id": company_id, "guess_shown": guess_shown},
            }
        )
        return LabelOut(**self._ask("POST", "/labels", body.model_dump()))

    def withdraw_label(self, label_id: int) -> LabelOut:
        return LabelOut(**self._ask("DELETE", f"/labels/{label_id}"))

    def classify(self, items: Sequence[Mapping[str, Any]]) -> list[ArticleOut]:
        """Read texts as the stream does: title, and optionally summary, language, published_at."""
        plain = [{name: _plain(value) for name, value in item.items()} for item in items]
        return [ArticleOut(**item) for item in self._ask("POST", "/classify", {"items": plain})]

    def explain(self, text: str, head: str, label: str | None = None) -> dict[str, Any]:
        found: dict[str, Any] = self._ask(
            "POST", "/explain", {"text": text, "head": head, "label": label}
        )
        return found

    def follow(self, after: int | None = None) -> Iterator[tuple[int, HappenedOut]]:
        """Follow what happens to alerts: (number, event), from now on or after a number.

        Ends when the server ends it, after some minutes: go on after the last number.
        """
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        try:
            with self._http.stream("GET", "/alerts/stream", headers=headers) as answer:
                if answer.status_code != 200:
                    answer.read()
                    _refuse(answer)
                seq = 0
                for line in answer.iter_lines():
                    name, _, value = line.partition(": ")
                    if name == "id":
                        seq = int(value)
                    elif name == "data":
                        yield seq, HappenedOut.model_validate_json(value)
        except httpx.TransportError as error:
            raise ApiUnavailable(f"the API does not answer: {error}") from error

    def get(self, path: str, **parameters: Any) -> Any:
        """Ask for any other route: ``get("/trends", key="acme")``."""
        return self._ask("GET", path, parameters=parameters)

    def _act(self, alert_id: str, act: str, body: Mapping[str, Any]) -> AlertWhole:
        return AlertWhole(**self._ask("POST", f"/alerts/{alert_id}/{act}", body))

    def _pages(self, path: str, limit: int, filters: Mapping[str, Any]) -> Iterator[Any]:
        parameters = {**filters, "limit": limit}
        while True:
            page = self._ask("GET", path, parameters=parameters)
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            parameters["cursor"] = page["next_cursor"]

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Any:
        known = {n: _plain(v) for n, v in (parameters or {}).items() if v is not None}
        try:
            answer = self._http.request(method, path, json=body, params=known)
        except httpx.TransportError as error:
            raise ApiUnavailable(f"the API does not answer: {error}") from error
        if answer.status_code >= 400:
            _refuse(answer)
        return answer.json()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _refuse(answer: httpx.Response) -> None:
    try:
        why = str(answer.json()["title"])
    except (ValueError, KeyError, TypeError):
        why = answer.text[:200]
    if answer.status_code == 429 or answer.status_code >= 500:
        raise ApiUnavailable(f"{answer.status_code}: {why}")
    raise ApiRefused(answer.status_code, why)
