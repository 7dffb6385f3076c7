"""What is erased is nowhere in the database, counts as before, and never comes in again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import String, cast, func, literal, or_, select
from typer.testing import CliRunner

from monitor.aggregate.digest import digest
from monitor.aggregate.recount import rebuild, verify
from monitor.alert.rulebind import load_rules
from monitor.alert.story import Names
from monitor.cli import app
from monitor.domain import ERASED
from monitor.domain import digest as key_of
from monitor.store import Store, alerts, articles, audit, erasure, outbox, words
from monitor.store.schema import metadata
from monitor.store.schema import notifications as messages
from monitor.stream import LocalStreamSettings, open_broker
from tests.support.desk import WORLD, Desk
from tests.support.make import T0, classified, risk

SECRET = "Jane 100% Roe_x"
OTHER = "Jane 1000 Roexx files"  # what the name would find, were it a pattern


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Desk:
    broker = open_broker(LocalStreamSettings(path=tmp_path / "streams.db"))
    broker.create({"news.articles": 1, "alerts": 1})
    desk = Desk(store, broker, load_rules(None, WORLD), Names({"acme": "Acme"}, {}))
    told = replace(risk(), evidence=f"{SECRET} of Acme defrauded", words=SECRET)
    lead = classified("d", "Acme files")
    desk.tell(
        [
            classified("a", f"{SECRET} of Acme", score=-0.9, risks=[told]),
            classified("b", f"{SECRET.lower()} again"),
            classified("c", OTHER),
            replace(lead, article=replace(lead.article, lead=f"Said {SECRET}.")),
        ],
        T0 + timedelta(hours=1),
    )
    (alert,) = alerts.latest(store)
    with store.write() as connection:
        outbox.add(connection, message(alert.id), T0)
    return desk


def message(alert_id: str) -> outbox.Draft:
    return outbox.Draft(
        idempotency_key="k", channel="hook", alert_id=alert_id, subject=f"Acme: {SECRET}", body=SECRET,
        payload={"text": SECRET}, state=outbox.SENT, reason="",
    )  # fmt: skip


def where_it_is(store: Store, text: str) -> set[str]:
    """Return the tables in which a text stands, in any column."""
    found = set()
    with store.read() as connection:
        for name, table in metadata.tables.items():
            columns = [func.lower(cast(column, String)) for column in table.columns]
            has = or_(*(column.contains(text.lower(), autoescape=True) for column in columns))
            if connection.execute(select(literal(1)).where(has)).first() is not None:
                found.add(name)
    return found


def test_the_text_is_gone_and_everything_else_is_as_it_was(store: Store, desk: Desk) -> None:
    assert where_it_is(store, SECRET) >= {"articles", "evidence", "alerts", "notifications"}
    before, count = digest(store), articles.count(store)
    with store.write() as connection:
        ids = erasure.containing(connection, SECRET, 10)
        assert len(words.find(connection, '"jane 100"', 10)) == 3
        assert set(ids) == {key_of(name) for name in "abd"}
        assert set(erasure.erase(connection, ids, "ann", T0, "asked for")) == set(ids)
        assert erasure.erase(connection, ids, "ann", T0, "again") == []
    assert where_it_is(store, SECRET) == set()
    assert where_it_is(store, "https://wire.example/a") == set()
    assert where_it_is(store, OTHER) == {"articles"}
    after = digest(store)
    assert (after.ids, after.labels, after.buckets) == (before.ids, before.labels, before.buckets)
    assert after.buckets_match
    assert all(each.is_sound for each in verify(store, {}))
    rebuild(store, {})
    assert digest(store).buckets == before.buckets
    assert articles.count(store) == count
    with store.read() as connection:  # nobody finds it, nobody is asked to label it
        assert words.find(connection, '"jane 100"', 10) == []
        assert [i.article.title for i in articles.newest_read(connection, 10)] == [OTHER]
    trail = [each.entry for each in audit.newest(store, 5)]
    assert {(e.act, e.who, e.subject, e.comment) for e in trail} == {
        ("erased", "ann", id_, "asked for") for id_ in ids
    }
    assert audit.verify(store).troubles == ()


def test_what_somebody_wrote_is_found_and_loses_the_name(store: Store) -> None:
    item = classified("e", "Acme falls")
    signed = replace(item, article=replace(item.article, author="Ann Lee, Jane Roe"))
    with store.write() as connection:
        articles.add(connection, [signed, classified("f", "Acme rises")])
        (stored,) = articles.get(connection, [(key_of("e"), item.article.revision)])
        assert stored == signed
        assert erasure.containing(connection, "jane roe", 10) == [key_of("e")]
        erasure.erase(connection, [key_of("e")], "ann", T0, "")
    assert where_it_is(store, "jane roe") == set()


def test_it_never_comes_in_again(store: Store, desk: Desk) -> None:
    with store.write() as connection:
        erasure.erase(connection, [key_of("a")], "ann", T0, "")
        again = [classified("a", f"{SECRET} of Acme"), classified("a", f"Update: {SECRET}")]
        assert articles.add(connection, again).fresh == []
    assert where_it_is(store, SECRET) == {"articles"}  # b and d


def test_by_the_command_line(store: Store, desk: Desk) -> None:
    def run(*more: str) -> str:
        url = store.url.render_as_string(hide_password=False)
        done = CliRunner().invoke(app, ["privacy", *more, "--db", url])
        assert done.exit_code == 0, done.output
        return done.stdout

    said = run("erase", "--containing", SECRET)
    assert "3 articles would be erased" in said and f"{SECRET} of Acme" in said
    assert where_it_is(store, SECRET) != set()
    assert "3 articles erased" in run("erase", "--containing", SECRET, "--yes", "--by", "ann")
    assert where_it_is(store, SECRET) == set()
    assert "articles published before" in run("retain", "--days", "1")
    with store.read() as connection:
        assert connection.execute(select(messages.c.subject)).scalars().all() == [ERASED]
