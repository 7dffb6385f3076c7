"""``privacy``: erase texts for good, and delete what is past its time."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import Annotated

import typer

from monitor.cli.options import ByOption, ConfigOption, DbOption, name_of, settings_of, told
from monitor.errors import ConfigError

SHOWN = 20
MOST = 10_000

privacy_app = typer.Typer(
    name="privacy",
    help="Erase texts for good, and delete what is past its time.",
    no_args_is_help=True,
)

_YesOption = Annotated[
    bool, typer.Option("--yes", help="Do it; without this it is only said what would be done.")
]


@privacy_app.command()
def erase(
    articles: Annotated[
        list[str] | None, typer.Argument(help="Articles: their ids or the beginnings.")
    ] = None,
    containing: Annotated[
        str | None, typer.Option(help="Every article with this in its title, lead or author.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the audit; do not name the person.")] = "",
    yes: _YesOption = False,
    by: ByOption = None,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Erase the text of articles, and what alerts and messages quote of them; it cannot be undone.

    Ids, labels, counts and trends stay. The article does not come in again. Streams forget it after
    stream.retention_days; backups, exports and sent messages have it still.
    """
    with told():
        from monitor.cli.label_files import article_of
        from monitor.store import Store, erasure
        from monitor.store import articles as stored
        from monitor.store.clock import time_of

        if not articles and not containing:
            raise ConfigError("name articles, or say --containing TEXT")
        with closing(Store(settings_of(config, db).store.url)) as store:
            with store.read() as connection:
                ids = [article_of(connection, each).article.id for each in articles or ()]
                if containing:
                    ids += erasure.containing(connection, containing, MOST + 1)
                ids = list(dict.fromkeys(ids))
                titles = [item.article.title for item in stored.current(connection, ids[:SHOWN])]
            if len(ids) > MOST:
                raise ConfigError(f"more than {MOST:,} articles have that; say more of it")
            for title in titles:
                typer.echo(title)
            if len(ids) > SHOWN:
                typer.echo(f"... and {len(ids) - SHOWN:,} more")
            if not yes:
                typer.echo(f"{len(ids):,} articles would be erased; add --yes to do it")
                return
            now = time_of(store)
            with store.write() as connection:
                done = erasure.erase(connection, ids, name_of(by), now, reason)
    typer.echo(f"{len(done):,} articles erased")


@privacy_app.command()
def retain(
    days: Annotated[int, typer.Option(min=1, help="Keep articles published in the last so many.")],
    yes: _YesOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Delete older articles now, as store.article_days does every hour.

    What an alert tells of or has a label stays, and so do counts and trends.
    """
    with told():
        from monitor.store import Store, retention
        from monitor.store.clock import time_of

        with closing(Store(settings_of(config, db).store.url)) as store:
            before = time_of(store) - timedelta(days=days)
            if not yes:
                with store.read() as connection:
                    count = retention.past(connection, before)
                typer.echo(
                    f"{count:,} articles published before {before:%Y-%m-%d} would be deleted; "
                    "add --yes to do it"
                )
                return
            count = retention.expire(store, before)
    typer.echo(f"{count:,} articles deleted")
