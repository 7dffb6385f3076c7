"""One process of Foreshock: the stages it was asked to run, put together from the settings."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from monitor.aggregate.stage import AggregateStage
from monitor.aggregate.weights import Scale, lists_of
from monitor.alert.rulebind import World, load_rules
from monitor.alert.rulebook import RuleBook, rule_book
from monitor.alert.ruleset import RuleSet
from monitor.alert.story import Names, may_concern
from monitor.clock import Clock, WallClock
from monitor.collect.source import Source
from monitor.collect.sources import open_source
from monitor.collect.stage import CollectStage
from monitor.collect.streams import Attached
from monitor.domain import Company
from monitor.entities.relations import load_relations
from monitor.entities.watchlist import Watchlist, load_reference
from monitor.errors import ConfigError, RetriableError
from monitor.metrics import Metrics
from monitor.pipeline import STAGES, Closes, Stage, StageLoop
from monitor.schedule import Housekeeping, Retention
from monitor.settings import Settings
from monitor.store import Store, leases
from monitor.store.clock import wall_clock
from monitor.stream import open_broker
from monitor.stream.port import Broker
from monitor.traces import Traces, open_traces
from monitor.watching import Watching

if TYPE_CHECKING:
    from monitor.entities.resolver import Resolver
    from monitor.notify.path import Path

log = logging.getLogger(__name__)

HOUSEKEEPING_S = {"retention": 3600.0, "maintenance": 600.0}


@dataclass(frozen=True, slots=True)
class Outside:
    """What every stage of a process shares."""

    settings: Settings
    broker: Broker
    store: Store
    clock: Clock
    wall: WallClock
    metrics: Metrics
    holder: str
    watching: Watching
    traces: Traces

    @property
    def companies(self) -> tuple[Company, ...]:
        return self.watching.value.companies


def open_outside(
    settings: Settings, clock: Clock | None = None, metrics: Metrics | None = None
) -> Outside:
    """Open store and streams, and load the watchlist into the store."""
    store = Store(settings.store.url)
    broker = open_broker(settings.broker_settings())
    streams = {spec.reads for spec in STAGES.values() if spec.reads}
    streams |= {name for spec in STAGES.values() for name in spec.writes}
    broker.create({name: settings.stream.partitions for name in sorted(streams)})
    wall = wall_clock(store)
    metrics = metrics or Metrics()
    watching = Watching(
        settings.watchlist,
        store,
        wall,
        metrics,
        lambda companies: rules_of(settings, companies),
        live=clock is None,
    )
    return Outside(
        settings=settings,
        broker=broker,
        store=store,
        clock=clock or wall,
        wall=wall,
        metrics=metrics,
        holder=leases.this_process(),
        watching=watching,
        traces=open_traces(settings.traces.endpoint, settings.traces.ratio),
    )


class Stop(threading.Event):
    """Ends the loops of a process; those that wait for a bell hear it too."""

    def __init__(self, bells: Iterable[threading.Event]) -> None:
        super().__init__()
        self._bells = tuple(bells)

    def set(self) -> None:
        super().set()
        for bell in self._bells:
            bell.set()


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
        self._bells = {name: threading.Event() for name in stages}
        self.stop: threading.Event = Stop(self._bells.values())
        self.failure: BaseException | None = None
        self.running: set[str] = set()
        self.stages: dict[str, Stage] = {}
        for name in stages:
            if name not in STAGES:
                raise ConfigError(f"no stage {name!r}; stages are {', '.join(STAGES)}")
            self.stages[name] = _MAKE[name](outside, sources, send)
        self._send = send
        self._turned_s: dict[str, float] = {}
        self._watchlists = dict.fromkeys(self.stages, outside.watching.value.number)
        settings = outside.settings
        self._housekeeping = None
        days = settings.store.article_days
        if housekeeping:
            self._housekeeping = Housekeeping(
                outside.store,
                outside.broker,
                Retention(
                    minute=timedelta(days=settings.store.minute_days),
                    hour=timedelta(days=settings.store.hour_days),
                    records=timedelta(days=settings.stream.retention_days),
                    articles=None if days is None else timedelta(days=days),
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
        for name, stage in self.stages.items():
            if isinstance(stage, Closes):
                try:
                    stage.close()
                except RetriableError as error:
                    log.warning("stage %s: %s; others take over when its lease ends", name, error)
        if self._housekeeping is not None:
            self._housekeeping.close()
        self.outside.traces.close()
        self.outside.broker.close()
        self.outside.store.close()

    def ages(self) -> dict[str, float | None]:
        """Return for each stage that runs how many seconds ago it began a turn; None before its first."""
        now_s, turned_s = time.monotonic(), dict(self._turned_s)
        return {
            name: now_s - turned_s[name] if name in turned_s else None
            for name in self.stages
            if name in self.running
        }

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
            lambda: self._follow(name),
            outside.traces,
            lambda: self._wake(STAGES[name].wakes),
            self._bells[name],
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

    def _wake(self, name: str | None) -> None:
        """Let a stage at the head have its next turn now; one of another process looks by itself."""
        if name in self._bells:
            self._bells[name].set()

    def _follow(self, name: str) -> None:
        """Let a stage have time and watchlist of now, in its own thread and between two of its turns."""
        self.outside.wall.follow()
        watched = self.outside.watching.refresh()
        self._turned_s[name] = time.monotonic()
        if watched.number == self._watchlists[name]:
            return
        self._watchlists[name] = watched.number
        if name in _WATCH:
            try:
                _WATCH[name](self.outside, self.stages[name], self._send)
            except ConfigError as error:
                log.error("stage %s keeps the watchlist it has: %s", name, error)


def _collect(outside: Outside, sources: Sequence[Source] | None, send: bool) -> Stage:
    settings = outside.settings
    if sources is None:
        sources = [open_source(source.config()) for source in settings.sources]
        for source in sources:
            if isinstance(source, Attached):
                source.attach(outside.broker, settings.stream.partitions)
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
    from models.challenger import challenge
    from models.routing import Router
    from monitor.classify.backlog import Backlog
    from monitor.classify.serving import ServedModel
    from monitor.classify.stage import ClassifyStage
    from monitor.classify.trial import Trials
    from monitor.collect.sources import hearsay
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
    days = outside.settings.watchlist.read_again_days
    backlog = Backlog(
        outside.store, outside.holder, outside.clock, outside.wall, timedelta(days=days)
    )
    served = ServedModel(
        *(model, router, outside.store, outside.holder, outside.wall, outside.metrics),
        live=outside.watching.live,
    )
    differs = outside.settings.retrain.canary_differs
    load = partial(challenge, engine=model.engine, threads=model.threads, slowest=model.slowest)
    trials = Trials(load, outside.store, outside.wall, outside.metrics, differs)
    return ClassifyStage(
        served.refresh,
        *_resolver(outside),
        RiskPack.load(outside.settings.story.pack),
        outside.wall,
        outside.metrics,
        backlog if outside.watching.live and days else None,
        trials if outside.watching.live else None,
        hearsay(source.config() for source in outside.settings.sources),
    )


def _watch_classify(outside: Outside, stage: Any, send: bool) -> None:
    stage.watch(*_resolver(outside))


def _resolver(outside: Outside) -> tuple[Resolver, int]:
    """Return what finds the companies of the watchlist in use, and its number."""
    from monitor.entities.resolver import Resolver

    watched = outside.watching.value
    others = load_reference(outside.settings.watchlist.reference, watched.companies)
    return Resolver(watched.companies, others), watched.number


def _aggregate(outside: Outside, sources: Sequence[Source] | None, send: bool) -> Stage:
    # Which of them concern a rule, the alert stage says: its rules may change.
    return AggregateStage(may_concern, outside.wall.now, outside.metrics, _scale(outside))


def _watch_aggregate(outside: Outside, stage: Any, send: bool) -> None:
    stage.watch(_scale(outside))


def _scale(outside: Outside) -> Scale:
    return Scale(outside.settings.trends.weights, lists_of(outside.companies))


def _alert(outside: Outside, sources: Sequence[Source] | None, send: bool) -> Stage:
    from monitor.alert.stage import AlertStage

    return AlertStage(
        outside.store,
        outside.broker,
        rules_in_use(outside),
        names_of(outside.settings, outside.companies),
        outside.holder,
        outside.clock,
        outside.wall,
        outside.metrics,
        outside.settings.dates.rules().republished_after,
    )


def _watch_alert(outside: Outside, stage: Any, send: bool) -> None:
    stage.watch(rules_in_use(outside), names_of(outside.settings, outside.companies))


def names_of(settings: Settings, companies: tuple[Company, ...]) -> Names:
    """Return what rules have to know of companies and events."""
    from monitor.entities.states import states_among
    from monitor.stories.risk import RiskPack

    pack = RiskPack.load(settings.story.pack)
    rules = pack.rules.values()
    return Names(
        companies={company.id: company.name for company in companies},
        episodes=pack.episodes,
        two_sided=frozenset(rule.event for rule in rules if rule.polarity == "any"),
        any_tone=frozenset(rule.event for rule in rules if rule.polarity == "either"),
        about={rule.id: rule.about for rule in rules},
        companies_only=pack.companies_only,
        states=states_among(companies),
        ignores=pack.ignores,
    )


def rules_in_use(outside: Outside) -> RuleBook:
    """Return the alert rules that the settings name, which follow their file."""
    path = outside.settings.alert.rules
    world = world_of(outside.settings, outside.companies)
    return rule_book(lambda: load_rules(path, world), path, outside.wall, outside.metrics)


def rules_of(settings: Settings, companies: tuple[Company, ...]) -> RuleSet:
    """Return the alert rules that the settings name, for the companies of a watchlist.

    Raises
    ------
    ConfigError
        Rules, risk pack or relations are wrong, or do not fit the companies.
    """
    return load_rules(settings.alert.rules, world_of(settings, companies))


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
    from monitor.notify.build import build_heartbeat, follow_routes, open_channels
    from monitor.notify.delivery import Delivery
    from monitor.notify.stage import NotifyStage

    settings = outside.settings.notify
    channels = open_channels(settings)
    return NotifyStage(
        outside.store,
        _path(outside, send),
        follow_routes(settings, frozenset(channels), outside.wall, outside.metrics),
        Delivery(outside.store, channels, outside.wall, outside.metrics),
        build_heartbeat(settings, outside.store, outside.wall, outside.metrics) if send else None,
        outside.holder,
        outside.wall,
        outside.metrics,
    )


def _watch_notify(outside: Outside, stage: Any, send: bool) -> None:
    stage.watch(_path(outside, send))


def _path(outside: Outside, send: bool) -> Path:
    from monitor.notify.build import build_path
    from monitor.stories.risk import RiskPack

    families = RiskPack.load(outside.settings.story.pack).families
    return build_path(outside.settings.notify, outside.companies, families, send)


_MAKE: Mapping[str, Callable[[Outside, Sequence[Source] | None, bool], Stage]] = {
    "collect": _collect,
    "classify": _classify,
    "aggregate": _aggregate,
    "alert": _alert,
    "notify": _notify,
}

# What a stage does when the watchlist has changed.
_WATCH: Mapping[str, Callable[[Outside, Any, bool], None]] = {
    "classify": _watch_classify,
    "aggregate": _watch_aggregate,
    "alert": _watch_alert,
    "notify": _watch_notify,
}
