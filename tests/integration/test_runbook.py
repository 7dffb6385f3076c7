"""Every entry of the runbook, rehearsed with its own commands on a real Kafka and a real PostgreSQL.

The tests go one after the other through the life of one service; each leaves it running.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from models.bundle import load_bundle, shipped_bundle, write_manifest
from monitor.cli import app
from monitor.domain import Article, DateStatus, revision_of
from monitor.domain import digest as id_of
from monitor.pipeline import ARTICLES
from monitor.settings import load_settings
from monitor.store import Store, alerts, articles, outbox
from monitor.stream import open_broker
from monitor.stream.codec import ARTICLE
from monitor.stream.port import Message
from tests.support.kafka import KafkaServer
from tests.support.postgres import PostgresServer
from tests.support.receiver import Receiver
from tests.support.runbook import Entry, entries
from tests.support.site import Site, serve

pytestmark = pytest.mark.timeout(600)

WAIT_S = 240.0
DECIDES = "aggregate,alert,notify"
SETTINGS = """
[store]
url = "{db}"

[stream]
kind = "kafka"

[stream.kafka]
bootstrap_servers = "{kafka}"
topic_prefix = "runbook-"
session_timeout_s = 6

[watchlist]
path = "watchlist.csv"

[alert]
rules = "rules.yaml"

[[sources]]
name = "wire"
location = "{site}/feed"

