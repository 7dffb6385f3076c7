"""Run the demo: feed server, pipeline and dashboard on one accelerated clock, on this machine only."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from monitor.alert.show import as_json as alerts_as_json
from monitor.alert.show import as_text
from monitor.check import port_is_free
from monitor.clock import AcceleratedClock
from monitor.collect.raw import RawItem
from monitor.collect.source import Source, SourceConfig
from monitor.collect.sources import open_source
from monitor.demo.feed import END, START, WATCHLIST, DemoFeedServer
from monitor.domain import Alert, DeadItem
from monitor.errors import ConfigError
from monitor.replay import drained
from monitor.service import Service, open_outside
from monitor.settings import Settings, load_settings
from monitor.store import Store, alerts, progress
from monitor.supervise import Child, start, stop_all

VISIT_EVERY = timedelta(minutes=90)  # in the demo's time
# The clock runs on a little, so that every source is visited once more after the last item.
AFTERWARDS = timedelta(hours=6)
POLL_S = 0.2
# Two weeks are short: half of them are warm-up, and one negative item more in a week of history lowers z by
# one. On two recorded feeds, 78 days, 4.0 tells nothing that the default of 4.5 does not.
SURGE_Z = 4.0


def run_demo(
    folder: Path,
    duration_s: float,
    kafka: str | None,
    dashboard_port: int | None,
    feed_port: int,
    as_json: bool,
) -> None:
    """Play the two weeks in ``duration_s`` seconds and print the alerts.

    Parameters
    ----------
    folder
        A throwaway folder for the store.
    dashboard_port
        Serve the dashboard there and wait for Ctrl-C at the end; ``None`` leaves at the end.

    Raises
    ------
    ConfigError
        A port is busy.
    """
    console = Console(stderr=True, highlight=False)
    settings = _settings(folder, kafka, dashboard_port)
    clock = AcceleratedClock(START, END + AFTERWARDS, (END - START).total_seconds() / duration_s)
    shown = _Shown()
    feeds = DemoFeedServer(shown, port=feed_port)
    service = None
    dashboard = Child("dashboard", "dashboards", ["--config", str(folder / "foreshock.toml")])
    try:
        console.print(f"news sites on {feeds.base_url}, two weeks in {duration_s:.0f} s")
        if dashboard_port is not None:
            _serve(dashboard, settings)
        with console.status("loading the model"):
            outside = open_outside(settings, clock)
            sources = [_Dated(open_source(config), shown) for config in _configs(feeds.sources())]
            service = Service(outside, _STAGES, sources, send=False)
        clock.restart()
        feeds.start()
        service.start()
        with _bar(console) as watch:
            _follow(service, clock, watch)
        told = alerts.latest(outside.store)
        names = {company.id: company.name for company in outside.companies}
        histories = {alert.id: alerts.history(outside.store, alert.id) for alert in told}
        print(alerts_as_json(told, histories) if as_json else as_text(told, names))
        if dashboard_port is not None:
            console.print(
                f"\nthe dashboard stays at http://127.0.0.1:{dashboard_port} until Ctrl-C"
            )
            _wait(dashboard)
    except KeyboardInterrupt:
        pass
    finally:
        if dashboard.process is not None:
            stop_all([dashboard])
        if service is not None:
            service.close()
        feeds.stop()


class _Shown:
    """The time that the news sites show.

    It stands still while the collector goes from one site to the next: at this speed a visit takes minutes
    of the story, and a site asked later would show the answer to what another has yet to report.
    """

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at


class _Dated:
    """A source whose site shows what it had published when the visits of this turn began."""

    def __init__(self, source: Source, shown: _Shown) -> None:
        self._source = source
        self._shown = shown
        self.name = source.name
        self.interval_s = source.interval_s
        self.once = source.once

    def poll(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        self._shown.at = now
        return self._source.poll(now)

    def close(self) -> None:
        self._source.close()


def _configs(feeds: Iterable[tuple[str, str, str]]) -> Iterator[SourceConfig]:
    for name, url, language in feeds:
        yield SourceConfig(
            name=name,
            kind="feed",
            location=url,
            language=language,
            publisher=name,
            interval_s=VISIT_EVERY.total_seconds(),
        )


_STAGES = ("collect", "classify", "aggregate", "alert", "notify")


def _settings(folder: Path, kafka: str | None, dashboard_port: int | None) -> Settings:
    stream: dict[str, Any] = {"kind": "local"}
    if kafka is not None:
        stream = {
            "kind": "kafka",
            "kafka": {
                "bootstrap_servers": kafka.removeprefix("kafka://"),
                "topic_prefix": f"demo-{secrets.token_hex(3)}-",
            },
        }
    path = folder / "foreshock.toml"
    port = dashboard_port or 0
    path.write_text(
        f'[store]\nurl = "sqlite:///{(folder / "foreshock.db").as_posix()}"\n'
        f'[watchlist]\npath = "{Path(WATCHLIST).as_posix()}"\n[web]\nport = {port}\nlogin = false\n'
        f"[surge]\nnegative_z = {SURGE_Z}\n",
        encoding="utf-8",
    )
    return load_settings(path, {"stream": stream})


def _serve(dashboard: Child, settings: Settings) -> None:
    if not port_is_free(settings.web.host, settings.web.port):
        raise ConfigError(
            f"port {settings.web.port} is taken by another program; choose one with --port"
        )
    Store(settings.store.url).close()  # the page opens a database that is there
    start(dashboard, os.environ)


def _follow(service: Service, clock: AcceleratedClock, watch: Watch) -> None:
    """Wait until the story is told and everything that follows is stored."""
    outside = service.outside
    seen: set[str] = set()
    while service.failure is None:
        for alert in reversed(alerts.latest(outside.store)):
            if alert.id not in seen:
                seen.add(alert.id)
                watch.alert(alert)
        watch.time(clock, sum(progress.totals(outside.store)))
        over = clock.now() >= clock.end and _visited(outside.store, clock)
        if over and drained(outside.broker, outside.store):
            return
        threading.Event().wait(POLL_S)
    raise service.failure


def _visited(store: Store, clock: AcceleratedClock) -> bool:
    with store.read() as connection:
        reached = progress.load(connection, "collect").values()
    return any(state.through_at >= clock.end for state in reached)


class Watch:
    """The progress bar of the two weeks, with every alert above it as it fires."""

    def __init__(self, bar: Progress) -> None:
        self.bar = bar
        self.task = bar.add_task("", total=(END - START).total_seconds(), items=0, date="")

    def time(self, clock: AcceleratedClock, items: int) -> None:
        now = min(clock.now(), END)
        self.bar.update(
            self.task,
            completed=(now - START).total_seconds(),
            items=items,
            date=f"{now:%a %d %b %H:%M}",
        )

    def alert(self, alert: Alert) -> None:
        self.bar.console.print(
            f"  {alert.started_at:%a %d %b %H:%M}  severity {alert.severity}  {alert.title}",
            markup=False,
        )


@contextmanager
def _bar(console: Console) -> Iterator[Watch]:
    with Progress(
        TextColumn("{task.fields[date]}"),
        BarColumn(),
        TextColumn("{task.fields[items]} items"),
        TimeElapsedColumn(),
        console=console,
    ) as bar:
        yield Watch(bar)


def _wait(dashboard: Child) -> None:
    while dashboard.process is not None and dashboard.process.poll() is None:
        threading.Event().wait(0.5)
