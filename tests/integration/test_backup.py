"""Backup of the embedded store and log while news comes in, and what a restore goes on from."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.cli import app
from monitor.pipeline import ARTICLES
from tests.support.running import Running

ROUNDS, AT_ONCE = 40, 10


def foreshock(folder: Path, *arguments: object) -> Result:
    config = folder / "foreshock.toml"
    config.parent.mkdir(exist_ok=True)
    config.write_text(
        f"[store]\nurl = 'sqlite:///{folder / 'store.db'}'\n[stream]\npath = '{folder / 'log'}'\n",
        "utf-8",
    )
    return CliRunner().invoke(app, ["db", *map(str, arguments), "--config", str(config)])


def titles(number: int) -> list[str]:
    return [f"Acme profit falls, item {number * AT_ONCE + n}" for n in range(AT_ONCE)]


def appended(running: Running) -> int:
    return sum(lag.end for lag in running.outside.broker.lag("classify", ARTICLES).values())


def test_a_backup_under_load_goes_on_elsewhere(tmp_path: Path) -> None:
    """Nothing that was appended is missing, nothing counts twice, and the end is the same."""
    live = Running(tmp_path / "live")
    began = threading.Event()

    def load() -> None:
        for number in range(ROUNDS):
            live.publish(*titles(number))
            if number == 5:
                began.set()

    thread = threading.Thread(target=load)
    thread.start()
    try:
        assert began.wait(30)
        before = appended(live)
        made = foreshock(tmp_path / "live", "backup", tmp_path / "backup")
        assert made.exit_code == 0, made.output
        thread.join()
        live.until(lambda: len(live.stored()) == ROUNDS * AT_ONCE)
        whole = live.digest()
    finally:
        thread.join()
        live.service.close()
    refused = foreshock(tmp_path / "live", "backup", tmp_path / "backup")
    assert "not empty" in str(refused.exception)

    put = foreshock(tmp_path / "other", "restore", tmp_path / "backup")
    assert put.exit_code == 0, put.output
    other = Running(tmp_path / "other")
    try:
        there = appended(other)
        assert before <= there < ROUNDS * AT_ONCE
        other.until(lambda: len(other.stored()) == there)
        assert other.digest().buckets_match
        for number in range(ROUNDS):
            other.publish(*titles(number))
        other.until(lambda: len(other.stored()) == ROUNDS * AT_ONCE)
        found = other.digest()
        assert (found.ids, found.labels, found.buckets_match) == (whole.ids, whole.labels, True)
    finally:
        other.service.close()


def test_what_is_no_whole_backup_is_refused_and_nothing_is_overwritten(tmp_path: Path) -> None:
    running = Running(tmp_path / "live")
    running.service.close()
    assert foreshock(tmp_path / "live", "backup", tmp_path / "backup").exit_code == 0
    assert json.loads((tmp_path / "backup" / "backup.json").read_text())["schema"]

    there = foreshock(tmp_path / "live", "restore", tmp_path / "backup")
    assert "there already" in str(there.exception)
    assert foreshock(tmp_path / "live", "restore", tmp_path / "backup", "--force").exit_code == 0

    copy = tmp_path / "backup" / "store.db"
    data = copy.read_bytes()
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    newer = foreshock(tmp_path / "other", "restore", tmp_path / "backup")
    assert "schema 9999, which this version does not know" in str(newer.exception)
    assert not (tmp_path / "other" / "store.db").exists()
    (tmp_path / "live" / "log").rename(tmp_path / "live" / "elsewhere")
    nothing = foreshock(tmp_path / "live", "backup", tmp_path / "backup-2")
    assert "nothing there to back up" in str(nothing.exception)
    (tmp_path / "backup" / "store.db").write_bytes(data[: len(data) // 2])
    for folder in (tmp_path / "backup", tmp_path / "nothing"):
        wrong = foreshock(tmp_path / "other", "restore", folder)
        assert wrong.exit_code != 0
        assert str(folder) in str(wrong.exception)
        assert not (tmp_path / "other" / "store.db").exists()


def test_servers_have_their_own_ways(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["db", "backup", str(tmp_path / "x"), "--db", "postgresql://nobody@127.0.0.1:1/x"]
    )
    assert "pg_dump" in str(done.exception)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
