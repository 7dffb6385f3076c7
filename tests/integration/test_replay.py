"""The main job: recorded news through every stage, by the command line, on the embedded log and on Kafka."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import StoreUnavailable, StreamUnavailable
from monitor.pipeline import ARTICLES
from monitor.store import Store, articles
from monitor.stream import KafkaSettings, open_broker
from tests.integration.news import write_news, write_watchlist
from tests.support.kafka import KafkaServer

ROWS = 1_500


@pytest.fixture(scope="module")
def news(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("news")
    write_watchlist(folder / "watchlist.csv")
    return write_news(folder / "news.csv", ROWS)


@pytest.fixture(scope="module")
def embedded(news: Path) -> dict[str, Any]:
    """The same news through the embedded log, once: what every other way has to come to."""
    db = f"sqlite:///{news.parent}/embedded.db"
    return {"db": db, **replay(news, "--db", db)}


def test_every_item_is_counted_once(embedded: dict[str, Any]) -> None:
    assert embedded["read"] == embedded["articles"] == ROWS
    assert embedded["repeats"] == embedded["dead"] == 0
    assert embedded["alerts"] > 0
    assert set(embedded["notifications"]) <= {"recorded", "suppressed"}


def test_a_second_run_adds_nothing(news: Path, embedded: dict[str, Any]) -> None:
    before = digest("--db", embedded["db"])
    again = replay(news, "--db", embedded["db"])
    assert (again["read"], again["articles"], again["repeats"]) == (ROWS, 0, ROWS)
    assert again["alerts"] == 0
    assert again["notifications"] == {}
    assert digest("--db", embedded["db"]) == before


def test_a_stopped_one_ends_soon_and_the_next_adds_the_rest(
    news: Path, embedded: dict[str, Any], tmp_path: Path
) -> None:
    db = f"sqlite:///{tmp_path}/stopped.db"
    options = ["--watchlist", str(news.parent / "watchlist.csv"), "--db", db, "--json"]
    stopped = start("replay", str(news), "--speed", "3600", *options)
    try:
        wait_for_articles(db)
        stopped.send_signal(signal.SIGTERM)
        out, err = stopped.communicate(timeout=60)
    finally:
        stopped.kill()
    assert stopped.returncode == 1, err
    assert "the same command reads on" in err
    first = json.loads(out)
    assert not first["complete"]
    assert 0 < first["articles"] < ROWS
    rest = replay(news, "--db", db)
    assert rest["complete"]
    assert first["articles"] + rest["articles"] == ROWS
    assert digest("--db", db) == digest("--db", embedded["db"])


def test_the_same_alerts_every_time(news: Path, embedded: dict[str, Any], tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path}/again.db"
    replay(news, "--db", db)
    assert alerts(db) == alerts(embedded["db"])


def test_kafka_gives_the_same_though_a_classifier_is_killed(
    news: Path, embedded: dict[str, Any], kafka: KafkaServer, tmp_path: Path
) -> None:
    db = f"sqlite:///{tmp_path}/kafka.db"
    config = tmp_path / "foreshock.toml"
    config.write_text(
        f'[store]\nurl = "{db}"\n[watchlist]\npath = "{news.parent}/watchlist.csv"\n'
        f'[stream]\nkind = "kafka"\npartitions = 4\nmax_backlog = 1000\n[stream.kafka]\n'
        f'bootstrap_servers = "{kafka.bootstrap}"\ntopic_prefix = "{tmp_path.name}-"\n'
        "session_timeout_s = 6\n"
    )
    options = ["--config", str(config)]
    command = ("pipeline", *options, "--stages", "classify")
    workers = [start(*command, output=subprocess.DEVNULL) for _ in range(2)]
    others = ["--stages", "collect,aggregate,alert,notify"]
    main = start("replay", str(news), *options, *others, "--json")
    try:
        wait_for_classified(kafka, tmp_path.name, ROWS // 4)
        workers[0].kill()
        out, err = main.communicate(timeout=250)
    finally:
        for process in (*workers, main):
            process.kill()
            process.communicate()
    assert main.returncode == 0, err
    assert workers[0].returncode == -signal.SIGKILL
    outcome = json.loads(out)
    assert outcome["read"] == outcome["articles"] + outcome["repeats"] + outcome["dead"]
    assert (outcome["articles"], outcome["repeats"], outcome["dead"]) == (ROWS, 0, 0)
    ours, theirs = digest("--config", str(config)), digest("--db", embedded["db"])
    assert ours["buckets_match"] and theirs["buckets_match"]
    assert ours == theirs


def wait_for_articles(db: str) -> None:
    """Return once a store has some."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with contextlib.suppress(StoreUnavailable):  # while its tables are made
            store = Store(db)
            count = articles.count(store)
            store.close()
            if count:
                return
        time.sleep(0.2)
    raise AssertionError("nothing was stored")


def wait_for_classified(kafka: KafkaServer, prefix: str, records: int) -> None:
    """Return once the classifiers have committed so many records."""
    broker = open_broker(KafkaSettings(kafka.bootstrap, topic_prefix=f"{prefix}-"))
    try:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            with contextlib.suppress(StreamUnavailable):  # before the topic is made
                lags = broker.lag("classify", ARTICLES).values()
                if sum(lag.committed for lag in lags) >= records:
                    return
            time.sleep(0.05)
        raise AssertionError("the classifiers did not begin")
    finally:
        broker.close()


def replay(news: Path, *options: str) -> Any:
    watchlist = ["--watchlist", str(news.parent / "watchlist.csv")]
    return foreshock("replay", str(news), *watchlist, *options, "--json")


def digest(*options: str) -> Any:
    return foreshock("db", "digest", *options, "--json")


def alerts(db: str) -> Any:
    return foreshock("alerts", "--db", db, "--state", "all", "--limit", "1000", "--json")


def foreshock(*arguments: str) -> Any:
    process = start(*arguments)
    out, err = process.communicate(timeout=250)
    assert process.returncode == 0, err
    return json.loads(out)


def start(*arguments: str, output: int = subprocess.PIPE) -> subprocess.Popen[str]:
    command = (sys.executable, "-m", "monitor.cli", *arguments)
    return subprocess.Popen(command, stdout=output, stderr=output, text=True)
