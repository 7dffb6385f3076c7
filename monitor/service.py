"""One process of Foreshock: the stages it was asked to run, put together from the settings."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from monitor.aggregate.stage import AggregateStage
from monitor.aggregate.weights import Scale, lists_of
from monitor.alert.rulebind import World, load_rules
from monitor.alert.rulebook import RuleBook, rule_book
from monitor.alert.story import Names, may_concern
from monitor.clock import Clock, SystemClock
from monitor.collect.source import Source
from monitor.collect.sources import open_source
from monitor.collect.stage import CollectStage
from monitor.domain import Company
from monitor.entities.relations import load_relations
from monitor.entities.watchlist import Watchlist, load_reference, load_watchlist
from monitor.errors import ConfigError
from monitor.metrics import Metrics
from monitor.pipeline import STAGES, Stage, StageLoop
from monitor.schedule import Housekeeping, Retention
from monitor.settings import Settings
from monitor.store import Store, companies
from monitor.stream import open_broker
from monitor.stream.port import Broker

log = logging.getLogger(__name__)

HOUSEKEEPING_S = {"retention": 3600.0, "maintenance": 600.0}


@dataclass(frozen=True, slots=True)
class Outside:
    """What every stage of a process shares."""

    settings: Settings
    broker: Broker
    store: Store
    clock: Clock
    wall: Clock
    metrics: Metrics
    holder: str
    companies: tuple[Company, ...]


def open_outside(
    settings: Settings, clock: Clock | None = None, metrics: Metrics | None = None
) -> Outside:
    """Open store and streams, and load the watchlist into the store."""
    store = Store(settings.store.url)
    broker = open_broker(settings.broker_settings())
    streams = {spec.reads for spec in STAGES.values() if spec.reads}
    streams |= {name for spec in STAGES.values() for name in spec.writes}
    broker.create({name: settings.stream.partitions for name in sorted(streams)})
    if settings.watchlist.path is not None:
        watchlist = load_watchlist(settings.watchlist.path)
        for warning in watchlist.warnings:
            log.warning("%s", warning)
        watched = watchlist.companies
        with store.write() as connection:
            companies.replace(connection, watched)
    else:
        watched = companies.load(store)  # another process may have been told
    wall = SystemClock()
    return Outside(
        settings=settings,
        broker=broker,
        store=store,
        clock=clock or wall,
        wall=wall,
        metrics=metrics or Metrics(),
        holder=f"{socket.gethostname()}:{os.getpid()}",
        companies=watched,
    )


class Service:
    """Runs stages, a thread each, until stopped or until one of them fails.

    Parameters
    ----------
    outside
        What they share.
    stages
        Names out of `monitor.pipeline.STAGES`.
    sources
        For the collect stage; by default those of the settings.
    send
        Whether notifications are sent (else recorded).
    housekeeping
        Whether this process takes part in housekeeping.
    """

    def __init__(
        self,
        outside: Outside,
        stages: Sequence[str],
        sources: Sequence[Source] | None = None,
        send: bool = True,
        housekeeping: bool = True,
    ) -> None:
        self.outside = outside
        self.stop = threading.Event()
        self.failure: BaseException | None = None
        self.running: set[str] = set()
        self.stages: dict[str, Stage] = {}
        for name in stages:
            if name not in STAGES:
                raise ConfigError(f"no stage {name!r}; stages are {', '.join(STAGES)}")
            self.stages[name] = _MAKE[name](outside, sources, send)
        settings = outside.settings
        self._housekeeping = None
        if housekeeping:
            self._housekeeping = Housekeeping(
                outside.store,
                outside.broker,
                Retention(
                    minute=timedelta(days=settings.store.minute_days),
                    hour=timedelta(days=settings.store.hour_days),
                    records=timedelta(days=settings.stream.retention_days),
                ),
                outside.holder,
                outside.wall,
                outside.metrics,
                HOUSEKEEPING_S,
            )
        self._threads = [
            threading.Thread(target=self._run, args=(name,), name=name, daemon=True)
            for name in self.stages
        ]

    def start(self) -> None:
        self.running = set(self.stages)
        for thread in self._threads:
            thread.start()
        if self._housekeeping is not None:
            self._housekeeping.start()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for the stages to end; raise what made one fail."""
        for thread in self._threads:
            thread.join(timeout_s)
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        """Stop after the batches in hand, and close everything."""
        self.stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(30)
        if self._housekeeping is not None:
            self._housekeeping.close()
        self.outside.broker.close()
        self.outside.store.close()

    def _run(self, name: str) -> None:
        outside = self.outside
        loop = StageLoop(
            STAGES[name],
            self.stages[name],
            outside.broker,
            outside.store,
            outside.clock,
            outside.metrics,
            self.stop,
        )
        try:
            loop.run()
        except BaseException as error:  # a thread's failure is the process's failure
            if not isinstance(error, ConfigError):
                log.exception("stage %s failed", name)
            self.failure = self.failure or error
            self.stop.set()
        finally:
            self.running.discard(name)


