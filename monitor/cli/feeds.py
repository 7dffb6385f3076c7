"""``feeds``: what is read and how it is, lists of feeds in and out, and feeds to begin with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import ConfigOption, JsonOption, settings_of, told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.collect.feed_lists import ListedFeed
    from monitor.collect.source import SourceConfig

feeds_app = typer.Typer(
    name="feeds",
    help="Sources: list, check, import and export, feeds to begin with.",
    no_args_is_help=True,
)

_ToOption = Annotated[
    Path | None,
    typer.Option("--to", help="Add them to this settings file; without, they are only printed."),
]


@feeds_app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the configured sources: name, kind, language, seconds between visits, credibility, place."""
    with told():
        from monitor.collect.sources import credibility

        sources = _sources(config)
        rows = [(source, credibility(source)) for source in sources]
    if as_json:
        keys = ("name", "kind", "location", "language", "publisher", "interval_s", "articles")
        found = [
            {**{key: getattr(source, key) for key in keys}, "credibility": believed}
            for source, believed in rows
        ]
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    for source, believed in rows:
        typer.echo(
            f"{source.name}\t{source.kind}\t{source.language or '-'}\t{source.interval_s:g}\t"
            f"{believed:g}\t{source.location or '-'}"
        )
    typer.echo(f"{len(rows)} sources")


@feeds_app.command()
def check(
    place: Annotated[
        str, typer.Argument(help="Address or path; or the name of a source in the settings.")
    ],
    kind: Annotated[str, typer.Option(help="Kind of source; see the reference.")] = "feed",
    articles: Annotated[
        bool, typer.Option("--articles", help="Also fetch the page of each item for its text.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Visit a source once, and say what it gives and what is wrong with it. Nothing is kept.

    Exits with 1 when there is nothing to read.
    """
    with told():
        from monitor.alert.explain import span
        from monitor.clock import SystemClock
        from monitor.collect.checkup import check as visit
        from monitor.collect.source import SourceConfig
        from monitor.collect.sources import open_source, options_of

        settings = settings_of(config, None)
        named = {source.name: source for source in settings.sources}
        if place in named:
            wanted = named[place].config()
        else:
            wanted = SourceConfig("check", kind, place, articles=articles, options=options_of(kind))
        source = open_source(wanted)
        try:
            found = visit(source, settings.dates.rules(), SystemClock().now())
        finally:
            source.close()
    if as_json:
        rows = {
            "good": found.good,
            "took_s": round(found.took_s, 3),
            "items": len(found.articles),
            "repeats": found.repeats,
            "unusable": dict(found.dead),
            "languages": dict(found.languages),
            "newest_at": found.newest_at.isoformat() if found.newest_at else None,
            "oldest_at": found.oldest_at.isoformat() if found.oldest_at else None,
            "cadence_s": found.cadence.total_seconds() if found.cadence else None,
            "troubles": list(found.troubles),
            "titles": [article.title for article in found.articles[:5]],
        }
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        raise typer.Exit(0 if found.good else 1)
    if found.failure is None:
        languages = ", ".join(f"{name} {count}" for name, count in found.languages.most_common())
        typer.echo(f"{len(found.articles)} items in {found.took_s:.1f} s; {languages or '-'}")
    if found.newest_at and found.oldest_at:
        every = f", one every {span(found.cadence)}" if found.cadence else ""
        typer.echo(
            f"{found.oldest_at:%Y-%m-%d %H:%M} to {found.newest_at:%Y-%m-%d %H:%M} UTC{every}"
        )
    for article in found.articles[:5]:
        typer.echo(f"    {article.published_at:%m-%d %H:%M}  {article.publisher}  {article.title}")
    for trouble in found.troubles:
        typer.echo(f"- {trouble}")
    if not found.troubles:
        typer.echo("nothing is wrong with it")
    raise typer.Exit(0 if found.good else 1)


@feeds_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="OPML, as feed readers export it.")],
    config: ConfigOption = None,
    to: _ToOption = None,
) -> None:
    """Make sources of the feeds in an OPML file; those that are sources already are left out."""
    with told():
        from monitor.collect.feed_lists import read_opml
        from monitor.errors import ConfigError

        try:
            data = file.read_bytes()
        except OSError as error:
            raise ConfigError(f"{file}: {error.strerror}") from None
        _add(read_opml(data, str(file)), config, to)


@feeds_app.command("export")
def export(
    config: ConfigOption = None,
    out: Annotated[Path | None, typer.Option(help="File to write; else printed.")] = None,
) -> None:
    """Write the configured feeds as OPML, for feed readers and other Foreshocks."""
    with told():
        from monitor.collect.feed_lists import write_opml

        text = write_opml(_sources(config))
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_text(text, "utf-8")
        typer.echo(f"wrote {out}")


@feeds_app.command("starter")
def starter(
    names: Annotated[list[str] | None, typer.Argument(help="Of the list; by default all.")] = None,
    language: Annotated[
        str | None, typer.Option(help="Only those in this language: en, zh.")
    ] = None,
    config: ConfigOption = None,
    to: _ToOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show public finance feeds to begin with, and on which terms; --to adds those chosen to a settings file.

    None is read before that. Look at the terms of each publisher first.
    """
    with told():
        from monitor.collect.feed_lists import starter as listed
        from monitor.errors import ConfigError

        known = {feed.name: feed for feed in listed()}
        unknown = [name for name in names or () if name not in known]
        if unknown:
            raise ConfigError(f"{', '.join(unknown)}: not in the list; it has {', '.join(known)}")
        chosen = [known[name] for name in names or known]
        chosen = [feed for feed in chosen if language in (None, feed.language)]
        if not chosen:
            raise ConfigError(f"--language {language}: none; the list has en and zh")
        if to is not None:
            _add(chosen, config, to)
            return
    if as_json:
        keys = ("name", "location", "language", "publisher", "credibility", "about", "licence")
        found = [{key: getattr(feed, key) for key in keys} for feed in chosen]
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    for feed in chosen:
        typer.echo(
            f"{feed.name}\t{feed.language}\t{feed.credibility:g}\t{feed.about}\t{feed.licence}"
        )
    typer.echo(
        f"{len(chosen)} feeds; none is read before `foreshock feeds starter NAME --to foreshock.toml`"
    )


def _sources(config: Path | None) -> list[SourceConfig]:
    return [source.config() for source in settings_of(config, None).sources]


def _add(feeds: Iterable[ListedFeed], config: Path | None, to: Path | None) -> None:
    """Print feeds as sources, or add them to a settings file that is still whole afterwards."""
    from monitor.collect.feed_lists import as_toml, new_feeds
    from monitor.settings import load_settings

    before = to.read_text("utf-8") if to is not None and to.exists() else ""
    if to is None:
        sources = _sources(config)
    else:
        sources = [each.config() for each in load_settings(to).sources] if before else []
    new, known = new_feeds(feeds, sources)
    text = as_toml(new)
    if to is None:
        typer.echo(text)
        typer.echo(f"{len(new)} new sources, {len(known)} known already", err=True)
        return
    if new:
        whole = f"{before.rstrip()}\n{text}\n".lstrip()
        draft = to.with_name(f".{to.name}.new")
        draft.write_text(whole, "utf-8")
        try:
            load_settings(draft)
            draft.replace(to)
        finally:
            draft.unlink(missing_ok=True)
    typer.echo(f"{to}: {len(new)} new sources, {len(known)} known already")
