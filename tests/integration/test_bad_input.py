"""Bad input gives one clear message that says where and what to do; nothing else stops, nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import models.bundle
from monitor.pipeline import ARTICLES, DEADS
from monitor.stream import LocalStreamSettings, open_broker
from monitor.stream.codec import DEAD
from monitor.stream.port import Message
from tests.integration.news import write_news, write_watchlist


def foreshock(
    *arguments: str, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "monitor.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=200,
        cwd=cwd,
        env={**os.environ, **environment},
    )


BAD_ROWS = {
    "torn_row": b"2025-03-03T10:00:00Z,,https://wire.example/torn",
    "not_utf8": b"2025-03-03T10:01:00Z,,https://wire.example/bytes,Soci\xe9t\xe9 falls",
    "empty_title": b"2025-03-03T10:02:00Z,,https://wire.example/empty,  ",
    "bad_date": b"soon,,https://wire.example/date,Profit falls",
    "too_large": b"2025-03-03T10:03:00Z,,https://wire.example/large," + b"x" * 2_000_000,
}


def test_bad_rows_are_named_and_nothing_else_stops(tmp_path: Path) -> None:
    write_watchlist(tmp_path / "watchlist.csv")
    news = write_news(tmp_path / "news.csv", 40)
    good = news.read_bytes().splitlines(keepends=True)
    future = b"2099-01-01T00:00:00Z,,https://wire.example/future,Shares jump tomorrow\n"
    repeat = good[5]
    bad = [row + b"\n" for row in BAD_ROWS.values()]
    lines = [*good[:20], *bad, future, repeat, *good[20:]]
    news.write_bytes(b"".join(lines))
    db = f"sqlite:///{tmp_path}/bad.db"
    done = foreshock("replay", str(news), "--db", db, "--json")
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["read"] == 40 + len(bad) + 2
    assert (outcome["articles"], outcome["repeats"], outcome["dead"]) == (41, 1, len(bad))
    dead = dead_items(tmp_path / "bad-streams.db")
    assert sorted(item.reason.value for item in dead) == sorted(BAD_ROWS)
    for number, reason in enumerate(BAD_ROWS, 21):
        assert f"{news}:{number}: {reason}" in done.stderr
        assert f"{news}:{number}" in {item.origin for item in dead}


def dead_items(path: Path) -> list:  # type: ignore[type-arg]
    broker = open_broker(LocalStreamSettings(path))
    reader = broker.reader("test", [DEADS])
    try:
        return [DEAD.decode(record.value) for record in reader.poll(100, 1.0)]
    finally:
        reader.close()
        broker.close()


def test_an_unknown_schema_version_goes_to_dead_with_its_offset(tmp_path: Path) -> None:
    write_watchlist(tmp_path / "watchlist.csv")
    news = write_news(tmp_path / "news.csv", 40)
    db = f"sqlite:///{tmp_path}/schema.db"
    broker = open_broker(LocalStreamSettings(tmp_path / "schema-streams.db"))
    broker.create({ARTICLES: 1})
    writer = broker.writer()
    writer.append(ARTICLES, [Message("x", b'{"schema_version": 99}')])
    writer.flush()
    writer.close()
    broker.close()
    done = foreshock("replay", str(news), "--db", db, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["articles"] == 40
    (item,) = dead_items(tmp_path / "schema-streams.db")
    assert (item.reason.value, item.origin) == ("schema", f"{ARTICLES}[0]@0")
    assert "unknown schema_version 99" in item.detail


def test_an_unknown_setting_is_named_with_file_and_line(tmp_path: Path) -> None:
    config = tmp_path / "foreshock.toml"
    config.write_text('[store]\nurl = "sqlite:///x.db"\n\n[surge]\nwindow = 5\n', "utf-8")
    done = foreshock("check-config", "--config", str(config))
    assert done.returncode == 2
    assert f"{config}:5: surge.window: no such setting" in done.stderr
    assert "windows_minutes" in done.stderr
    wrong = foreshock("check-config", FORESHOCK__SURGE__WINDOWS_MINUTES="soon", cwd=tmp_path / "..")
    assert wrong.returncode == 2
    assert "FORESHOCK__SURGE__WINDOWS_MINUTES" in wrong.stderr
    unknown = foreshock("check-config", FORESHOCK__SURGES__WINDOW="5", cwd=tmp_path / "..")
    assert unknown.returncode == 2
    assert "FORESHOCK__SURGES__WINDOW" in unknown.stderr


def test_a_missing_or_changed_model_file_is_named(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(models.bundle.shipped_bundle(), bundle)
    graph = bundle / models.bundle.WEIGHTS
    graph.write_bytes(graph.read_bytes()[:-1])
    news = write_news(tmp_path / "news.csv", 5)
    options = ["replay", str(news), "--db", f"sqlite:///{tmp_path}/m.db"]
    done = foreshock(*options, FORESHOCK__MODEL__BUNDLE=str(bundle))
    assert done.returncode == 2
    assert graph.name in done.stderr
    graph.unlink()
    done = foreshock(*options, FORESHOCK__MODEL__BUNDLE=str(bundle))
    assert done.returncode == 2
    assert graph.name in done.stderr
    assert "Traceback" not in done.stderr


def test_a_busy_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = foreshock("demo", "--port", str(port))
        assert done.returncode == 2
        assert str(port) in done.stderr and "--port" in done.stderr
        done = foreshock("demo", "--exit", "--feed-port", str(port))
        assert done.returncode == 2
        assert str(port) in done.stderr
        config = tmp_path / "foreshock.toml"
        config.write_text(
            f'[store]\nurl = "sqlite:///{tmp_path}/w.db"\n[web]\nport = {port}\n', "utf-8"
        )
        done = foreshock("run", "--stages", "web", "--config", str(config))
        assert done.returncode == 2
        assert str(port) in done.stderr
        assert "Traceback" not in done.stderr


def test_an_unwritable_database_is_named(tmp_path: Path) -> None:
    news = write_news(tmp_path / "news.csv", 5)
    folder = tmp_path / "file"
    folder.write_text("not a folder")
    done = foreshock("replay", str(news), "--db", f"sqlite:///{folder}/x.db")
    assert done.returncode == 2
    assert f"{folder}/x.db" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["replay", "nowhere.csv"], "nowhere.csv: no such file"),
        (["alerts", "--state", "loud"], "--state loud"),
        (["run", "--stages", "classfy"], "classfy"),
    ],
)
def test_wrong_arguments_say_what_is_right(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    done = foreshock(*arguments, cwd=tmp_path, PYTHONPATH=str(Path(__file__).parents[2]))
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_login_an_address_that_others_can_reach_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "foreshock.toml"
    config.write_text('[web]\nhost = "0.0.0.0"\nlogin = false\n', "utf-8")
    done = foreshock("run", "--stages", "web", "--config", str(config))
    assert done.returncode == 2
    assert "loopback" in done.stderr