def _collect(outside: Outside, sources: Sequence[Source] | None, send: bool) -> Stage:
    settings = outside.settings
    if sources is None:
        sources = [open_source(source.config()) for source in settings.sources]
    return CollectStage(
        sources,
        settings.dates.rules(),
        outside.broker,
        outside.store,
        outside.clock,
        outside.wall,
        outside.metrics,
        settings.stream.max_backlog,
    )


def _classify(outside: Outside, sources: Sequence[Source] | None, send: bool) -> Stage:
    # Here, so that a process without this stage never loads the model's libraries.
    from models.routing import Router
    from monitor.classify.stage import ClassifyStage
    from monitor.entities.resolver import Resolver
    from monitor.stories.risk import RiskPack

    model = outside.settings.model
    router = Router.load(model.folders, model.engine, model.threads, model.cache)
    for classifier in router.classifiers:
        log.info(
            "model %s for %s on %s",
            classifier.bundle.model_version,
            ", ".join(classifier.bundle.languages),
            classifier.engine_reason,
        )
    return ClassifyStage(
        router,
        Resolver(
            outside.companies,
            load_reference(outside.settings.watchlist.reference, outside.companies),
        ),
        RiskPack.load(outside.settings.story.pack),
        outside.wall,
        outside.metrics,
    )


def _aggregate(outside: Outside, sources: Sequence[Source] | None, send: bool) -> Stage:
    scale = Scale(outside.settings.trends.weights, lists_of(outside.companies))
    # Which of them concern a rule, the alert stage says: its rules may change.
    return AggregateStage(may_concern, outside.wall.now, outside.metrics, scale)


def _alert(outside: Outside, sources: Sequence[Source] | None, send: bool) -> Stage:
    from monitor.alert.stage import AlertStage

    return AlertStage(
        outside.store,
        outside.broker,
        rules_in_use(outside),
        names_of(outside),
        outside.holder,
        outside.clock,
        outside.wall,
        outside.metrics,
    )


def names_of(outside: Outside) -> Names:
    """Return what rules have to know of companies and events."""
    from monitor.entities.states import states_among
    from monitor.stories.risk import RiskPack

    pack = RiskPack.load(outside.settings.story.pack)
    rules = pack.rules.values()
    return Names(
        companies={company.id: company.name for company in outside.companies},
        episodes=pack.episodes,
        two_sided=frozenset(rule.event for rule in rules if rule.polarity == "any"),
        any_tone=frozenset(rule.event for rule in rules if rule.polarity == "either"),
        about={rule.id: rule.about for rule in rules},
        companies_only=pack.companies_only,
        states=states_among(outside.companies),
        ignores=pack.ignores,
    )


def rules_in_use(outside: Outside) -> RuleBook:
    """Return the alert rules that the settings name, which follow their file."""
    path = outside.settings.alert.rules
    world = world_of(outside.settings, outside.companies)
    return rule_book(lambda: load_rules(path, world), path, outside.wall, outside.metrics)


def world_of(settings: Settings, companies: tuple[Company, ...]) -> World:
    """Return what a rules file may speak of.

    Raises
    ------
    ConfigError
        The risk pack or the relations are wrong.
    """
    from monitor.stories.risk import RiskPack

    path = settings.watchlist.relations
    return World(
        companies=companies,
        families=RiskPack.load(settings.story.pack).families,
        story=settings.story.rule(),
        surge=settings.surge.rule(),
        relations=None if path is None else load_relations(path, Watchlist(companies)),
    )


def _notify(outside: Outside, sources: Sequence[Source] | None, send: bool) -> Stage:
    from monitor.notify.build import build_heartbeat, build_path, follow_routes, open_channels
    from monitor.notify.delivery import Delivery
    from monitor.notify.stage import NotifyStage
    from monitor.stories.risk import RiskPack

    settings = outside.settings.notify
    channels = open_channels(settings)
    families = RiskPack.load(outside.settings.story.pack).families
    return NotifyStage(
        outside.store,
        build_path(settings, outside.companies, families, send),
        follow_routes(settings, frozenset(channels), outside.wall, outside.metrics),
        Delivery(outside.store, channels, outside.wall, outside.metrics),
        build_heartbeat(settings, outside.store, outside.wall, outside.metrics) if send else None,
        outside.holder,
        outside.wall,
        outside.metrics,
    )


_MAKE: Mapping[str, Callable[[Outside, Sequence[Source] | None, bool], Stage]] = {
    "collect": _collect,
    "classify": _classify,
    "aggregate": _aggregate,
    "alert": _alert,
    "notify": _notify,
}
