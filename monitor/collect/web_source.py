"""What sources on the web have in common: a client made when first needed, conditional requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from monitor.collect.fetch import VALIDATORS, Fetched, Fetcher
from monitor.collect.options import Options
from monitor.collect.raw import RawItem
from monitor.collect.source import Failure, SourceConfig, SourceError

if TYPE_CHECKING:
    from monitor.collect.pages import Pages

MAX_REMEMBERED = 100  # addresses of one source


class RenderedOptions(Options):
    """How a page is read that may need a browser."""

    javascript: bool = Field(
        False, description="Let a headless Chromium make the page first; it must be installed."
    )
    sandbox: bool = Field(
        True,
        description="Whether that Chromium uses its sandbox. Without it a page that breaks out of the "
        "renderer is a program with the rights of ours: only in a container or machine for this alone.",
    )


class WebSource:
    """A source that is visited at its location, again and again.

    What it knows of its addresses (ETag, Last-Modified) is put back after a restart: see
    `monitor.collect.source.Remembers`.
    """

    once = False
    #: An API is meant for programs: there robots.txt, which is for crawlers (RFC 9309), is not asked.
    asks_robots = True

    def __init__(self, config: SourceConfig) -> None:
        self.config = config
        self.name = config.name
        self.interval_s = config.interval_s
        self.location = config.location
        self._fetcher: Fetcher | None = None
        self._page_reader: Pages | None = None
        self._conditions: dict[str, dict[str, str]] = {}

    def close(self) -> None:
        """Close the connections."""
        if self._fetcher is not None:
            self._fetcher.close()
            self._fetcher = self._page_reader = None

    @property
    def http(self) -> Fetcher:
        if not self.location.startswith(("http://", "https://")):
            raise SourceError(
                f"{self.location}: write an address that begins with http or https",
                kind=Failure.MISCONFIGURED,
            )
        return self._client()

    @property
    def memory(self) -> Mapping[str, str]:
        """What the next visit asks with: conditions of the location, and those of others with their address.

        Examples
        --------
        >>> source = WebSource(SourceConfig("s", "list", "https://a.example/"))
        >>> source.remember({"location": "https://a.example/", "If-None-Match": '"1"', "X-Evil": "no"})
        >>> source.memory
        {'location': 'https://a.example/', 'If-None-Match': '"1"'}
        """
        if not self._conditions:
            return {}
        found = {"location": self.location}
        for url, conditions in list(self._conditions.items())[-MAX_REMEMBERED:]:
            place = "" if url == self.location else f" {url}"
            found |= {f"{condition}{place}": value for condition, value in conditions.items()}
        return found

    def remember(self, memory: Mapping[str, str]) -> None:
        """Take up what an earlier process knew of this location."""
        if memory.get("location") != self.location:
            return
        self._conditions = {}
        for key, value in memory.items():
            condition, _, url = key.partition(" ")
            if condition in VALIDATORS.values() and isinstance(value, str):
                self._conditions.setdefault(url or self.location, {})[condition] = value

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Fetched:
        """Get what is at an address, if it has changed since `keep`.

        Raises
        ------
        SourceError
        """
        return self.http.get(url, {**(headers or {}), **self._conditions.get(url, {})})

    def page(self, told: RenderedOptions, wait_for: str = "") -> Fetched:
        """Get the page at the location, if it has changed; made by a browser where that is wanted.

        Parameters
        ----------
        wait_for
            A CSS selector of what a browser waits for.

        Raises
        ------
        SourceError
        """
        if not told.javascript:
            return self.get(self.location)
        from monitor.collect.rendered import render  # few need it

        return render(self.http, self.location, wait_for, told.sandbox)

    def completer(self) -> Callable[[RawItem], RawItem]:
        """Return what puts the text of an item's page in place of its teaser."""
        if self._page_reader is None:
            from monitor.collect.pages import Pages  # the extractor takes half a second to import

            self._page_reader = Pages(self._client())  # a feed in a file leads to pages, too
        return self._page_reader.complete

    def keep(self, url: str, fetched: Fetched) -> None:
        """Note that all of an answer has been read: the next visit asks only for what is new."""
        self._conditions.pop(url, None)  # the newest last: `memory` keeps those
        self._conditions[url] = fetched.conditions

    def _client(self) -> Fetcher:
        if self._fetcher is None:
            robots = self.config.robots and self.asks_robots
            self._fetcher = Fetcher.of(replace(self.config, robots=robots))
        return self._fetcher
