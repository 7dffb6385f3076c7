"""The kinds of sources. Adding one: see the docstring of `monitor.collect`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from monitor.collect.feeds import FeedSource
from monitor.collect.replay import ReplaySource
from monitor.collect.source import Source, SourceConfig
from monitor.errors import ConfigError

SOURCES: Mapping[str, Callable[[SourceConfig], Source]] = {
    "replay": ReplaySource,
    "feed": FeedSource,
}


def open_source(config: SourceConfig) -> Source:
    """Return the source that a configuration describes. Nothing is read before the first poll.

    Raises
    ------
    ConfigError
        No such kind.
    """
    try:
        make = SOURCES[config.kind]
    except KeyError:
        kinds = ", ".join(SOURCES)
        raise ConfigError(
            f"source {config.name!r}: unknown kind {config.kind!r}; write one of: {kinds}"
        ) from None
    return make(config)
