"""The kinds of sources. Adding one: see the docstring of `monitor.collect`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from pydantic import ValidationError

from monitor.collect.apis import ApiSource, PostsSource
from monitor.collect.edgar import EdgarSource
from monitor.collect.feeds import FeedSource
from monitor.collect.files import FilesSource
from monitor.collect.lists import ListSource
from monitor.collect.mailbox import MailboxSource
from monitor.collect.options import Options
from monitor.collect.page import PageSource
from monitor.collect.replay import ReplaySource
from monitor.collect.sitemaps import SitemapSource
from monitor.collect.source import RUMOUR, Source, SourceConfig
from monitor.collect.streams import PushSource, TopicSource
from monitor.errors import ConfigError

Kind = Callable[[SourceConfig], Source]

SOURCES: Mapping[str, Kind] = {
    "replay": ReplaySource,
    "feed": FeedSource,
    "sitemap": SitemapSource,
    "list": ListSource,
    "page": PageSource,
    "api": ApiSource,
    "posts": PostsSource,
    "edgar": EdgarSource,
    "files": FilesSource,
    "mailbox": MailboxSource,
    "kafka": TopicSource,
    "push": PushSource,
}

GROUP = "foreshock.sources"
"""Entry points of installed packages, each a class as those in `SOURCES`, named as its kind."""


@cache
def kinds() -> Mapping[str, Kind]:
    """Return every kind there is: ours, then those that installed packages add.

    A package cannot take the name of one of ours.
    """
    added = {entry.name: entry.load() for entry in entry_points(group=GROUP)}
    return {**added, **SOURCES}


def options_model(kind: str) -> type[Options]:
    """Return the model of what a source of a kind is told.

    Raises
    ------
    ConfigError
        No such kind.
    """
    model: type[Options] = getattr(_kind(kind), "Options", Options)
    return model


def options_of(kind: str, given: Any = None) -> Options:
    """Return what a source of a kind is told, checked.

    Parameters
    ----------
    given
        A mapping, or options that were checked before.

    Raises
    ------
    pydantic.ValidationError
        An option is unknown, missing or wrong.
    ConfigError
        No such kind.
    """
    model = options_model(kind)
    return given if type(given) is model else model.model_validate(_plain(given))


def open_source(config: SourceConfig) -> Source:
    """Return the source that a configuration describes. Nothing is read before the first poll.

    Raises
    ------
    ConfigError
        No such kind, or options that do not fit it.
    """
    try:
        make = _kind(config.kind)
        options = options_of(config.kind, config.options)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"source {config.name!r}: options.{place}: {first['msg']}") from None
    except ConfigError as error:
        raise ConfigError(f"source {config.name!r}: {error}") from None
    if not config.location and getattr(make, "located", True):
        raise ConfigError(f"source {config.name!r}: location is missing: a path or an address")
    return make(replace(config, options=options))


def hearsay(sources: Iterable[SourceConfig]) -> frozenset[str]:
    """Return the names of those whose word alone makes a rumour."""
    return frozenset(
        source.name for source in sources if source.kind in kinds() and credibility(source) < RUMOUR
    )


def credibility(source: SourceConfig) -> float:
    """Return how far a source is to be believed, in [0, 1]: its own, or what is usual for its kind."""
    usual: float = getattr(_kind(source.kind), "credibility", 1.0)
    return usual if source.credibility is None else source.credibility


def _kind(name: str) -> Kind:
    try:
        return kinds()[name]
    except KeyError:
        raise ConfigError(f"unknown kind {name!r}; write one of: {', '.join(kinds())}") from None


def _plain(given: Any) -> Any:
    if given is None:
        return {}
    return given.model_dump() if isinstance(given, Options) else given
