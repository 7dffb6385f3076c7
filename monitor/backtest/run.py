"""Replay each feed through the whole pipeline into a store of its own, and keep what people would be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from monitor.backtest.expected import ExpectedEvent, load_events
from monitor.backtest.score import Window
from monitor.backtest.told import told_of
from monitor.clock import ReplayClock
from monitor.collect.replay import ReplaySource
from monitor.domain import Company
from monitor.entities.watchlist import load_watchlist
from monitor.errors import ConfigError
from monitor.pipeline import STAGES
from monitor.replay import replay
from monitor.service import Service, open_outside
from monitor.settings import Settings
from monitor.store import buckets
from monitor.stories.risk import RiskPack

Progress = Callable[[], tuple[int, int]]  # (bytes read, bytes in all)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is replayed, for whom, and what had to be seen."""

    feeds: tuple[ReplaySource, ...]
    companies: tuple[Company, ...]
    events: tuple[ExpectedEvent, ...]
    families: Mapping[str, str]  # of each event of the risk pack in use
    settings: Settings


def make_plan(
    feeds: Sequence[Path],
    watchlist: Path,
    events: Path | None,
    settings: Settings,
    language: str,
    publisher: str | None,
) -> Plan:
    """Read and check everything before the first item is replayed.

    Raises
    ------
    ConfigError
        A file is missing or wrong.
    """
    sources = tuple(ReplaySource.of(feed, language, publisher) for feed in feeds)
    companies = load_watchlist(watchlist).companies
    expected = () if events is None else load_events(events, companies)
    rules = RiskPack.load(settings.story.pack).rules.values()
    return Plan(sources, companies, expected, {rule.event: rule.family for rule in rules}, settings)


def run_feed(
    plan: Plan, source: ReplaySource, watch: Callable[[Progress], Callable[[int], None]]
) -> Window:
    """Replay one feed as fast as it goes; nothing is sent.

    Parameters
    ----------
    watch
        Told how to ask for progress; returns what is called with the number of items so far.
    """
    with TemporaryDirectory(prefix="foreshock-backtest-") as folder:
        outside = open_outside(throwaway(plan.settings, Path(folder)), ReplayClock(None))
        service = Service(outside, tuple(STAGES), [source], send=False, housekeeping=False)
        try:
            outcome = replay(outside, service, watch(source.progress))
            with outside.store.read() as connection:
                span = buckets.span(connection)
            if span is None:
                raise ConfigError(
                    f"{source.path}: no item of it could be used; nothing to backtest"
                )
            told = tuple(told_of(outside.store, plan.families))
        finally:
            service.close()
    began_at, ended_at = span
    events = tuple(e for e in plan.events if began_at <= e.first_headline_at <= ended_at)
    return Window(source.name, began_at, ended_at, outcome.articles, told, events)


def outside_of_feeds(plan: Plan, windows: Sequence[Window]) -> list[ExpectedEvent]:
    """Return events that no feed covers: they count neither as seen nor as missed."""
    covered = {event for window in windows for event in window.events}
    return [event for event in plan.events if event not in covered]


def throwaway(settings: Settings, folder: Path) -> Settings:
    """Return the settings with a throwaway store and the embedded log; what decides stays as it is."""
    store = settings.store.model_copy(update={"url": f"sqlite:///{folder / 'backtest.db'}"})
    stream = settings.stream.model_copy(update={"kind": "local", "path": folder / "streams.db"})
    return settings.model_copy(update={"store": store, "stream": stream})
