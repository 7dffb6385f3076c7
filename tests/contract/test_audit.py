"""The chain of the audit, over both databases: what was tampered with is found and named; nobody forks it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, create_engine, delete, insert, select, text, update

from monitor.store import Store, audit
from monitor.store.audit import AuditEntry, audited
from monitor.store.database import parse_url
from monitor.store.migrate import upgrade
from monitor.store.schema import audit as table
from monitor.store.schema import audit_head
from tests.support.make import T0


def entry(who: str = "ann", comment: str = "") -> AuditEntry:
    return AuditEntry(T0, who, "resolved", "x", {"state": "firing", "b": None}, {"é": 1.5}, comment)


def written(store: Store, count: int) -> None:
    for number in range(count):
        with store.write() as connection:
            audited(connection, entry(comment=str(number)))


def _delete(*ids: int) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(delete(table).where(table.c.id.in_(ids)))


def _change(connection: Connection) -> None:
    connection.execute(update(table).where(table.c.id == 3).values(who="mallory"))


def _forge(connection: Connection) -> None:
    """Change a row and make its own hash fit: the one behind it does not, then."""
    row = dict(connection.execute(select(table).where(table.c.id == 3)).mappings().one())
    before = connection.execute(select(table.c.hash).where(table.c.id == 2)).scalar_one()
    row["who"] = "mallory"
    values = {"who": "mallory", "hash": audit.link(before, row)}
    connection.execute(update(table).where(table.c.id == 3).values(values))


def _insert(connection: Connection) -> None:
    """Move the rows from the third on by one, and put another in its place."""
    for id_ in (5, 4, 3):
        connection.execute(update(table).where(table.c.id == id_).values(id=id_ + 1))
    row = dict(connection.execute(select(table).where(table.c.id == 2)).mappings().one())
    connection.execute(insert(table), {**row, "id": 3, "who": "mallory"})


def _append(connection: Connection) -> None:
    row = dict(connection.execute(select(table).where(table.c.id == 5)).mappings().one())
    connection.execute(
        insert(table), {**row, "id": 6, "hash": audit.link(row["hash"], row | {"id": 6})}
    )


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (_change, "entry 3 was changed"),
        (_forge, "entry 4 was changed"),
        (_insert, "entry 3 was changed"),
        (_append, "entries 6 to 6 were added"),
        (_delete(1), "entry 1 is missing"),
        (_delete(2, 3), "entries 2 to 3 are missing"),
        (_delete(4, 5), "entries 4 to 5 are missing at the end"),
        (_delete(1, 2, 3, 4, 5), "entries 1 to 5 are missing at the end"),
    ],
)
def test_tampering_is_found_and_named(
    store: Store, tamper: Callable[[Connection], object], named: str
) -> None:
    written(store, 5)
    assert audit.verify(store).troubles == ()
    with store.write() as connection:
        tamper(connection)
    found = audit.verify(store)
    assert found.troubles and named in found.troubles[0]


def test_a_chain_made_anew_lacks_the_head_that_was_kept(store: Store) -> None:
    written(store, 2)
    kept = audit.verify(store).head
    written(store, 1)
    assert audit.holds(store, kept)
    with store.write() as connection:
        connection.execute(delete(table))
        connection.execute(delete(audit_head))
    written(store, 3)
    with store.write() as connection:
        connection.execute(delete(table))
        connection.execute(delete(audit_head))
        audited(connection, entry("mallory"))
    assert audit.verify(store).troubles == () and not audit.holds(store, kept)


def test_two_writers_never_fork_the_chain(store: Store, store_url: str) -> None:
    """Two stores with connections of their own, as two processes have."""
    other = Store(store_url)
    start = threading.Barrier(2)

    def write(mine: Store, who: str) -> None:
        start.wait()
        for _ in range(25):
            with mine.write() as connection:
                audited(connection, entry(who))

    threads = [
        threading.Thread(target=write, args=(each, who))
        for each, who in ((store, "ann"), (other, "bob"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    other.close()
    found = audit.verify(store)
    assert (found.entries, found.troubles) == (50, ())
    assert [each.id for each in audit.newest(store, 100)] == list(range(50, 0, -1))


def test_what_is_rolled_back_is_not_in_the_chain(store: Store) -> None:
    written(store, 1)
    with pytest.raises(RuntimeError), store.write() as connection:
        audited(connection, entry())
        raise RuntimeError
    written(store, 1)
    assert (audit.verify(store).entries, audit.verify(store).troubles) == (2, ())


def test_rows_of_an_earlier_version_are_chained(store_url: str) -> None:
    engine = create_engine(parse_url(store_url))
    upgrade(engine, "0014")
    with engine.begin() as connection:
        for id_ in (1, 2, 5):  # a sequence leaves gaps where something was rolled back
            connection.execute(
                text(
                    "INSERT INTO audit (id, at_us, who, act, subject, before, after, comment) "
                    "VALUES (:id, 1, 'ann', 'resolved', 'x', '{\"a\": null}', '{}', '')"
                ),
                {"id": id_},
            )
    engine.dispose()
    store = Store(store_url)
    written(store, 1)
    found = audit.verify(store)
    assert (found.entries, found.troubles) == (4, ())
    with store.write() as connection:
        connection.execute(delete(table).where(table.c.id == 2))
    assert audit.verify(store).troubles == ("entries 2 to 4 are missing",)
    store.close()
