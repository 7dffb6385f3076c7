"""What could not be processed: kept whole, listed, given back to its stream, dropped."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.cli import app
from monitor.clock import SystemClock
from monitor.domain import DeadItem, DeadReason
from monitor.metrics import Metrics
from monitor.pipeline import ARTICLES, DEADS, STAGES, Effects, Input, StageLoop
from monitor.store import Connection, Store, articles, audit, dead
from monitor.store.dead import DROPPED, MAX_RECORD, RETRIED, WAITING, Original
from monitor.stream import LocalStreamSettings, open_broker
from monitor.stream.codec import ARTICLE
from monitor.stream.port import Message
from tests.support.make import T0, classified

ITEM = DeadItem(DeadReason.SCHEMA, "not JSON", "news.articles[1]@7", "{", "classify", T0)


def test_a_letter_is_kept_once_and_whole(store: Store) -> None:
    value = b"\x00\xff{" * 100
    later = replace(ITEM, failed_at=T0 + timedelta(hours=1))
    other = replace(ITEM, origin="news.csv:4", stage="collect", reason=DeadReason.BAD_DATE)
    large = replace(ITEM, origin="news.articles[1]@8")
    with store.write() as connection:
        dead.add(connection, [(ITEM, Original(ARTICLES, "k", value)), (other, None)])
        dead.add(connection, [(later, Original(ARTICLES, "k", value))])  # delivered again
        dead.add(connection, [(large, Original(ARTICLES, "k", b"x" * (MAX_RECORD + 1)))])
        dead.add(connection, [])
        found = {letter.item.origin: letter for letter in dead.letters(connection)}
        assert [letter.item for letter in dead.letters(connection, stage="collect")] == [other]
        assert [letter.item for letter in dead.letters(connection, reason="bad_date")] == [other]
        assert dead.letters(connection, since=T0 + timedelta(minutes=1)) == []
    assert len(found) == 3
    letter = found[ITEM.origin]
    assert (letter.item, letter.stream, letter.key) == (ITEM, ARTICLES, "k")
    assert letter.record == value
    assert found["news.articles[1]@8"].record is None


def test_nothing_in_a_record_keeps_it_from_being_buried(store: Store) -> None:
    """A database refuses NUL, and no encoding has lone surrogates; the key is given back as it was."""
    nasty = "a\0b\ud800c"
    item = replace(ITEM, detail=nasty, origin=f"news.articles[1]@9 {nasty}", payload=nasty)
    with store.write() as connection:
        dead.add(connection, [(item, Original(ARTICLES, nasty, b"\0\xff"))])
        (letter,) = dead.letters(connection)
    assert (letter.key, letter.record) == (nasty, b"\0\xff")
    assert letter.item.detail == "a\\x00b\\ud800c"


def test_what_was_done_is_listed_no_more_and_goes_after_a_while(store: Store) -> None:
    other = replace(ITEM, origin="news.articles[1]@8")
    with store.write() as connection:
        dead.add(connection, [(ITEM, None), (other, None)])
        one, two = dead.letters(connection)
        dead.settle(connection, one, DROPPED, "ann", T0, "a test feed")
        assert dead.letters(connection) == [two]
        assert dead.letters(connection, (DROPPED, RETRIED)) == [replace(one, state=DROPPED)]
        assert dead.beginning_with(connection, one.id[:6])[0].state == DROPPED
    (entry,) = audit.trail(store, one.id)
    assert (entry.who, entry.act, entry.comment) == ("ann", DROPPED, "a test feed")
    with store.write() as connection:
        assert dead.expire(connection, T0) == 0
        assert dead.expire(connection, T0 + timedelta(days=1)) == 1
        assert dead.letters(connection, (WAITING, DROPPED)) == [two]


class Picky:
    """Stores what it reads, but not what it is told to refuse."""

    def __init__(self, refuses: str) -> None:
        self.refuses = refuses

    def process(self, batch: Sequence[Input]) -> Effects:
        if any(self.refuses in entry.body.title for entry in batch):
            raise ValueError("cannot read this title")

        def write(connection: Connection) -> None:
            items = [classified(e.body.title, e.body.title) for e in batch]
            articles.add(connection, items)

        return Effects(write)


def test_a_record_is_tried_again_by_a_stage_that_can_read_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'dead.db'}"
    store = Store(url)
    broker = open_broker(LocalStreamSettings(path=tmp_path / "dead-streams.db"))
    broker.create({ARTICLES: 2, DEADS: 1, "news.classified": 1})
    titles = [f"Profit falls {n}" for n in range(9)]
    writer = broker.writer()
    for title in titles:
        article = classified(title, title).article
        writer.append(ARTICLES, [Message(article.id, ARTICLE.encode(article))])
    writer.append(ARTICLES, [Message("k", b"no record at all")])
    writer.flush()

    def run(refuses: str, done: Callable[[], bool]) -> None:
        stop = threading.Event()
        loop = StageLoop(
            *(STAGES["classify"], Picky(refuses), broker, store, SystemClock(), Metrics(), stop)
        )
        thread = threading.Thread(target=loop.run)
        thread.start()
        end = time.monotonic() + 20
        while not done() and time.monotonic() < end:
            time.sleep(0.02)
        stop.set()
        thread.join()
        assert done()

    def passed() -> bool:
        return not any(lag.records for lag in broker.lag("classify", ARTICLES).values())

    def foreshock(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["dead", *arguments, "--db", url])

    try:
        run("falls 4", passed)
        assert articles.count(store) == 8
        listed = foreshock("list")
        assert "classify: failed: ValueError: cannot read this title" in listed.stdout
        found = json.loads(foreshock("list", "--json", "--reason", "failed").stdout)
        (letter,) = found
        assert letter["retriable"]
        shown = foreshock("show", letter["id"][:8]).stdout
        assert "Profit falls 4" in shown
        assert f"`foreshock dead retry {letter['id'][:8]}` gives it back to news.articles" in shown

        again = foreshock("retry", letter["id"][:8], "--by", "ann", "--comment", "mended")
        assert again.stdout == "1 tried again\n", again.output
        run("no title", passed)
        assert articles.count(store) == 9
        twice = foreshock("retry", letter["id"])
        assert twice.exit_code == 2
        assert "was retried already" in twice.stderr
        assert foreshock("retry", letter["id"], "--again").stdout == "1 tried again\n"
        run("no title", passed)
        assert articles.count(store) == 9
        assert "ann retried  mended" in foreshock("show", letter["id"]).stdout
        # Poison stays poison: a letter of its own, from where it failed now.
        assert foreshock("retry", "--reason", "schema").stdout == "1 tried again\n"
        run("no title", passed)
        (poison,) = json.loads(foreshock("list", "--json").stdout)
        assert poison["payload"] == "no record at all"
        assert foreshock("drop", "--all").stdout == "1 dropped\n"
        assert foreshock("list").stdout == "nothing waits\n"
        assert len(json.loads(foreshock("list", "--all", "--json").stdout)) == 3
        assert articles.count(store) == 9
    finally:
        broker.close()
        store.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["retry"], "say --all, --stage or --reason"),
        (["drop", "abc", "--all"], "not both"),
        (["show", "abc"], "abc: no letters begin with that"),
    ],
)
def test_what_is_not_clear_is_asked(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["dead", *arguments, "--db", f"sqlite:///{tmp_path / 'x.db'}"])
    assert done.exit_code == 2
    assert message in done.stderr


def test_what_has_no_record_says_what_to_do(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    store = Store(url)
    with store.write() as connection:
        dead.add(connection, [(replace(ITEM, origin="news.csv:4", stage="collect"), None)])
    store.close()
    done = CliRunner().invoke(app, ["dead", "retry", "--all", "--db", url])
    assert done.exit_code == 1
    assert "put news.csv:4 right and collect it again" in done.stderr
