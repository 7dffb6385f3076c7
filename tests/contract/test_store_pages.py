"""What pages keep and ask on both databases: visits of sources, who follows what, alerts by item."""

from __future__ import annotations

from datetime import timedelta

from monitor.domain import AlertState, Dimension, Evidence, Grain
from monitor.store import Store, acts, alerts, articles, audit, interests, listing, pages, visits
from monitor.store.interests import Kind
from monitor.store.visits import Visit
from tests.support.make import T0, alert, classified

MINUTE = timedelta(minutes=1)


def test_visits_tell_of_the_last_success_and_failures_in_a_row(store: Store) -> None:
    ended = [
        Visit("a", T0, 3),
        Visit("a", T0 + MINUTE, 0),
        Visit("a", T0 + 2 * MINUTE, 0, "HTTP 500"),
        Visit("b", T0, 0, "no such host"),
        Visit("a", T0 + 3 * MINUTE, 0, "HTTP 502\x00" + "x" * 900),
    ]
    for each in ended:
        with store.write() as connection:
            visits.save(connection, [each])
    with store.read() as connection:
        known = visits.load(connection)
    a = known["a"]
    assert (a.tried_at, a.succeeded_at, a.new_at) == (T0 + 3 * MINUTE, T0 + MINUTE, T0)
    assert a.failures == 2 and a.failure.startswith("HTTP 502") and len(a.failure) <= 500
    assert known["b"].succeeded_at is None and known["b"].failures == 1
    with store.write() as connection:
        visits.save(connection, [Visit("a", T0 + 4 * MINUTE, 0)])
    with store.read() as connection:
        a = visits.load(connection)["a"]
    assert (a.failures, a.failure, a.succeeded_at) == (0, "", T0 + 4 * MINUTE)


def test_a_person_follows_for_themselves_and_the_audit_knows(store: Store) -> None:
    def now(person: str) -> dict[Kind, list[str]]:
        with store.read() as connection:
            return interests.of(connection, person)

    def follow(person: str, kind: Kind, keys: list[str], minute: int) -> None:
        with store.write() as connection:
            interests.follow(connection, person, kind, keys, T0 + minute * MINUTE)

    follow("ann", Kind.COMPANY, ["zenith", "acme", "zenith"], 0)
    follow("ann", Kind.TOPIC, ["Macro"], 1)
    follow("vic", Kind.COMPANY, ["acme"], 2)
    follow("ann", Kind.COMPANY, ["acme", "orbit"], 3)
    follow("ann", Kind.COMPANY, ["orbit", "acme"], 4)  # the same: nothing happened
    assert now("ann") == {Kind.COMPANY: ["acme", "orbit"], Kind.TOPIC: ["Macro"]}
    assert now("vic") == {Kind.COMPANY: ["acme"], Kind.TOPIC: []}
    trail = audit.trail(store, "ann")
    assert [entry.act for entry in trail] == ["followed"] * 3
    assert trail[-1].after == {"company": ["acme", "orbit"]}
    assert not audit.verify(store).troubles


def test_alerts_are_found_by_item_and_by_topic(store: Store) -> None:
    item = classified("a", "Acme fined", topic="Legal", published_at=T0)
    other = classified("b", "Acme grows", topic="Earnings", published_at=T0 + MINUTE)
    proof = tuple(
        Evidence(
            each.article.id, each.article.revision, each.article.published_at, "wire", "t", None,
            "q", None, "",
        )
        for each in (item,)
    )  # fmt: skip
    told = alert(at=T0, evidence=proof)
    pending = alert(event="fine", at=T0, evidence=proof, state=AlertState.PENDING)
    with store.write() as connection:
        articles.add(connection, [item, other])
        alerts.save(connection, told)
        alerts.save(connection, pending)
        acts.judge(connection, told.id, "ann", T0 + MINUTE, "false")
        acts.judge(connection, told.id, "ann", T0 + 2 * MINUTE, "true")
        acts.judge(connection, told.id, "bob", T0 + 3 * MINUTE, "false")
    with store.read() as connection:
        ids = [item.article.id, other.article.id]
        assert alerts.with_evidence(connection, ids) == {item.article.id: [told.id]}
        assert [each.id for each in alerts.of_ids(connection, [told.id, "x"])] == [told.id]
        assert acts.verdicts_by(connection, "ann", T0) == {told.id: "true"}
        assert articles.newest_of_topic(connection, "Legal", T0, 5) == [item]
        naming = articles.newest_naming(connection, T0, T0 + 2 * MINUTE, "acme", 1)
        assert naming == [other]
        everything = articles.newest_naming(connection, T0, T0 + 2 * MINUTE, None, 9)
        assert everything == [item, other]
        ((source, _, count),) = listing.heard_by_hour(connection, T0)
        assert (source, count) == ("wire", 2)
        assert listing.newest_lags(connection, 5) == [("wire", 30.0)] * 2
    assert list(pages.topic_alert_rows(store, "Legal", T0)["id"]) == [told.id]
    assert pages.topic_alert_rows(store, "Earnings", T0).empty
    assert pages.topic_alert_rows(store, "Legal", T0 + timedelta(days=3)).empty


def test_topics_of_one_company_are_not_those_of_another(store: Store) -> None:
    from monitor.aggregate.stage import AggregateStage
    from monitor.metrics import Metrics
    from monitor.pipeline import Input
    from monitor.stream.codec import Classified, Origin
    from monitor.stream.port import Record

    items = [
        classified(f"n{at}", f"News {at}", topic=topic, companies=(company,), published_at=T0)
        for at, (company, topic) in enumerate(
            [("acme", "Macro"), ("acme-bank", "Macro"), ("acme", "Energy"), ("ac_e", "Macro")]
        )
    ]
    stage = AggregateStage(lambda _: False, lambda: T0, Metrics())
    batch = [
        Input(Classified(item, Origin(0, at)), Record("news.classified", 0, at, "k", b"", 0))
        for at, item in enumerate(items)
    ]
    write = stage.process(batch).write
    assert write is not None
    with store.write() as connection:
        write(connection)
    day = (Dimension.COMPANY_TOPIC, Grain.DAY, T0.replace(hour=0), T0 + timedelta(days=1))
    assert sorted(pages.totals(store, *day, of_company="acme")["key"]) == [
        "acme|Energy",
        "acme|Macro",
    ]
    assert list(pages.totals(store, *day, of_company="ac_e")["key"]) == ["ac_e|Macro"]
    rows = pages.items(store, 5, company_id="acme")
    assert set(rows.columns) == {*pages.ITEM_COLUMNS, *pages.TOWARDS} and len(rows) == 2
    assert list(pages.items(store, 5, topic="Energy")["id"]) == [items[2].article.id]
    ids = [items[3].article.id, "x", items[0].article.id]
    assert list(pages.items_with(store, ids)["id"]) == [ids[0], ids[2]]
