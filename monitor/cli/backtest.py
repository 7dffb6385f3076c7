"""``backtest`` and ``review``: how good the alerts are, on recorded news, by events and by reading."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.backtest import REPORT, RESULT, VERDICT_FILE
from monitor.cli.options import ConfigOption, JsonOption, settings_of
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.backtest.run import Plan
    from monitor.backtest.score import Score, Window


def backtest(
    further: Annotated[
        list[Path] | None, typer.Argument(hidden=True, help="More files after one --feed.")
    ] = None,
    feed: Annotated[
        list[Path] | None,
        typer.Option(
            "--feed", help="Recorded news, csv(.gz) or jsonl(.gz); several are replayed apart."
        ),
    ] = None,
    watchlist: Annotated[
        Path | None, typer.Option("--watchlist", help="CSV of companies: name, aliases, ...")
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(
            "--events",
            help="CSV of what had to be seen: entity, kind, first_headline_at, first_headline.",
        ),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option("--rules", help="Alert rules to try, instead of those of the settings."),
    ] = None,
    config: ConfigOption = None,
    language: Annotated[
        str, typer.Option(help="ISO 639-1 code of the items, or auto to tell it from each text.")
    ] = "en",
    publisher: Annotated[
        str | None, typer.Option(help="Publisher of items that do not say; default: the URL's.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the report and the result.")
    ] = Path("backtest"),
    cache: Annotated[
        Path | None,
        typer.Option(
            help="File of kept predictions; default: predictions.db in the folder of --out."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Replay recorded news and score the alerts against events that had to be seen.

    Each feed runs through the whole pipeline, in a store that is thrown away; nothing is sent. Writes
    report.html (a timeline of every event, every alert with its evidence) and backtest.json; `review` records
    what a reader thinks of the alerts. The model's predictions are kept, so a second run is much faster. Two
    runs give the same.
    """
    from monitor.backtest.run import make_plan, outside_of_feeds, run_feed
    from monitor.backtest.score import score
    from monitor.backtest.stored import as_result
    from monitor.cli.progress import reading_bar
    from monitor.logs import set_up

    feeds = [*(feed or ()), *(further or ())]
    if not feeds or watchlist is None:
        raise ConfigError("name recorded news with --feed and the companies with --watchlist")
    set_up("warning", "text")
    settings = settings_of(
        config,
        watchlist=watchlist,
        model={"cache": cache or out / "predictions.db"},
        alert={} if rules is None else {"rules": rules},
    )
    plan = make_plan(feeds, watchlist, events, settings, language, publisher)
    out.mkdir(parents=True, exist_ok=True)
    windows = []
    for source in plan.feeds:
        with reading_bar(source.name) as watch:
            windows.append(run_feed(plan, source, watch))
    scores = {window.name: score([window], len(plan.companies)) for window in windows}
    total = score(windows, len(plan.companies))
    result = as_result(windows, scores, total)
    (out / RESULT).write_text(json.dumps(result, indent=1, ensure_ascii=False), encoding="utf-8")
    _write_report(out, plan, windows, scores, total)
    for event in outside_of_feeds(plan, windows):
        typer.echo(f"not covered by any feed: {event.entity}: {event.kind}", err=True)
    if as_json:
        typer.echo(json.dumps(result["total"] | {"windows": result["windows"]}, ensure_ascii=False))
        return
    _print(scores, total)
    typer.echo(f"\nread {out / REPORT}; judge alerts with: foreshock review {out}")


