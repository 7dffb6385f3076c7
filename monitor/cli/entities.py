"""``entities``: what the resolver finds in a text, how well it finds it, watchlists out of lists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import JsonOption, told

if TYPE_CHECKING:
    from monitor.entities.evaluation import Figures, Tagged
    from monitor.entities.resolver import Found
    from monitor.entities.watchlist import Watchlist

entities_app = typer.Typer(
    name="entities", help="Companies: find, evaluate, import.", no_args_is_help=True
)

_WatchlistOption = Annotated[
    Path, typer.Option("--watchlist", help="CSV of companies, a column `name` at least.")
]


class ListFormat(StrEnum):
    """`monitor.entities.lists.FORMATS`, for the command line."""

    SEC = "sec"
    SP500 = "sp500"
    EXCHANGE = "exchange"
    A_SHARE = "a-share"


@entities_app.command()
def evaluate(
    file: Annotated[Path, typer.Argument(help="csv or jsonl with named columns, or .gz.")],
    watchlist: _WatchlistOption,
    truth: Annotated[str, typer.Option(help="Column of the tags, joined by a bar.")],
    text: Annotated[
        list[str],
        typer.Option(help="Column of the texts: the title, then the lead; say it once or twice."),
    ],
    id_column: Annotated[
        str,
        typer.Option("--id", help="Column of the watchlist that the tags are of, `ric` say."),
    ] = "ric",
    name: Annotated[str, typer.Option(help="Column of the watchlist with the names.")] = "name",
    untagged: Annotated[
        Path | None,
        typer.Option(help="CSV to write: companies found and not tagged, to be read by a person."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """How many of the companies that someone tagged are found, and how many found are tagged.

    Rows of the watchlist that name one company are its listings and count as one. Publishers tag
    the main companies of a text only, so the share of found ones that are tagged is a lower bound:
    read those of `--untagged`.
    """
    with told():
        from monitor.entities.evaluation import evaluate as measure
        from monitor.entities.resolver import Resolver
        from monitor.entities.watchlist import load_listings
        from monitor.errors import ConfigError

        if len(text) > 2:
            raise ConfigError(f"--text is given {len(text)} times; give the title, then the lead")
        listings = load_listings(watchlist, id_column, name)
        figures = measure(Resolver(listings.companies), _tagged(file, text, truth), listings.ids)
        if untagged is not None:
            _write_untagged(untagged, figures, listings)
    if as_json:
        typer.echo(json.dumps(_figures(figures)))
    else:
        _show(figures, untagged)


@entities_app.command()
def find(
    text: Annotated[str, typer.Argument(help="A title, or any text.")],
    watchlist: _WatchlistOption,
    lead: Annotated[str, typer.Option(help="The lead below the title.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Which companies a text names, where, and why each counts."""
    with told():
        from monitor.entities import Resolver, load_watchlist

        watched = load_watchlist(watchlist)
        found = Resolver(watched.companies).find(text, lead)
    texts = {"title": text, "lead": lead}
    if as_json:
        typer.echo(json.dumps([_told(each, texts, watched) for each in found], ensure_ascii=False))
        return
    if not found:
        typer.echo("no company of the watchlist is named")
    for each in found:
        told_of = _told(each, texts, watched)
        above = watched.ancestors(each.mention.company_id)
        typer.echo(
            f"{told_of['field']} {told_of['start']}-{told_of['end']}  {told_of['text']!r} is "
            f"{told_of['company_id']}: {each.why}; {told_of['relevance']}"
            + (f"; belongs to {', '.join(above)}" if above else "")
        )


@entities_app.command("import")
def import_list(
    file: Annotated[Path, typer.Argument(help="The list as its publisher gives it, or .gz.")],
    format: Annotated[
        ListFormat,
        typer.Option(
            help="sec: company_tickers.json; sp500: constituents as CSV; exchange: the full tickers "
            "of a US exchange as JSON; a-share: ts_code, name, industry, status as CSV."
        ),
    ],
    out: Annotated[Path, typer.Option(help="CSV to write: a watchlist.")],
) -> None:
    """Write a watchlist out of a list of companies: one row each, however many shares it has."""
    with told():
        from monitor.entities.lists import read_list, write_watchlist

        companies = read_list(file, format.value)
        write_watchlist(out, companies)
    typer.echo(f"{out}: {len(companies)} companies")


def _told(found: Found, texts: dict[str, str], watched: Watchlist) -> dict[str, object]:
    mention = found.mention
    return {
        "company_id": mention.company_id,
        "field": mention.field,
        "start": mention.start,
        "end": mention.end,
        "text": texts[mention.field][mention.start : mention.end],
        "relevance": mention.relevance,
        "why": found.why,
        "ancestors": list(watched.ancestors(mention.company_id)),
    }


def _tagged(file: Path, texts: list[str], truth: str) -> Iterator[Tagged]:
    from models.dataset.rows import read_table
    from monitor.entities.evaluation import Tagged

    table = read_table(file)
    columns = [table.column(name) for name in texts]
    leads = columns[1] if len(columns) > 1 else [""] * len(columns[0])
    rows = zip(table.lines, columns[0], leads, table.column(truth), strict=True)
    for line, title, lead, tags in rows:
        codes = frozenset(code for part in tags.split("|") if (code := part.strip()))
        yield Tagged(line, title, lead, codes)


def _figures(figures: Figures) -> dict[str, float | int | None]:
    def rounded(share: float | None) -> float | None:
        return None if share is None else round(share, 4)

    return {
        "n": figures.n,
        "recall": rounded(figures.recall),
        "tagged_precision": rounded(figures.tagged_precision),
        "tagged": figures.tagged,
        "found": figures.found,
        "found_untagged": len(figures.untagged),
        "tags_not_on_watchlist": figures.unknown,
    }


def _show(figures: Figures, untagged: Path | None) -> None:
    def share(value: float | None) -> str:
        return "-" if value is None else f"{value:.4f}"

    typer.echo(f"{figures.n} texts, {figures.tagged} tags of companies on the watchlist")
    typer.echo(f"recall            {share(figures.recall)}  tagged companies that were found")
    typer.echo(
        f"tagged precision  {share(figures.tagged_precision)}  found companies that are tagged"
    )
    if figures.unknown:
        typer.echo(f"{figures.unknown} tags are of no company on the watchlist and do not count")
    if untagged is not None:
        typer.echo(f"{len(figures.untagged)} found and not tagged: {untagged}")


def _write_untagged(path: Path, figures: Figures, listings: Watchlist) -> None:
    from models.dataset.rows import write_table

    names = {company.id: company.name for company in listings.companies}
    columns = ("line", "company", "codes", "field", "quote")
    write_table(
        path,
        columns,
        (
            {
                "line": str(each.row.line),
                "company": names[each.mention.company_id],
                "codes": "|".join(sorted(listings.ids[each.mention.company_id])),
                "field": each.mention.field,
                "quote": each.quote,
            }
            for each in figures.untagged
        ),
    )
