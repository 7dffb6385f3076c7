"""``run``, ``demo`` and ``replay``: news through the pipeline."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import (
    ConfigOption,
    DbOption,
    JsonOption,
    KafkaOption,
    StagesOption,
    WatchlistOption,
    settings_of,
    stages_of,
)
from monitor.errors import ConfigError
from monitor.signals import DRAIN_S, stopping

if TYPE_CHECKING:
    from monitor.probe import Probe
    from monitor.replay import Outcome
    from monitor.service import Service
    from monitor.settings import Settings

STAGE_NAMES = ("collect", "classify", "aggregate", "alert", "notify")


def run(
    config: ConfigOption = None,
    db: DbOption = None,
    kafka: KafkaOption = None,
    watchlist: WatchlistOption = None,
    stages: Annotated[
        str | None,
        typer.Option(
            "--stages",
            help="Only these, separated by commas: collect, classify, aggregate, alert, notify, web.",
        ),
    ] = None,
) -> None:
    """Run the service: a supervisor, a pipeline process and a web process."""
    from monitor.supervise import Child, become

    settings = settings_of(config, db, kafka, watchlist)
    names = stages_of(stages, (*STAGE_NAMES, "web"))
    unknown = [name for name in names if name not in (*STAGE_NAMES, "web")]
    if unknown:
        known = ", ".join((*STAGE_NAMES, "web"))
        raise ConfigError(f"--stages: no stage {', '.join(unknown)}; stages are {known}")
    if "collect" in names and not settings.sources:
        raise ConfigError(
            "no sources: add [[sources]] with name, kind and location to foreshock.toml "
            "(deploy/docs/reference.md shows how), or run `foreshock demo`"
        )
    arguments: list[str] = []
    given = {"--config": config, "--db": db, "--kafka": kafka, "--watchlist": watchlist}
    for option, value in given.items():
        arguments += [option, str(value)] if value is not None else []
    pipeline = [name for name in names if name != "web"]
    children = []
    if pipeline:
        worker = ["pipeline", *arguments, "--stages", ",".join(pipeline)]
        children.append(Child("pipeline", "monitor.cli", worker))
    if "classify" in names and settings.retrain.has_occasions:
        children.append(Child("retrain", "monitor.cli", ["retrain", "watch", *arguments]))
    if "web" in names:
        children.append(Child("web", "dashboards", arguments))
    become(children, settings.log.level, settings.log.format)


def pipeline(
    config: ConfigOption = None,
    db: DbOption = None,
    kafka: KafkaOption = None,
    watchlist: WatchlistOption = None,
    stages: StagesOption = None,
) -> None:
    """Run stages in this process, without a supervisor."""
    from monitor.garbage import settle
    from monitor.service import Service, open_outside

    settings = settings_of(config, db, kafka, watchlist)
    _log(settings.log.level, settings.log.format)
    service = Service(open_outside(settings), stages_of(stages, STAGE_NAMES))
    with stopping(service.stop.set, DRAIN_S):
        service.start()
        probe = _probe(service, settings)
        settle()
        try:
            while not service.stop.wait(0.5) and service.running:
                pass
        finally:
            service.close()
            if probe is not None:
                probe.close()
        service.join()


def _probe(service: Service, settings: Settings) -> Probe | None:
    """Open the port on which this process is watched, where the settings name one."""
    from monitor.metrics import exposition
    from monitor.probe import Probe

    if settings.metrics.port is None:
        return None
    registry = service.outside.metrics.registry
    where = (settings.metrics.host, settings.metrics.port)
    return Probe(*where, service.ages, tuple(service.stages), lambda: exposition(registry))


def replay(
    file: Annotated[Path, typer.Argument(help="csv(.gz) or jsonl(.gz) of recorded news.")],
    config: ConfigOption = None,
    db: DbOption = None,
    kafka: KafkaOption = None,
    watchlist: WatchlistOption = None,
    speed: Annotated[
        str, typer.Option(help="max, or how many times as fast as it happened (60, 3600).")
    ] = "max",
    language: Annotated[
        str, typer.Option(help="ISO 639-1 code of the items, or auto to tell it from each text.")
    ] = "en",
    publisher: Annotated[
        str | None, typer.Option(help="Publisher of items that do not say; default: the URL's.")
    ] = None,
    stages: StagesOption = None,
    notify: Annotated[
        bool, typer.Option("--notify", help="Send notifications; else they are only recorded.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run recorded news through the pipeline, in the time it happened.

    Ends when everything that follows is stored, with {read, articles, repeats, dead, alerts, seconds,
    items_per_s, complete}; read = articles + repeats + dead. Stopped before that, its exit status is 1.
    """
    from monitor.cli.progress import reading_bar
    from monitor.clock import ReplayClock
    from monitor.collect.replay import ReplaySource
    from monitor.replay import replay as run_replay
    from monitor.service import Service, open_outside

    source = ReplaySource.of(file, language, publisher)
    settings = settings_of(config, db, kafka, watchlist)
    _log("warning" if settings.log.level == "info" else settings.log.level, settings.log.format)
    names = stages_of(stages, STAGE_NAMES)
    if "collect" not in names:
        raise ConfigError("--stages: a replay collects; run other stages with `foreshock run`")
    outside = open_outside(settings, ReplayClock(_speed(speed)))
    service = Service(outside, names, [source], send=notify, housekeeping=False)
    try:
        with stopping(service.stop.set, DRAIN_S), reading_bar() as watch_of:
            outcome = run_replay(outside, service, watch_of(source.progress))
    finally:
        service.close()
    _print(outcome, as_json)
    if not outcome.complete:
        typer.echo(
            "stopped before its end; the same command reads on, and counts nothing twice", err=True
        )
        raise typer.Exit(1)


def demo(
    duration_s: Annotated[
        float, typer.Option("--duration", min=20, help="Seconds that the two weeks take.")
    ] = 75,
    kafka: KafkaOption = None,
    port: Annotated[int, typer.Option(help="Port of the dashboard.")] = 8501,
    feed_port: Annotated[int, typer.Option(help="Port of the demo's news sites; 0: any.")] = 0,
    leave: Annotated[
        bool, typer.Option("--exit", help="Leave when the story is told; serve no dashboard.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Watch two weeks of invented news become alerts, from real feeds on this machine.

    A bank run, a recall, a breach, an old story republished as new, and a lot of routine. The store is
    thrown away at the end; the dashboard stays up until Ctrl-C.
    """
    import os

    with tempfile.TemporaryDirectory(prefix="foreshock-demo-") as folder:
        # Before prometheus_client is imported: both processes share one /metrics.
        metrics = Path(folder) / "metrics"
        metrics.mkdir()
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
        from monitor.demo.run import run_demo

        _log("warning", "text")
        run_demo(Path(folder), duration_s, kafka, None if leave else port, feed_port, as_json)


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if speed <= 0:
        raise ConfigError(f"--speed {text}: write max, or a number above 0")
    return speed


def _log(level: str, form: str) -> None:
    from monitor.logs import set_up

    set_up(level, form)


def _print(outcome: Outcome, as_json: bool) -> None:
    fields = dataclasses.asdict(outcome)
    if as_json:
        typer.echo(json.dumps(fields))
        return
    for name, value in fields.items():
        typer.echo(f"{name:14} {value}")


COMMANDS: tuple[Callable[..., None], ...] = (run, demo, replay)
PROCESSES: tuple[Callable[..., None], ...] = (pipeline,)
