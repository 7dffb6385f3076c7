"""``stories``: the reports of a time, put together to the events that they tell."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import (
    ConfigOption,
    DbOption,
    JsonOption,
    alert_named,
    company_id,
    settings_of,
)
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from models.routing import Router
    from monitor.settings import Settings
    from monitor.stories.join import Story


def stories(
    config: ConfigOption = None,
    db: DbOption = None,
    company: Annotated[str | None, typer.Option(help="Only on this company (name or id).")] = None,
    hours: Annotated[
        float, typer.Option(min=0.1, help="How far back, from the newest article.")
    ] = 48,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d"], help="Up to when, UTC."),
    ] = None,
    least: Annotated[int, typer.Option(min=1, help="Least reports of a story.")] = 2,
    show: Annotated[
        str | None, typer.Option(help="Show the reports of this story: its id or the beginning.")
    ] = None,
    alert: Annotated[
        str | None,
        typer.Option(help="Show the stories behind this alert: its id or the beginning."),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, help="At most so many, the gravest and most reported first.")
    ] = 50,
    everybody: Annotated[
        bool, typer.Option("--all", help="Stories that name nobody watched, too.")
    ] = False,
    words: Annotated[
        bool,
        typer.Option("--words", help="Compare words only, not what titles mean to the encoder."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the stories of the last hours: copies, updates and different reports of one event as one."""
    from monitor.store import Store, articles, companies
    from monitor.store import alerts as stored
    from monitor.stories.join import GAP
    from monitor.stories.report import alerts_of, gravest_first, joined, plain

    settings = settings_of(config, db)
    with closing(Store(settings.store.url)) as store:
        names = {known.id: known.name for known in companies.load(store)}
        key = None if company is None else company_id(names, company)
        behind = None if alert is None else alert_named(store, alert)
        if behind is None:
            end = until.replace(tzinfo=UTC) if until else articles.newest(store)
            start = None if end is None else end - timedelta(hours=hours)
        else:
            start, end = behind.started_at - GAP, behind.updated_at + GAP
        if start is None or end is None:
            typer.echo("no articles yet")
            return
        end += timedelta(microseconds=1)
        with store.read() as connection:
            items = articles.published(connection, start, end, key)
            told = stored.updated_since(connection, start)
        alerts = {e.article_id: each.id for each in told for e in each.evidence}
        found = joined(items, settings.story.pack, None if words else _router(settings))
        if behind is not None:
            proof = {item.article_id for item in behind.evidence}
            found = [story for story in found if any(id_ in proof for id_, _ in story.articles)]
        elif show is not None:
            chosen = [story for story in found if story.id.startswith(show)]
            if len(chosen) != 1:
                raise ConfigError(
                    f"--show {show}: {len(chosen)} stories of that time begin with that"
                )
            found = chosen
        else:
            found = [
                story
                for story in found
                if len(story.articles) >= least and (everybody or story.company_ids)
            ]
            found = gravest_first(found)
        by_key = {(item.article.id, item.article.revision): item for item in items}
        if as_json:
            rows = [plain(story, end, alerts) for story in found[:limit]]
            typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
            return
        for story in found[:limit]:
            typer.echo(_line(story, names, end))
            for alert_id in alerts_of(story, alerts):
                typer.echo(f"      alert {alert_id[:8]}")
            for place in story.articles if show or behind else ():
                article = by_key[place].article
                typer.echo(
                    f"      - {article.published_at:%d %b %H:%M} {article.publisher}: {article.title}"
                )
        if not found:
            typer.echo("no story of that kind")


def _router(settings: Settings) -> Router:
    from models.routing import Router

    model = settings.model
    return Router.load(model.folders, model.engine, model.threads)


def _line(story: Story, names: dict[str, str], now: datetime) -> str:
    who = (
        ", ".join(names.get(company, company) for company in story.company_ids[:4])
        or "nobody watched"
    )
    what = (
        "no risk event"
        if story.event is None
        else f"{story.event.replace('_', ' ')} ({story.stage})"
    )
    reports, voices = len(story.articles), len(story.publishers)
    return (
        f"{story.id[:8]}  {story.first_at:%d %b %H:%M} to {story.last_at:%d %b %H:%M}"
        f"{' (open)' if story.is_open(now) else ''}  {reports} report{'s' * (reports != 1)} from {voices} "
        f"independent publisher{'s' * (voices != 1)}  [{story.severity}/5] {who}: {what}\n      {story.title}"
    )


COMMANDS = (stories,)
