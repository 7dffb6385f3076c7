"""A backtest by the command line: the figures, the report, and that a second run gives the same."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor.cli import app
from tests.integration.news import write_news, write_watchlist

ROWS = 600


def run(*arguments: str) -> str:
    found = CliRunner().invoke(app, [*arguments])
    assert found.exit_code == 0, found.output
    return found.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backtest")
    write_watchlist(folder / "watchlist.csv")
    write_news(folder / "news.csv", ROWS)
    rows = (folder / "news.csv").read_text("utf-8").splitlines()[1:]
    recall = next(row for row in rows if "Corvane Motors recalls" in row)
    at, title = recall.split(",", 1)[0], recall.rsplit(",", 1)[1]
    (folder / "events.csv").write_text(
        "entity,kind,first_headline_at,first_headline\n"
        f"Corvane Motors,product recall,{at},{title}\n"
        "Corvane Motors,bank run,2031-01-01T00:00:00Z,never\n",
        "utf-8",
    )
    return folder


def backtest(folder: Path, out: str) -> dict[str, Any]:
    said = run(
        "backtest",
        *("--feed", str(folder / "news.csv"), "--watchlist", str(folder / "watchlist.csv")),
        *("--events", str(folder / "events.csv"), "--out", str(folder / out)),
        *("--cache", str(folder / "predictions.db"), "--json"),
    )
    found: dict[str, Any] = json.loads(said[said.index("{") :])
    return found


def test_figures_report_and_verdicts(folder: Path) -> None:
    first = backtest(folder, "one")
    assert (first["articles"], first["events"], first["detected"]) == (ROWS, 1, 1)
    assert first["repeats"] == 0
    assert first["alerts"] > 1
    assert list(first["windows"]) == ["news"]
    report = (folder / "one" / "report.html").read_text("utf-8")
    assert "Corvane Motors: product recall" in report
    assert "<svg" in report
    assert not re.search(r"(?:src|href)=", report)  # it loads nothing

    assert backtest(folder, "two") == first
    written = [(folder / out / "backtest.json").read_bytes() for out in ("one", "two")]
    assert written[0] == written[1]

    shown = run("review", str(folder / "one"), "--sample", "2", "--show")
    ids = re.findall(r"([0-9a-f]{8})\)", shown)
    assert len(ids) == 2
    judge = [f"--verdict={ids[0]}=true", f"--verdict={ids[1]}=false:routine"]
    run("review", str(folder / "one"), "--sample", "2", *judge)
    found = json.loads(run("review", str(folder / "one"), "--sample", "2", "--json"))
    assert (found["judged"], found["true"], found["precision"]) == (2, 1, 0.5)
    assert backtest(folder, "one") == first
    assert "routine" in (folder / "one" / "report.html").read_text("utf-8")


def test_what_is_missing_is_said(folder: Path) -> None:
    found = CliRunner().invoke(app, ["backtest", "--watchlist", str(folder / "watchlist.csv")])
    assert "name recorded news with --feed" in str(found.exception)
