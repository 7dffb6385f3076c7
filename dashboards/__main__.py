"""``python -m dashboards``: the web process, as the supervisor starts it."""

from __future__ import annotations

import sys
from contextlib import closing

import typer

from monitor.cli.options import (
    ConfigOption,
    DbOption,
    KafkaOption,
    WatchlistOption,
    name_of,
    settings_of,
)
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
    from dashboards.desk import Desk
    from monitor.access.signing import FIRST, first_admin
    from monitor.store import Store
    from monitor.store.clock import time_of

    settings = settings_of(config, db, kafka, watchlist)
    set_up(settings.log.level, settings.log.format)

    def ready(url: str) -> None:
        if settings.web.login and settings.web.passwords:
            with closing(Store(settings.store.url)) as store:
                password = first_admin(store, time_of(store))
            if password is not None:  # to the console only: a log is kept, and read by others
                said = f"first start: sign in as {FIRST} with {password} and change it"
                typer.echo(said, err=True)
        typer.echo(f"dashboard: {url}", err=True)

    if settings.web.login:
        Store(settings.store.url).close()  # who signs in is asked for there
    serve(
        Desk(
            store_url=settings.store.url,
            login=settings.web.login,
            analyst=name_of(None),
            session_hours=settings.web.session_hours,
            open_metrics=settings.web.open_metrics,
            settings=settings,
            bounds=settings.notify.heartbeat.bounds(),
        ),
        settings.web.host,
        settings.web.port,
        on_ready=ready,
    )


if __name__ == "__main__":
    try:
        typer.run(web)
    except ForeshockError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
