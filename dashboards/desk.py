"""What this web process shows: set once, before the first page is served.

Streamlit runs a page's script anew for every viewer and every click, in threads of one process; this is the
one thing all those runs share.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from monitor.errors import ConfigError
from monitor.health import Bounds
from monitor.settings import Settings
from monitor.store import Store
from monitor.store.database import parse_url


@dataclass(frozen=True, slots=True)
class Desk:
    """The settings of the pages."""

    store_url: str
    title: str = "Foreshock"
    read_only: bool = False
    login: bool = True
    analyst: str = "analyst"  # who acts where no login is asked for
    session_hours: float = 12
    open_metrics: bool = False
    refresh_s: float = 5.0
    bounds: Bounds = field(default_factory=Bounds)  # of /readyz
    settings: Settings = field(default_factory=Settings)  # of the API


_desk: Desk | None = None
_stores: dict[str, Store] = {}
_opening = threading.Lock()


def furnish(desk: Desk) -> None:
    """Say what the pages of this process show."""
    global _desk
    _desk = desk


def current() -> Desk:
    """Return what the pages show.

    Raises
    ------
    ConfigError
        A page was run by itself, not by `dashboards.app.serve`.
    """
    if _desk is None:
        raise ConfigError("the pages are served by `foreshock run` or `foreshock demo`")
    return _desk


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """Hand out this process's one `Store` of a database.

    Raises
    ------
    ConfigError
        There is no such SQLite file (reading must not create one), or the URL is wrong.
    StoreUnavailable
        The server does not answer.
    """
    parsed = parse_url(url)
    if parsed.drivername == "sqlite" and not Path(str(parsed.database)).exists():
        _stores.pop(url, None)
        raise ConfigError(f"there is no database at {parsed.database} yet")
    with _opening:
        if url not in _stores:
            _stores[url] = Store(url)
    yield _stores[url]
