"""JSON APIs by a declarative mapping: news, and posts of forums and social networks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, quote_plus, urlencode, urljoin, urlsplit

import orjson
import yaml
from pydantic import Field, SecretStr, model_validator

from monitor.collect.mapping import Records, items_of, read_records, value_at
from monitor.collect.raw import RawItem
from monitor.collect.source import Failure, SourceConfig, SourceError
from monitor.collect.web_source import WebSource
from monitor.domain import DeadItem
from monitor.secret import secret_text

PRESETS = Path(__file__).with_name("presets.yaml")
HIDDEN = "***"


@cache
def presets() -> Mapping[str, Mapping[str, Any]]:
    """Return the options of every preset by name, with ``about`` and ``location`` for people."""
    found: Mapping[str, Mapping[str, Any]] = yaml.safe_load(PRESETS.read_text("utf-8"))
    return found


class ApiOptions(Records):
    """How to ask a JSON API, and how to read its answer."""

    preset: str | None = Field(
        None,
        description="Take the options of a known service; what is written here wins over them.",
    )
    params: dict[str, str] = Field(
        {},
        description="Query parameters. `{since:%Y-%m-%d}` and `{now:%Y-%m-%d}` in them are times in "
        "`time_zone`, by any format of strftime.",
    )
    window_hours: float = Field(24, gt=0, description="How long before now `{since}` is.")
    headers: dict[str, str] = Field({}, description="Headers, none of them secret.")
    body: dict[str, Any] | None = Field(
        None, description="JSON to send by POST; texts in it may hold times as `params` do."
    )
    key: SecretStr | None = Field(None, description="API key, or `file:PATH`. Never printed.")
    key_in: Literal["header", "query", "body"] = Field("header", description="Where the key goes.")
    key_name: str = Field("Authorization", description="Name of that header, parameter or field.")
    key_prefix: str = Field("", description='Before the key in its header, such as `"Bearer "`.')
    page_param: str = Field(
        "", description="Parameter that names the page; empty: there is one page."
    )
    page_from: int = Field(1, ge=0, description="The first page's number, or its first record's.")
    page_step: int = Field(1, ge=1, description="How much it grows from page to page.")
    next: str = Field(
        "", description="Path of the next page's address, or of a cursor for `page_param`."
    )
    max_pages: int = Field(5, ge=1, le=100, description="Most pages of one visit.")

    @model_validator(mode="before")
    @classmethod
    def _of_the_preset(cls, given: Any) -> Any:
        name = given.get("preset") if isinstance(given, Mapping) else None
        if name is None:
            return given
        if name not in presets():
            raise ValueError(f"no preset {name!r}; presets are {', '.join(presets())}")
        known = {k: v for k, v in presets()[name].items() if k not in ("about", "location", "kind")}
        together = {**known, **given}
        for key in ("params", "headers", "fields", "body"):
            if isinstance(known.get(key), Mapping) and isinstance(given.get(key), Mapping):
                together[key] = {**known[key], **given[key]}
        return together


class ApiSource(WebSource):
    """A JSON API, its records mapped to items; presets for GDELT, NewsAPI, Finnhub, Tushare and others."""

    Options = ApiOptions
    asks_robots = False

    def __init__(self, config: SourceConfig) -> None:
        super().__init__(config)
        self.options: ApiOptions = config.options

    def poll(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        """Yield the records of each page; see `monitor.collect.source.Source.poll`."""
        params = self._filled(self.options.params, now)
        page: str | int = self.options.page_from
        if self.options.page_param and not self.options.next:
            params[self.options.page_param] = str(page)
        url = _with(self.location, params)
        for number in range(self.options.max_pages):
            answer = self._ask(url, now)
            records = read_records(answer, self.options, self.location)
            yield from items_of(records, self.options, self.config, self.location)
            following = self._following(answer, params, number + 1) if records else None
            if following is None or following == url:
                return
            url = following

    def _following(self, answer: Any, params: dict[str, str], number: int) -> str | None:
        """Return the next page's address, ``None`` where there is none."""
        if self.options.next:
            found = value_at(answer, self.options.next)
            if not isinstance(found, str | int) or isinstance(found, bool):
                return None
            if self.options.page_param:
                return _with(self.location, {**params, self.options.page_param: str(found)})
            url = urljoin(self.location, str(found))
            if urlsplit(url)[:2] != urlsplit(self.location)[:2]:
                raise SourceError(
                    f"{self.location}: the next page is said to be on another server; not followed, "
                    "since the key would go there",
                    kind=Failure.FORBIDDEN,
                )
            return url
        if not self.options.page_param:
            return None
        page = self.options.page_from + number * self.options.page_step
        return _with(self.location, {**params, self.options.page_param: str(page)})

    def _ask(self, url: str, now: datetime) -> Any:
        key = secret_text(self.options.key) or ""
        headers = dict(self.options.headers)
        body = self.options.body
        if body is not None:
            body = self._filled(body, now)
        if key and self.options.key_in == "header":
            headers[self.options.key_name] = self.options.key_prefix + key
        elif key and self.options.key_in == "query":
            url = _with(url, {self.options.key_name: key})
        elif key:
            body = {**(body or {}), self.options.key_name: key}
        try:
            fetched = self.http.get(
                url, headers, None if body is None else json.dumps(body).encode()
            )
        except SourceError as error:
            # Anew, without its cause: addresses with the key in them must not come into a log.
            message = _without(key, str(error))
            raise SourceError(message, error.retry_after_s, error.kind, error.status) from None
        try:
            return orjson.loads(fetched.body or b"null")
        except orjson.JSONDecodeError as error:
            start = (fetched.body or b"")[:80].decode("utf-8", "replace")
            raise SourceError(
                f"{self.location}: the answer is not JSON ({error}); it begins: {_without(key, start)!r}",
                kind=Failure.UNREADABLE,
            ) from None

    def _filled(self, value: Any, now: datetime) -> Any:
        """Put times where texts ask for them."""
        if isinstance(value, Mapping):
            return {name: self._filled(each, now) for name, each in value.items()}
        if not isinstance(value, str) or "{" not in value:
            return value
        local = now.astimezone(self.options.time_zone)
        since = local - timedelta(hours=self.options.window_hours)
        try:
            return value.format(now=local, since=since)
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            raise SourceError(
                f"{self.location}: {value!r} cannot be filled in ({error}); write {{since:%Y-%m-%d}} or "
                "{now:...}",
                kind=Failure.MISCONFIGURED,
            ) from None


class PostsSource(ApiSource):
    """Posts of a forum or social network, by the same mapping; all of one source count as one publisher."""

    credibility = 0.3

    def poll(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        """Yield the posts; whoever wrote them, the forum publishes."""
        publisher = self.config.publisher or self.name
        for item in super().poll(now):
            yield replace(item, publisher=publisher) if isinstance(item, RawItem) else item


def _with(url: str, params: Mapping[str, str]) -> str:
    """Return an address with query parameters set.

    Examples
    --------
    >>> _with("http://a.example/?q=1", {"page": "2"}), _with("http://a.example/?page=1", {"page": "2"})
    ('http://a.example/?q=1&page=2', 'http://a.example/?page=2')
    """
    if not params:
        return url
    parts = urlsplit(url)
    kept = [p for p in parts.query.split("&") if p and p.partition("=")[0] not in params]
    return parts._replace(query="&".join([*kept, urlencode(params)])).geturl()


def _without(key: str, text: str) -> str:
    if not key:
        return text
    for spelling in (key, quote(key), quote(key, safe=""), quote_plus(key)):
        text = text.replace(spelling, HIDDEN)
    return text
