"""``python -m dashboards``: the web process, as the supervisor starts it."""

from __future__ import annotations

import sys

import typer

from monitor.cli.options import ConfigOption, DbOption, KafkaOption, WatchlistOption, settings_of
from monitor.errors import ForeshockError
from monitor.logs import set_up


def web(
    config: ConfigOption = None,
    db: DbOption = None,
    kafka: KafkaOption = None,
    watchlist: WatchlistOption = None,
) -> None:
    """Serve the dashboard and /metrics."""
    from dashboards.app import serve

    settings = settings_of(config, db, kafka, watchlist)
    set_up(settings.log.level, settings.log.format)
    serve(
        settings.store.url,
        settings.web.host,
        settings.web.port,
        bounds=settings.notify.heartbeat.bounds(),
        plan=settings.relabel.plan(),
        bundles=settings.model.folders,
        on_ready=lambda url: typer.echo(f"dashboard: {url}", err=True),
    )


if __name__ == "__main__":
    try:
        typer.run(web)
    except ForeshockError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
