"""``trends`` and ``study``: where sentiment stands, and whether it went before prices."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.options import ConfigOption, DbOption, JsonOption, settings_of
from monitor.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from monitor.domain import Dimension, Grain
    from monitor.store import Connection

SHOWN = 40  # rows of a table for people


def trends(
    config: ConfigOption = None,
    db: DbOption = None,
    dimension: Annotated[
        str, typer.Option(help="market, company, topic, company_topic, sector or portfolio.")
    ] = "company",
    key: Annotated[
        str | None, typer.Option(help="Only this one, over time; without it all keys are ranked.")
    ] = None,
    grain: Annotated[str, typer.Option(help="day or hour.")] = "day",
    since: Annotated[
        str, typer.Option(help="A date (2026-01-31), or how far back: 30d, 48h.")
    ] = "30d",
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Show the sentiment index: one key over time, with change points and peers, or all keys ranked.

    Time is that of the news: the last bucket is the newest that holds anything.
    """
    from monitor.aggregate.baselines import load_baselines
    from monitor.aggregate.trends import HISTORY, key_trend, ranking
    from monitor.domain import Dimension, Grain
    from monitor.store import Store, buckets, companies

    if as_json and as_csv:
        raise ConfigError("--json and --csv: choose one")
    where = _choice("--dimension", dimension, Dimension)
    width = _choice("--grain", grain, Grain)
    if width is Grain.MINUTE:
        raise ConfigError("--grain minute: trends are by the hour or by the day")
    with closing(Store(settings_of(config, db).store.url)) as store:
        watched = companies.load(store)
        with store.read() as connection:
            span = buckets.span(connection)
            if span is None:
                raise ConfigError(
                    f"{store.name}: no news has been counted yet; run Foreshock first"
                )
            end = _floor(span[1], width) + timedelta(seconds=width.seconds)
            start = _start(since, end, width)
            # Of what was known before the newest day, which is judged by it.
            midnight = _floor(span[1], Grain.DAY)
            known = load_baselines(connection, midnight, HISTORY.days, [where])
            names = {company.id: company.name for company in watched}
            if key is None:
                table = ranking(connection, where, width, start, end, known)
                extra: dict[str, Any] = {}
            else:
                key = _key(where, key, names)
                table = key_trend(connection, where, key, width, start, end, known)
                sectors = {company.id: company.sector for company in watched if company.sector}
                extra = _extra(connection, where, key, start, end, sectors)
        if as_csv:
            typer.echo(table.to_csv(index=False), nl=False)
        elif as_json:
            found = {"dimension": where.value, "key": key, "grain": width.value}
            typer.echo(json.dumps({**found, "rows": _plain(table), **extra}, indent=2))
        else:
            _print(table, names, key, extra)


