"""The watchlist is changed while the service runs: whom it watches, what is stored, and what is told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.cli import app
from monitor.store import alerts
from tests.support.running import Running

FIRST = "name,aliases,groups\nAldermoor Airways,Aldermoor,core\nCorvane Motors,Corvane,core\n"
LATER = "name,aliases,groups\nCorvane Motors,Corvane,loans\nEastmarch Oil,Eastmarch,loans\n"
TITLES = (
    "Aldermoor shares fall after profit warning",
    "Corvane wins suit against Eastmarch",
    "Eastmarch files for bankruptcy",
    "Corvane recalls thousands of cars over fire risk",
    "Gold steady as traders wait",
)


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.reload.LOOK_EVERY", timedelta(seconds=0.1))
    monkeypatch.setattr("monitor.watching.LOOK_EVERY", timedelta(seconds=0.1))


@pytest.fixture
def run() -> Iterator[Callable[[Path, Path | None], Running]]:
    running: list[Running] = []

    def start(folder: Path, path: Path | None) -> Running:
        running.append(Running(folder, watchlist={"path": path}))
        return running[-1]

    yield start
    for each in running:
        each.service.close()


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def foreshock(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_changed_file_is_taken_and_stored_news_read_again(
    tmp_path: Path, run: Callable[[Path, Path | None], Running]
) -> None:
    path = write(tmp_path / "watchlist.csv", FIRST)
    live = run(tmp_path / "live", path)
    at = datetime.now(UTC) - timedelta(hours=1)
    live.publish(*TITLES, at=at)
    live.until(lambda: len(live.named()) == len(TITLES))
    assert live.named()[TITLES[1]] == {"corvane-motors"}

    write(path, "name\n\n,,\n")  # wrong: what was read before stays
    time.sleep(0.5)
    live.publish("Aldermoor names new chief", at=at)
    live.until(lambda: live.named().get("Aldermoor names new chief") == {"aldermoor-airways"})

    told = len(alerts.latest(live.store))
    write(path, LATER)
    live.until(lambda: live.named()[TITLES[2]] == {"eastmarch-oil"})
    live.until(lambda: not any("aldermoor-airways" in each for each in live.named().values()))
    assert live.named()[TITLES[1]] == {"corvane-motors", "eastmarch-oil"}
    assert len(alerts.latest(live.store)) == told, "old news of a new company alarms nobody"
    live.publish("Eastmarch recalls product over fire risk", at=at)

    # As if the later watchlist had been there from the beginning: also towards whom, and on which lists.
    fresh = run(tmp_path / "fresh", path)
    fresh.publish(*TITLES, at=at)
    for title in ("Aldermoor names new chief", "Eastmarch recalls product over fire risk"):
        fresh.publish(title, at=at)
    fresh.until(lambda: len(fresh.named()) == len(live.named()) == len(TITLES) + 2)
    live.until(lambda: live.named() == fresh.named())
    assert live.digest().buckets_match
    assert live.digest() == fresh.digest()


def test_what_is_loaded_reaches_those_without_a_file(
    tmp_path: Path, run: Callable[[Path, Path | None], Running]
) -> None:
    live = run(tmp_path / "live", None)
    db = ("--db", live.url)
    live.publish(*TITLES)
    live.until(lambda: len(live.named()) == len(TITLES))
    assert not any(live.named().values())
    first, later = (
        write(tmp_path / f"{name}.csv", text) for name, text in (("first", FIRST), ("later", LATER))
    )
    assert "no watchlist yet" in foreshock("watchlist", "list", *db).stdout
    assert "watchlist 1: 2 companies" in foreshock("watchlist", "load", first, *db).stdout
    live.until(lambda: live.named()[TITLES[0]] == {"aldermoor-airways"})

    would = json.loads(foreshock("watchlist", "check", later, *db, "--json").stdout)
    assert would == {
        "companies": 2,
        "warnings": [],
        "added": ["eastmarch-oil"],
        "removed": ["aldermoor-airways"],
        "changed": ["corvane-motors"],
    }
    shown = foreshock("watchlist", "check", later, *db).stdout
    assert "+ Eastmarch Oil (loans)" in shown
    assert "1 new, 1 gone, 1 changed" in shown
    assert foreshock("watchlist", "load", later, *db).exit_code == 0
    live.until(lambda: live.named()[TITLES[2]] == {"eastmarch-oil"})

    def read_again() -> bool:
        found = json.loads(foreshock("watchlist", "list", *db, "--json").stdout)
        return bool(found["number"] == 2 and found["articles_to_read_again"] == 0)

    live.until(read_again)
    assert "Corvane Motors (loans)" in foreshock("watchlist", "list", *db).stdout
    refused = foreshock(
        "watchlist", "load", write(tmp_path / "wrong.csv", "name\nAcme\nAcme\n"), *db
    )
    assert refused.exit_code == 2
    assert "wrong.csv:3" in refused.stderr


def test_a_followed_file_is_not_overruled(tmp_path: Path) -> None:
    file = write(tmp_path / "watchlist.csv", FIRST)
    config = write(
        tmp_path / "foreshock.toml",
        f"[watchlist]\npath = '{file}'\n[store]\nurl = 'sqlite:///{tmp_path / 'x.db'}'\n",
    )
    refused = foreshock("watchlist", "load", file, "--config", config)
    assert refused.exit_code == 2
    assert "change that file" in refused.stderr
