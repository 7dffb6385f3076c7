"""The parts of the notify stage, out of the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from monitor.clock import Clock
from monitor.domain import Company
from monitor.errors import ConfigError
from monitor.metrics import Metrics
from monitor.notify.channels import build_channel
from monitor.notify.heartbeat import Heartbeat
from monitor.notify.path import Path
from monitor.notify.port import Channel
from monitor.notify.routes import Routing
from monitor.notify.routesfile import plain_routing, read_routes
from monitor.reload import Followed
from monitor.settings import ChannelSettings, NotifySettings
from monitor.store import Store


def open_channels(settings: NotifySettings) -> dict[str, Channel]:
    """Return the configured channels by name; the console, where none is.

    Raises
    ------
    ConfigError
        Two have one name, or one cannot be as configured.
    """
    configured = settings.channels or (ChannelSettings(name="console", kind="console", **{}),)
    names = [channel.name for channel in configured]
    if len(set(names)) < len(names):
        raise ConfigError(f"notify.channels: names must be unique: {', '.join(names)}")
    return {channel.name: build_channel(channel.config()) for channel in configured}


def load_routing(settings: NotifySettings, channels: frozenset[str]) -> Routing:
    """Return the route tree that the settings name."""
    if settings.routes is None:
        return plain_routing(sorted(channels))
    return read_routes(settings.routes, channels)


def follow_routes(
    settings: NotifySettings, channels: frozenset[str], wall: Clock, metrics: Metrics
) -> Callable[[], Routing]:
    """Return what gives the route tree in use, which follows its file."""
    files = () if settings.routes is None else (settings.routes,)
    followed = Followed(
        lambda: load_routing(settings, channels),
        lambda: files,
        lambda routing: routing.hash,
        wall,
        metrics.routes,
    )
    return followed.refresh


def build_path(
    settings: NotifySettings,
    companies: Iterable[Company],
    families: Mapping[str, str],
    send: bool,
) -> Path:
    """Return what decides of messages."""
    by_id = {company.id: company for company in companies}
    return Path(settings.min_severity, by_id, families, settings.dashboard_url, send)


def build_heartbeat(
    settings: NotifySettings, store: Store, wall: Clock, metrics: Metrics
) -> Heartbeat | None:
    """Return the heartbeat, where an address is configured."""
    heartbeat = settings.heartbeat
    url = heartbeat.address()
    if url is None:
        return None
    every = timedelta(seconds=heartbeat.every_s)
    return Heartbeat(url, every, heartbeat.bounds(), store, wall, metrics)