def review(
    folder: Annotated[Path, typer.Argument(help="What `backtest` wrote.")] = Path("backtest"),
    size: Annotated[
        int, typer.Option("--sample", min=1, help="Random alerts to judge; the same for one seed.")
    ] = 100,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 13,
    verdicts: Annotated[
        list[str] | None,
        typer.Option(
            "--verdict",
            help="ID=VERDICT or ID=VERDICT:NOTE, instead of asking; repeat for several. The beginning of "
            "an id is enough.",
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the sample's unread alerts.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge a random sample of a backtest's alerts, and get the precision that follows.

    Asks about one alert after the other: true (a desk would want to know), false, wrong_company or duplicate.
    Verdicts are kept in verdicts.csv beside the report, by alert, and stay when the backtest runs again.
    """
    from monitor.backtest.verdicts import load_verdicts, precision_of, sample, save_verdicts

    file = folder / RESULT
    if not file.is_file():
        raise ConfigError(f"{file}: no such file; run `foreshock backtest --out {folder}` first")
    stored = {
        alert["id"]: alert for alert in json.loads(file.read_text(encoding="utf-8"))["alerts"]
    }
    chosen = sample(stored, size, seed)
    judged = load_verdicts(folder / VERDICT_FILE)
    unread = [id_ for id_ in chosen if id_ not in judged]
    if show:
        for id_ in unread:
            typer.echo(_alert_text(stored[id_]) + "\n")
    elif verdicts:
        for given in verdicts:
            judged |= _given(given, stored)
    elif not as_json:
        for number, id_ in enumerate(unread, start=1):
            typer.echo(f"\n{_alert_text(stored[id_])}")
            judged[id_] = _ask(number, len(unread))
            save_verdicts(folder / VERDICT_FILE, judged)
    if verdicts:
        save_verdicts(folder / VERDICT_FILE, judged)
    found = precision_of([judged[id_][0] for id_ in chosen if id_ in judged])
    if as_json:
        typer.echo(json.dumps({"sample": len(chosen), **dataclasses.asdict(found)}))
    elif found.precision is not None:
        typer.echo(
            f"{found.judged} of {len(chosen)} judged: precision {found.precision:.3f} "
            f"[{found.low:.3f}, {found.high:.3f}]"
        )
        for verdict, count in found.by_verdict.items():
            typer.echo(f"  {verdict:14} {count}")


def _write_report(
    out: Path, plan: Plan, windows: list[Window], scores: Mapping[str, Score], total: Score
) -> None:
    from monitor.backtest.page import page
    from monitor.backtest.verdicts import load_verdicts

    names = {company.id: company.name for company in plan.companies}
    html = page(windows, scores, total, names, load_verdicts(out / VERDICT_FILE))
    (out / REPORT).write_text(html, encoding="utf-8")


def _print(scores: Mapping[str, Score], total: Score) -> None:
    from monitor.backtest.score import side_by_side

    columns = side_by_side(scores, total)
    typer.echo(" " * 30 + "".join(f"{name:>18.16}" for name in columns))
    for field in dataclasses.fields(total):
        values = [getattr(found, field.name) for found in columns.values()]
        if isinstance(values[0], int | float) or values[0] is None:
            cells = "".join(
                f"{'no data' if value is None else f'{value:,.6g}':>18}" for value in values
            )
            typer.echo(f"{field.name:30}{cells}")
    for family, count in total.alerts_by_family.items():
        typer.echo(f"  {family:28}{count:>18,}")
    for missed in total.missed:
        typer.echo(f"missed: {missed}")
    for kind in total.unmapped_kinds:
        typer.echo(f"no family answers the kind {kind!r}; its events count as missed", err=True)


def _alert_text(alert: Mapping[str, Any]) -> str:
    lines = [
        f"[{alert['severity']}/5] {alert['title']}  ({alert['kind']}, {alert['started_at'][:16]}, "
        f"{alert['id'][:8]})",
        *(
            f"      words: {alert['details'][key]}"
            for key in ("words", "quote")
            if alert["details"].get(key)
        ),
    ]
    for item in alert["evidence"][:6]:
        mark = f" [{item['mark']}]" if item["mark"] else ""
        lines.append(
            f"      - {item['published_at'][5:16]} {item['publisher']}: {item['title']}{mark}"
        )
    return "\n".join(lines)


def _given(text: str, stored: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    from monitor.domain import VERDICTS

    beginning, _, said = text.partition("=")
    verdict, _, note = said.partition(":")
    matches = [id_ for id_ in stored if id_.startswith(beginning)]
    if len(matches) != 1 or not beginning:
        raise ConfigError(f"--verdict {text}: {len(matches)} alerts begin with {beginning!r}")
    if verdict not in VERDICTS:
        raise ConfigError(f"--verdict {text}: write ID= and one of {', '.join(VERDICTS)}")
    return {matches[0]: (verdict, note.strip())}


def _ask(number: int, of: int) -> tuple[str, str]:
    from monitor.domain import VERDICTS

    keys = {name[0]: name for name in VERDICTS}
    said = ", ".join(f"{key} = {name}" for key, name in keys.items())
    while True:
        answer: str = typer.prompt(f"{number}/{of}  {said}").strip().casefold()
        if answer in VERDICTS or answer in keys:
            return keys.get(answer, answer), ""
        typer.echo("write one of the letters; Ctrl-C leaves, what you said is kept")


COMMANDS: tuple[Callable[..., None], ...] = (backtest, review)