[[notify.channels]]
name = "desk"
kind = "webhook"
url = "{receiver}"
secret = "test"
"""
RULES = (Path(__file__).parents[2] / "monitor/alert/rules.yaml").read_text("utf-8")


class Service:
    """The processes of one service, and people at its command line."""

    def __init__(
        self, folder: Path, kafka: KafkaServer, database: PostgresServer, site: Site
    ) -> None:
        self.folder = folder
        self.kafka, self.database, self.site = kafka, database, site
        self.receiver = Receiver()
        threading.Thread(target=self.receiver.serve_forever, daemon=True).start()
        self.db = database.create_database()
        words = {"db": self.db, "kafka": kafka.bootstrap, "site": site.url}
        text = SETTINGS.format(receiver=self.receiver.url, **words)
        (folder / "foreshock.toml").write_text(text, "utf-8")
        (folder / "watchlist.csv").write_text("name\nAldermoor\nCorvane\n", "utf-8")
        (folder / "rules.yaml").write_text(RULES, "utf-8")
        self.store = Store(self.db)
        settings = load_settings(folder / "foreshock.toml")
        self._broker = open_broker(settings.broker_settings())
        self._broker.create({ARTICLES: settings.stream.partitions})
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.published = 0

    def start(self, name: str, command: str) -> None:
        """Start ``foreshock run ...`` under a name of the test's."""
        words = [sys.executable, "-m", "monitor.cli", *shlex.split(command)[1:]]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                words, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self, *names: str) -> None:
        """Ask some processes to stop, all by default, and see that they do, in time and in order."""
        ending = {name: self.processes.pop(name) for name in names or list(self.processes)}
        for process in ending.values():
            process.send_signal(signal.SIGTERM)
        for name, process in ending.items():
            assert process.wait(timeout=40) == 0, (self.folder / f"{name}.log").read_text()[-2000:]

    def publish(self, *titles: str, old: timedelta = timedelta()) -> None:
        """Append news to the stream, as a collector does."""
        writer = self._broker.writer()
        for title in titles:
            when = datetime.now(UTC) - old
            article = Article(
                *(id_of(title), revision_of(title, ""), "wire", "wire.example", None, title, ""),
                *("en", when, when, DateStatus.OK),
            )
            writer.append(ARTICLES, [Message(article.id, ARTICLE.encode(article))])
        writer.flush()
        writer.close()
        self.published += len(titles)

    def poison(self) -> None:
        """Append a record that is not one of ours."""
        writer = self._broker.writer()
        writer.append(ARTICLES, [Message("x", b"not a record")])
        writer.flush()
        writer.close()

    def until_all_is_stored(self) -> None:
        self.until(lambda: articles.count(self.store) == self.published, "news is missing")

    def until(self, holds: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + WAIT_S
        while not holds():
            for name, process in self.processes.items():
                said = (self.folder / f"{name}.log").read_text()[-3000:]
                assert process.poll() is None, f"{name} ended:\n{said}"
            assert time.monotonic() < deadline, what
            time.sleep(0.2)

    def close(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.store.close()
        self._broker.close()
        self.receiver.shutdown()
        self.receiver.server_close()


@pytest.fixture(scope="module")
def service(
    kafka: KafkaServer, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with serve() as site:
        site.pages["/feed"] = b"<rss version='2.0'><channel><title>Wire</title></channel></rss>"
        service = Service(tmp_path_factory.mktemp("desk"), kafka, postgres_server, site)
        service.start("decides", f"foreshock run --stages {DECIDES}")
        service.start("classifies", "foreshock run --stages classify")
        yield service
        service.close()


@pytest.fixture
def at_the_desk(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The service, with the person at the folder where its settings are."""
    monkeypatch.chdir(service.folder)
    return service


def foreshock(command: str, code: int = 0) -> Result:
    """Run a command line of ``foreshock``; its exit status has to be ``code``."""
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code == code, f"{command}: {done.output}{done.exception!r}"
    return done


def finish(entry: Entry) -> None:
    assert not entry.left, f"{entry.title}: not rehearsed: {entry.left}"


def test_lag_grows(at_the_desk: Service) -> None:
    service, entry = at_the_desk, Entry("Lag grows")
    service.publish("Aldermoor opens a new plant")
    service.until_all_is_stored()
    service.stop("classifies")
    service.publish(*(f"Markets steady, {number} points" for number in range(200)))
    said = foreshock(entry.command("foreshock streams lag")).stdout
    assert said.split()[:2] == ["classify", "200"]
    service.start("classifies", entry.command("foreshock run --stages classify"))
    service.until_all_is_stored()
    assert foreshock("foreshock streams lag").stdout.split()[:2] == ["classify", "0"]
    finish(entry)


def test_a_process_is_down(at_the_desk: Service) -> None:
    service, entry = at_the_desk, Entry("A process is down")
    (child,) = _children(service.processes["classifies"].pid)
    os.kill(child, signal.SIGKILL)
    service.publish("Corvane names a new chief of staff")
    service.until_all_is_stored()
    said = foreshock(entry.command("foreshock doctor")).stdout
    assert "database" in said and "streams" in said
    finish(entry)


def test_the_broker_is_down(at_the_desk: Service, fragile: KafkaServer) -> None:
    service, entry = at_the_desk, Entry("The broker is down")
    fragile.kill()
    said = foreshock(entry.command("foreshock doctor"), code=1).stdout
    assert service.kafka.bootstrap in said
    fragile.start()
    service.publish("Corvane sells a depot")
    service.until_all_is_stored()
    finish(entry)


def test_the_database_is_down(at_the_desk: Service) -> None:
    service, entry = at_the_desk, Entry("The database is down")
    service.database.stop()
    try:
        service.publish("Corvane leases a warehouse")
        said = foreshock(entry.command("foreshock doctor"), code=1).stdout
        assert "database" in said
    finally:
        service.database.start()
    service.until_all_is_stored()
    finish(entry)


def test_a_stage_stands_still(at_the_desk: Service) -> None:
    service, entry = at_the_desk, Entry("A stage stands still")
    service.start("stands by", entry.command(f"foreshock run --stages {DECIDES}"))
    time.sleep(5)
    first = service.processes.pop("decides")
    pids = [first.pid, *_children(first.pid)]
    for pid in pids:  # it hangs, and keeps its lease
        os.kill(pid, signal.SIGSTOP)
    service.publish("Corvane recalls thousands of cars over fire risk")
    service.until_all_is_stored()
    foreshock(entry.command("foreshock streams lag"))
    service.until(lambda: alerts.count(service.store) == 1, "nobody decides")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    first.wait()
    service.processes["decides"] = service.processes.pop("stands by")
    finish(entry)


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_dead_letters(at_the_desk: Service) -> None:
    service, entry = at_the_desk, Entry("Dead letters")

    def letters() -> list[str]:
        listed = json.loads(foreshock("foreshock dead list --json").stdout)
        return [each["id"] for each in listed]

    service.poison()
    service.until(letters, "no letter")
    (letter,) = letters()
    assert "schema" in foreshock(entry.command("foreshock dead list")).stdout
    assert (
        "not a record"
        in foreshock(entry.command("foreshock dead show LETTER", LETTER=letter)).stdout
    )
    foreshock(entry.command("foreshock dead retry --reason schema"))
    service.until(lambda: letters() not in ([], [letter]), "it did not fail again")
    (again,) = letters()
    drop = 'foreshock dead drop LETTER --comment "not ours"'
    foreshock(entry.command(drop, LETTER=again))
    assert not letters()
    finish(entry)


def test_a_feed_is_silent(at_the_desk: Service) -> None:
    service, entry = at_the_desk, Entry("A feed is silent")
    assert "wire" in foreshock(entry.command("foreshock feeds list")).stdout
    del service.site.pages["/feed"]
    check = entry.command("foreshock feeds check SOURCE", SOURCE="wire")
    assert "404" in foreshock(check, code=1).output
    item = "<item><title>Gold steady</title><link>https://wire.example/1</link></item>"
    service.site.pages["/feed"] = f"<rss><channel>{item}</channel></rss>".encode()
    assert "Gold steady" in foreshock(check).stdout
    finish(entry)


def test_notifications_fail(at_the_desk: Service) -> None:
    service, entry = at_the_desk, Entry("Notifications fail")
    sent = outbox.tally(service.store).get("sent", 0)
    service.receiver.status = 500
    try:
        service.publish("Aldermoor files for bankruptcy protection")
        log = entry.command("foreshock notify log --limit 20")
        service.until(lambda: "HTTP 500" in foreshock(log).stdout, "it was not tried")
    finally:
        service.receiver.status = 200
    foreshock(entry.command("foreshock notify test CHANNEL", CHANNEL="desk"))
    service.until(
        lambda: outbox.tally(service.store).get("sent", 0) > sent, "it did not go out afterwards"
    )
    finish(entry)


def test_a_changed_file_is_wrong(at_the_desk: Service) -> None:
    service, entry = at_the_desk, Entry("A changed file is wrong")
    rules = service.folder / "rules.yaml"
    check = entry.command("foreshock rules check RULES", RULES="rules.yaml")
    rules.write_text(RULES.replace("kind: story", "kind: novel", 1), "utf-8")
    assert "novel" in foreshock(check, code=2).output
    rules.write_text(RULES, "utf-8")
    foreshock(check)
    foreshock(entry.command("foreshock watchlist check WATCHLIST", WATCHLIST="watchlist.csv"))
    foreshock(entry.command("foreshock notify routes"))
    foreshock(entry.command("foreshock check-config"))
    finish(entry)


def test_model_rollback(at_the_desk: Service, tmp_path: Path) -> None:
    service, entry = at_the_desk, Entry("Model rollback")
    folder = tmp_path / "bundle"
    shutil.copytree(shipped_bundle(), folder)
    made = load_bundle(folder)
    write_manifest(replace(made, version="99", max_tokens=made.max_tokens - 1))
    promote = 'foreshock models promote BUNDLE --comment "the gate passed it"'
    foreshock(entry.command(promote, BUNDLE=str(folder)))
    assert "99" in foreshock(entry.command("foreshock models status")).stdout
    foreshock(entry.command('foreshock models rollback --comment "worse on banks"'))
    serving = json.loads(foreshock("foreshock models status --json").stdout)
    assert "99" not in str([each["model_version"] for each in serving["processes"]])
    service.publish("Corvane moves its seat")
    service.until_all_is_stored()
    finish(entry)


def test_the_model_drifts(at_the_desk: Service) -> None:
    entry = Entry("The model drifts")
    assert "answers, topic" in foreshock(entry.command("foreshock retrain drift")).stdout
    assert foreshock(entry.command("foreshock labels queue")).stdout
    finish(entry)


def test_key_rotation(at_the_desk: Service) -> None:
    entry = Entry("Key rotation")
    foreshock("foreshock people add bot --role viewer")
    make = 'foreshock people token PROGRAM --scopes read --label "since today"'
    foreshock(entry.command(make, PROGRAM="bot"))
    listed = json.loads(foreshock("foreshock people list --json").stdout)
    (token,) = [t["id"] for person in listed for t in person.get("tokens", ())]
    revoke = "foreshock people token PROGRAM --revoke TOKEN"
    foreshock(entry.command(revoke, PROGRAM="bot", TOKEN=str(token)))
    foreshock(entry.command("foreshock people password PERSON", PERSON="bot"))
    foreshock(entry.command("foreshock notify test CHANNEL", CHANNEL="desk"))
    foreshock(entry.command("foreshock audit verify"))
    finish(entry)


def test_the_disk_is_full(at_the_desk: Service) -> None:
    service, entry = at_the_desk, Entry("The disk is full")
    before = articles.count(service.store)
    service.publish("Corvane hires a cook", old=timedelta(days=200))
    service.until_all_is_stored()
    foreshock(entry.command("foreshock privacy retain --days 90"))
    assert articles.count(service.store) == before + 1, "that was only asked"
    foreshock(entry.command("foreshock privacy retain --days 90 --yes"))
    assert articles.count(service.store) == before, "the old one goes, the others stay"
    service.published -= 1
    finish(entry)


def test_backup_and_restore(at_the_desk: Service) -> None:
    service, entry = at_the_desk, Entry("Backup and restore")
    before = datetime.now(UTC) - timedelta(seconds=1)
    postgres(service, entry.command(_DUMP, DATABASE=service.db))
    service.publish(*(f"Corvane opens shop {number}" for number in range(39)))
    told = alerts.count(service.store)
    service.publish("Corvane defaults on its bonds")
    service.until_all_is_stored()
    service.until(lambda: alerts.count(service.store) > told, "nobody was alarmed")
    said = foreshock("foreshock db digest").stdout
    service.stop()
    postgres(service, entry.command(_RESTORE, DATABASE=service.db))
    assert articles.count(service.store) == service.published - 40
    assert alerts.count(service.store) == told, "what came since the dump is gone"
    foreshock(entry.command("foreshock db migrate"))
    rewind = "foreshock streams rewind --to TIME --stage classify --stage aggregate --stage notify"
    foreshock(entry.command(rewind, TIME=f"{before:%Y-%m-%dT%H:%M:%SZ}"))
    run = entry.command("foreshock run")
    service.start("decides", f"{run} --stages {DECIDES}")
    service.start("classifies", f"{run} --stages classify")
    service.until_all_is_stored()
    foreshock(entry.command("foreshock db verify"))
    assert foreshock("foreshock db digest").stdout == said
    service.until(lambda: alerts.count(service.store) > told, "it is not decided anew")
    finish(entry)


_DUMP = "pg_dump --format=custom --file=foreshock.dump DATABASE"
_RESTORE = "pg_restore --clean --if-exists --dbname=DATABASE foreshock.dump"


def postgres(service: Service, command: str) -> None:
    """Run one of PostgreSQL's programs."""
    name, *arguments = shlex.split(command)
    program = service.database.bindir / name
    subprocess.run([program, *arguments], check=True, timeout=60)


def test_upgrade(at_the_desk: Service) -> None:
    service, entry = at_the_desk, Entry("Upgrade")
    foreshock(entry.command("foreshock check-config"))
    assert "up to date" in foreshock(entry.command("foreshock db migrate")).stdout
    run = entry.command("foreshock run")
    service.publish(*(f"Aldermoor plans line {number}" for number in range(40)))
    for name, stages in (("classifies", "classify"), ("decides", DECIDES)):
        service.stop(name)
        service.start(name, f"{run} --stages {stages}")
    service.until_all_is_stored()
    foreshock("foreshock db verify")
    finish(entry)


def test_every_entry_has_a_rehearsal() -> None:
    rehearsed = {name.removeprefix("test_").replace("_", " ") for name in globals()}
    for title in entries():
        assert title.lower() in rehearsed, f"the entry {title!r} is not rehearsed"