def study(
    prices: Annotated[
        Path,
        typer.Option(help="CSV: date; company, ticker or ric; close or return."),
    ],
    config: ConfigOption = None,
    db: DbOption = None,
    lags: Annotated[int, typer.Option(min=1, max=60, help="The farthest lag, trading days.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the bootstrap: the same gives the same.")] = 0,
    html: Annotated[Path | None, typer.Option(help="Write the report to this HTML file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare index and alerts with prices: who went first, and what alerts were followed by. No advice.

    A day's index is made of what was published before its close (settings `trends.close`, `trends.zone`).
    """
    from monitor.store import Store, companies
    from monitor.study.prices import load_prices
    from monitor.study.run import as_html, as_text
    from monitor.study.run import as_json as to_json
    from monitor.study.run import study as compare

    settings = settings_of(config, db)
    with closing(Store(settings.store.url)) as store:
        watched = companies.load(store)
        if not watched:
            raise ConfigError(
                f"{store.name}: no company is watched; set watchlist.path and run Foreshock"
            )
        given = load_prices(prices, watched)
        found = compare(store, given, settings.trends.close, settings.trends.zone, lags, seed)
        if html is not None:
            html.write_text(as_html(found), encoding="utf-8")
        typer.echo(json.dumps(to_json(found), indent=2) if as_json else as_text(found))


def _extra(
    connection: Connection,
    dimension: Dimension,
    key: str,
    start: datetime,
    end: datetime,
    sectors: dict[str, str],
) -> dict[str, Any]:
    """Return change points of the daily index and, for a company of a sector, its peers."""
    from monitor.aggregate.changes import change_points
    from monitor.aggregate.trends import key_trend, peers, ranking
    from monitor.domain import Dimension, Grain

    first = _floor(start, Grain.DAY)
    last = _floor(end - timedelta(microseconds=1), Grain.DAY) + timedelta(days=1)
    daily = key_trend(connection, dimension, key, Grain.DAY, first, last)
    changes = change_points(daily["index"].to_numpy(dtype=float))
    extra: dict[str, Any] = {"changes": [daily["start"][at].date().isoformat() for at in changes]}
    if dimension is Dimension.COMPANY and key in sectors:
        ranked = ranking(connection, dimension, Grain.DAY, first, last)
        extra["sector"] = sectors[key]
        extra["peers"] = _plain(peers(ranked, sectors, key))
    return extra


def _print(
    table: pd.DataFrame, names: dict[str, str], key: str | None, extra: dict[str, Any]
) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=max(110, Console().width))
    if not table["items"].sum():
        console.print("no data: no news in this span", markup=False)
        return
    shown = table if key is None else table.drop(columns=["low", "high", "fast", "slow"])
    shown = shown.head(SHOWN) if key is None else shown.tail(SHOWN)
    out = Table(box=None, pad_edge=False, header_style="")
    for name in shown.columns:
        out.add_column(str(name), justify="left" if name in ("key", "start") else "right")
    for row in shown.to_dict("records"):
        out.add_row(*(_cell(str(name), value, names) for name, value in row.items()))
    console.print(out)
    if len(shown) < len(table):
        console.print(f"{len(shown)} of {len(table)} rows; --csv prints all", markup=False)
    console.print("-: no data, or warming up", markup=False)
    if "changes" in extra:
        when = ", ".join(extra["changes"]) or "none found"
        console.print(f"change points of the daily index: {when}", markup=False)
    for peer in extra.get("peers", []):
        name = names.get(peer["key"], peer["key"])
        index = "no data" if peer["index"] is None else f"{peer['index']:+.2f}"
        rank = "-" if peer["index_rank"] is None else f"{peer['index_rank']:.0f}"
        line = f"{extra['sector']}: {rank} by index ({index}), {peer['volume_rank']:.0f} by volume"
        console.print(f"{line}: {name}", markup=False)


def _cell(name: str, value: Any, names: dict[str, str]) -> str:
    if name == "key":
        return names.get(value, str(value))
    if name == "start":
        return f"{value:%Y-%m-%d %H:%M}"
    if name == "items":
        return str(value)
    if math.isnan(value):
        return "-"
    return f"{value:.1f}" if name in ("reports", "expected") else f"{value:+.2f}"


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows for JSON: times as text, what is not known as null."""
    return [
        {
            str(name): value.isoformat()
            if isinstance(value, datetime)
            else None
            if isinstance(value, float) and math.isnan(value)
            else value
            for name, value in row.items()
        }
        for row in table.to_dict("records")
    ]


def _choice(option: str, text: str, kind: Any) -> Any:
    if text not in {each.value for each in kind}:
        raise ConfigError(f"{option} {text}: write one of {', '.join(each.value for each in kind)}")
    return kind(text)


def _key(dimension: Dimension, text: str, names: dict[str, str]) -> str:
    """Return a key as it is stored: a company may be given by its name."""
    from monitor.domain import Dimension

    if dimension is Dimension.COMPANY:
        return next(
            (id_ for id_, name in names.items() if name.casefold() == text.casefold()), text
        )
    return text


def _floor(moment: datetime, grain: Grain) -> datetime:
    from monitor.domain import from_micros, to_micros

    width_us = grain.seconds * 1_000_000
    return from_micros(to_micros(moment) // width_us * width_us)


def _start(text: str, end: datetime, grain: Grain) -> datetime:
    """Return the first bucket of a span that ends at ``end``."""
    units = {"d": timedelta(days=1), "h": timedelta(hours=1)}
    try:
        if text[-1:] in units:
            start = end - float(text[:-1]) * units[text[-1]]
        else:
            start = datetime.fromisoformat(text)
            start = start.replace(tzinfo=start.tzinfo or UTC)
    except (ValueError, OverflowError):
        raise ConfigError(
            f"--since {text}: write a date (2026-01-31), days (30d) or hours (48h)"
        ) from None
    if not start < end:
        raise ConfigError(f"--since {text}: the newest news is of {end:%Y-%m-%d}; go further back")
    return _floor(start, grain)


COMMANDS: tuple[Callable[..., None], ...] = (trends, study)
