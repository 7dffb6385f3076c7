"""Ask everything that Foreshock needs whether it is there, and say what to do where it is not."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from monitor.collect.sources import open_source
from monitor.domain import Company
from monitor.entities.relations import load_relations
from monitor.entities.watchlist import load_reference, load_watchlist
from monitor.errors import ConfigError, ForeshockError
from monitor.notify.build import load_routing, open_channels
from monitor.schedule import next_of_cron
from monitor.service import rules_of
from monitor.settings import Settings
from monitor.stories.risk import RiskPack
from monitor.stream import LocalStreamSettings, open_broker

MIN_FREE_BYTES = 2**30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was asked, and its answer."""

    what: str
    ok: bool
    detail: str


def check_settings(settings: Settings) -> list[str]:
    """Check what the settings point to, without opening database or streams.

    Returns remarks; a wrong setting raises.

    Raises
    ------
    ConfigError
    """
    notes = []
    settings.broker_settings()
    if settings.retrain.cron is not None:
        next_of_cron(settings.retrain.cron, datetime.now(UTC))
    names = [source.name for source in settings.sources]
    if len(set(names)) < len(names):
        raise ConfigError(f"sources: names must be unique: {', '.join(names)}")
    for source in settings.sources:
        open_source(source.config())
    if not settings.sources:
        notes.append("no sources yet: `foreshock run` needs at least one [[sources]]")
    routing = load_routing(settings.notify, frozenset(open_channels(settings.notify)))
    notes.append(f"routes: {sum(1 for _ in routing.root.walk())}")
    watched: tuple[Company, ...] = ()
    if settings.watchlist.path is None:
        notes.append("no watchlist: no company is watched, and only topics can surge")
    else:
        watchlist = load_watchlist(settings.watchlist.path)
        notes += [f"watchlist: {warning}" for warning in watchlist.warnings]
        watched = watchlist.companies
        notes.append(f"watchlist: {len(watched)} companies")
        if settings.watchlist.relations is not None:
            related = load_relations(settings.watchlist.relations, watchlist).relations
            notes.append(f"relations: {len(related)}")
        if settings.watchlist.reference:
            others = load_reference(settings.watchlist.reference, watchlist.companies)
            notes.append(f"reference: {len(others)} companies that are not watched")
    alert_rules = rules_of(settings, watched)
    notes.append(f"alert rules: {', '.join(dict.fromkeys(rule.name for rule in alert_rules))}")
    rules = RiskPack.load(settings.story.pack).rules
    notes.append(f"risk pack: {len(rules)} rules")
    return notes


def examine(settings: Settings) -> list[Finding]:
    """Ask settings, database, streams, model, disk, port and clock."""
    checks: dict[str, Callable[[], str]] = {
        "settings": lambda: "; ".join(check_settings(settings)),
        "database": lambda: _database(settings),
        "streams": lambda: _streams(settings),
        "model": lambda: _model(settings),
        "disk": lambda: _disk(settings),
        "port": lambda: _port(settings),
        "clock": _clock,
    }
    findings = []
    for what, check in checks.items():
        try:
            findings.append(Finding(what, True, check()))
        except (ForeshockError, OSError) as error:
            findings.append(Finding(what, False, str(error)))
        except Exception as error:  # a library's own: the doctor has to go on
            findings.append(Finding(what, False, f"{type(error).__name__}: {error}"))
    return findings


def _database(settings: Settings) -> str:
    from monitor.store import Store, articles

    store = Store(settings.store.url)
    try:
        return f"{store.name}: {articles.count(store):,} articles"
    finally:
        store.close()


def _streams(settings: Settings) -> str:
    from monitor.pipeline import STAGES

    where = settings.broker_settings()
    broker = open_broker(where)
    try:
        lags = []
        for spec in STAGES.values():
            if spec.reads is not None:
                broker.create({spec.reads: settings.stream.partitions})
                lag = sum(entry.records for entry in broker.lag(spec.name, spec.reads).values())
                lags.append(f"{spec.name} {lag}")
    finally:
        broker.close()
    name = where.path if isinstance(where, LocalStreamSettings) else where.bootstrap_servers
    return f"{name}: records waiting: {', '.join(lags)}"


def _model(settings: Settings) -> str:
    from models.routing import Router

    model = settings.model
    router = Router.load(model.folders, model.engine, model.threads)
    (prediction,) = router.predict(["Regulator fines bank over money laundering failures"])
    loaded = [
        f"{c.bundle.model_version} ({', '.join(c.bundle.languages)}), {c.engine_reason}"
        for c in router.classifiers
    ]
    return f"{'; '.join(loaded)}; a fine reads as {prediction.sentiment}"


def _disk(settings: Settings) -> str:
    folder = Path.cwd()
    if settings.store.url.startswith("sqlite:///"):
        folder = Path(settings.store.url.removeprefix("sqlite:///")).absolute().parent
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        raise ConfigError(f"{folder}: only {free // 2**20} MiB free; make room")
    return f"{folder}: {free / 2**30:.1f} GiB free"


def _port(settings: Settings) -> str:
    host, port = settings.web.host, settings.web.port
    if not port_is_free(host, port):
        return f"{host}:{port} is in use (by a running Foreshock, or change web.port)"
    return f"{host}:{port} is free"


def port_is_free(host: str, port: int) -> bool:
    """Say whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _clock() -> str:
    now = datetime.now(UTC)
    if now.year < 2025:
        raise ConfigError(
            f"the clock says {now:%Y-%m-%d}: set it, or every item is from the future"
        )
    return f"{now:%Y-%m-%d %H:%M:%S} UTC"
