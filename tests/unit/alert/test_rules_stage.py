"""What the alert stage makes of several rules: over a real store, from articles to alerts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alert.explain import explain
from monitor.alert.rulebind import World, load_rules
from monitor.alert.rulebook import rule_book
from monitor.alert.states import rules_of
from monitor.alert.story import Names
from monitor.domain import Alert, AlertKind, AlertState, ClassifiedArticle
from monitor.store import Store, alerts
from monitor.stream import LocalStreamSettings, open_broker
from monitor.stream.port import Broker
from tests.support.desk import WORLD, Desk
from tests.support.make import T0, classified, risk

HOUR = timedelta(hours=1)
NAMES = Names(
    {"acme": "Acme Corp", "zenith": "Zenith", "orbit": "Orbit"},
    {"bankruptcy": "insolvency", "default": "insolvency"},
)


def desk_of(store: Store, broker: Broker, world: World, folder: Path, text: str) -> Desk:
    file = folder / "rules.yaml"
    file.write_text(text, "utf-8")
    return Desk(store, broker, load_rules(file, world), NAMES)


def item(
    name: str,
    hour: float = 0,
    *,
    company: str = "acme",
    event: str = "bankruptcy",
    severity: int = 4,
    stage: str = "confirmed",
    publisher: str = "wire.example",
) -> ClassifiedArticle:
    return classified(
        name,
        f"{company} files, {name}",
        published_at=T0 + hour * HOUR,
        publisher=publisher,
        score=-0.9,
        companies=(company,),
        risks=[risk(event, severity, stage)],
    )


BOTH = """
rules:
  - {name: grave, kind: story, description: d, min_severity: 4}
  - {name: any, kind: story, description: d, min_severity: 1}
  - {name: other, kind: story, description: d, only: {companies: [Orbit]}}
"""


def test_two_rules_on_one_event_are_one_alert_that_names_both(
    sqlite_store: Store, broker: Broker, world: World, tmp_path: Path
) -> None:
    desk = desk_of(sqlite_store, broker, world, tmp_path, BOTH)
    (alert,) = desk.tell([item("a")], T0 + HOUR)
    assert list(rules_of(alert)) == ["grave", "any"]
    assert explain(alert, "Acme Corp")[-1] == "Alert rules: “grave”, “any”."
    assert [each.change for each in alerts.history(sqlite_store, alert.id)] == ["fired"]


def test_a_rule_that_joins_later_is_named_with_the_time_it_did(
    sqlite_store: Store, broker: Broker, world: World, tmp_path: Path
) -> None:
    desk = desk_of(sqlite_store, broker, world, tmp_path, BOTH)
    later = item("b", 2)
    (alert,) = desk.tell([item("a", severity=2), later], T0 + 3 * HOUR)
    assert list(rules_of(alert)) == ["any", "grave"]
    assert rules_of(alert)["grave"] == later.article.ingested_at.isoformat()
    changes = [each.change for each in alerts.history(sqlite_store, alert.id)]
    assert changes == ["fired", "escalated"]


def test_an_alert_waits_for_as_many_publishers_as_its_rule_says(
    sqlite_store: Store, broker: Broker, world: World, tmp_path: Path
) -> None:
    text = "rules: [{name: sure, kind: story, description: d, publishers: 2}]"
    desk = desk_of(sqlite_store, broker, world, tmp_path, text)
    assert desk.tell([item("a"), item("b", 1), item("r", 1, stage="rumour")], T0 + 2 * HOUR) == []
    (alert,) = desk.tell([item("c", 2, publisher="second.example")], T0 + 3 * HOUR)
    assert alert.publishers == 2
    assert alert.started_at == T0


def test_groups_have_their_own_thresholds(
    sqlite_store: Store, broker: Broker, world: World, tmp_path: Path
) -> None:
    text = """
rules:
  - {name: trouble, kind: story, description: d, min_severity: 5,
     for_groups: {loans: {min_severity: 2}}}
"""
    desk = desk_of(sqlite_store, broker, world, tmp_path, text)
    items = [item(company, company=company, severity=3) for company in ("zenith", "orbit")]
    assert [alert.key for alert in desk.tell(items, T0 + HOUR)] == ["zenith"]


def test_a_story_reaches_those_who_depend_on_the_company(
    sqlite_store: Store, broker: Broker, world: World, tmp_path: Path
) -> None:
    text = """
rules:
  - {name: supplier, kind: exposure, description: d, relations: [supplier], min_severity: 4}
"""
    desk = desk_of(sqlite_store, broker, world, tmp_path, text)
    mild, denial = item("mild", severity=3), item("no", 2, stage="denied")
    assert desk.tell([mild], T0 + HOUR) == []
    (alert,) = desk.tell([item("a", 1), denial], T0 + 3 * HOUR)
    assert (alert.key, alert.severity, alert.kind) == ("zenith", 3, AlertKind.STORY)
    assert alert.title == "Zenith: exposed to its supplier Acme Corp: bankruptcy"
    assert alert.details["denied"] is True
    said = " ".join(explain(alert, "Zenith"))
    assert "It is told of Zenith because Acme Corp is its supplier." in said
    # One that names the other company itself is left to the story rules.
    both = classified(
        "both",
        "x",
        published_at=T0 + 90 * HOUR,
        companies=("acme", "zenith"),
        score=-0.9,
        risks=[risk("recall", 5)],
    )
    assert len(desk.tell([both], T0 + 91 * HOUR)) == 1


COMPOUND = """
rules:
  - {name: fall, kind: story, description: d, events: [bankruptcy]}
  - {name: bad-goods, kind: story, description: d, events: [recall]}
  - {name: two-signs, kind: compound, description: Two signs, all: [fall, bad-goods],
     within_hours: 6, severity: 5}
  - {name: only-goods, kind: compound, description: Goods, all: [bad-goods], none: [fall],
     within_hours: 6}
"""


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ((0, 3), ["two-signs"]),
        ((3, 0), ["only-goods", "two-signs"]),  # when the goods came, nothing had fallen yet
        ((0, 9), ["only-goods"]),
        ((9, 0), ["only-goods"]),
    ],
)
def test_alerts_put_together(
    sqlite_store: Store,
    broker: Broker,
    world: World,
    tmp_path: Path,
    hours: tuple[float, float],
    expected: list[str],
) -> None:
    desk = desk_of(sqlite_store, broker, world, tmp_path, COMPOUND)
    fall, goods = item("f", hours[0]), item("g", hours[1], event="recall")
    items = [fall, goods, item("z", 1, company="zenith", event="recall", severity=1)]
    found = desk.tell(items, T0 + 20 * HOUR)
    compounds = {alert.event: alert for alert in found if alert.kind is AlertKind.COMPOUND}
    assert sorted(compounds) == sorted(name.replace("-", "_") for name in expected)
    if "two-signs" in expected:
        alert = compounds["two_signs"]
        assert (alert.key, alert.severity, alert.title) == ("acme", 5, "Acme Corp: Two signs")
        assert alert.started_at == T0 + max(hours) * HOUR + timedelta(seconds=30)
        assert {proof.title for proof in alert.evidence} == {
            each.article.title for each in (fall, goods)
        }
        said = " ".join(explain(alert, "Acme Corp"))
        assert f"“fall” at {fall.article.ingested_at:%d %b %H:%M} UTC (alert " in said


SEVERAL = (
    BOTH
    + """
  - {name: sure, kind: story, description: d, min_severity: 1, publishers: 2}
  - {name: exposed, kind: exposure, description: d, min_severity: 2}
  - {name: two, kind: compound, description: t, any: [grave, any], none: [other]}
  - {name: dead, kind: absence, description: d, silent_hours: 2}
  - {name: crowd, kind: surge, description: d, measure: volume, min_items: 3, volume_z: 2,
     warmup_days: 0, hold_minutes: 60}
"""
)

events = st.tuples(
    st.integers(0, 40),
    st.sampled_from(["acme", "zenith", "orbit"]),
    st.sampled_from(["bankruptcy", "default", "recall"]),
    st.integers(1, 5),
    st.sampled_from(["confirmed", "rumour", "denied", "amended"]),
    st.sampled_from(["a.example", "b.example", "c.example"]),
)


@settings(max_examples=6)
@given(
    st.lists(events, min_size=3, max_size=10, unique_by=lambda row: row[0]),
    st.lists(st.integers(1, 40), max_size=3),
    st.integers(0, 1000),
)
def test_any_order_and_batches_and_double_delivery_give_the_same_alerts(
    rows: list[tuple[int, str, str, int, str, str]], cuts: list[int], seed: int
) -> None:
    items = [
        item(
            f"{hour}",
            hour,
            company=company,
            event=event,
            severity=severity,
            stage=stage,
            publisher=publisher,
        )
        for hour, company, event, severity, stage, publisher in rows
    ]
    whole = run(sorted(items, key=lambda each: each.article.id), [])
    chance = random.Random(seed)
    shuffled = [*items, *chance.sample(items, len(items) // 2)]
    chance.shuffle(shuffled)
    assert run(shuffled, cuts) == whole


def run(items: Sequence[ClassifiedArticle], cuts: Sequence[int]) -> list[tuple[object, ...]]:
    """Return everything that is known of the alerts; ``cuts`` are hours at which the stage looks."""
    with TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/store.db")
        broker = open_broker(LocalStreamSettings(path=Path(folder) / "streams.db"))
        broker.create({"news.articles": 1, "news.classified": 1, "alerts": 1})
        desk = desk_of(store, broker, WORLD, Path(folder), SEVERAL)
        found: list[Alert] = []
        begin = T0 - HOUR
        for until in (*(T0 + cut * HOUR for cut in sorted(cuts)), T0 + 60 * HOUR):
            part = [each for each in items if begin < each.article.ingested_at <= until]
            found = desk.tell(part, until)
            begin = until
        told = [
            (alert, [(e.at, e.change) for e in alerts.history(store, alert.id)])
            for alert in sorted(found, key=lambda alert: alert.id)
        ]
        broker.close()
        store.close()
    return [
        (a.id, a.state, a.severity, a.title, a.updated_at, a.resolved_at, a.details, a.evidence, h)
        for a, h in told
    ]


@pytest.mark.parametrize(("mark", "told"), [("denied", "denied"), ("revoked", "withdrawn")])
@pytest.mark.parametrize("minutes", [-2, 2])
def test_an_answer_that_was_decided_before_its_report_is_told(
    sqlite_store: Store,
    broker: Broker,
    world: World,
    tmp_path: Path,
    mark: str,
    told: str,
    minutes: int,
) -> None:
    desk = desk_of(sqlite_store, broker, world, tmp_path, BOTH)
    answer = item("no", minutes / 60, stage=mark, publisher="acme.example")
    # Its wire is slow: the report was published at T0 and comes ten minutes later.
    late = item("a")
    late = replace(late, article=replace(late.article, ingested_at=T0 + HOUR / 6))
    assert desk.tell([answer], T0 + HOUR / 10) == []
    (alert,) = desk.tell([late, item("b", 2)], T0 + 3 * HOUR)
    assert [each.change for each in alerts.history(sqlite_store, alert.id)] == ["fired", told]
    assert alert.details[told] is True
    assert {proof.mark for proof in alert.evidence} == {"", mark}


def test_an_older_answer_is_none_to_a_report(
    sqlite_store: Store, broker: Broker, world: World, tmp_path: Path
) -> None:
    desk = desk_of(sqlite_store, broker, world, tmp_path, BOTH)
    (alert,) = desk.tell([item("no", stage="denied"), item("a", 1)], T0 + 2 * HOUR)
    assert "denied" not in alert.details


def silent_desk(store: Store, broker: Broker, world: World, folder: Path, rule: str) -> Desk:
    return desk_of(
        store,
        broker,
        world,
        folder,
        f"rules: [{{name: dead, kind: absence, description: d, {rule}}}]",
    )


def plain(name: str, at: datetime, publisher: str = "wire.example") -> ClassifiedArticle:
    return classified(name, name, published_at=at, ingested_at=at, publisher=publisher)


def test_a_silence_is_told_once_and_is_over_with_the_next_item(
    sqlite_store: Store, broker: Broker, world: World, tmp_path: Path
) -> None:
    desk = silent_desk(sqlite_store, broker, world, tmp_path, "of: source, silent_hours: 2")
    assert desk.tell([plain("a", T0), plain("b", T0 + HOUR)], T0 + 3 * HOUR - HOUR / 60) == []
    for hour in (3, 4, 30):
        (alert,) = desk.tell([], T0 + hour * HOUR)
        assert (alert.state, alert.started_at) == (AlertState.FIRING, T0 + 3 * HOUR)
        assert alert.title == "Nothing new from source wire"
    (alert,) = desk.tell([plain("c", T0 + 31 * HOUR)], T0 + 32 * HOUR)
    assert (alert.state, alert.resolved_at) == (AlertState.RESOLVED, T0 + 31 * HOUR)
    changes = [each.change for each in alerts.history(sqlite_store, alert.id)]
    assert changes == ["fired", "resolved"]
    assert "wire sent nothing new since 05 Jan 10:00 UTC." in explain(alert, "wire")
    again = desk.tell([], T0 + 40 * HOUR)
    assert sorted(each.state for each in again) == ["firing", "resolved"]


def test_a_silence_goes_on_after_a_restart_and_ends_with_its_rule(
    sqlite_store: Store, broker: Broker, world: World, tmp_path: Path
) -> None:
    rule = "of: pipeline, silent_hours: 2"
    desk = silent_desk(sqlite_store, broker, world, tmp_path, rule)
    (before,) = desk.tell([plain("a", T0)], T0 + 5 * HOUR)
    restarted = silent_desk(sqlite_store, broker, world, tmp_path, rule)
    (after,) = restarted.tell([], T0 + 6 * HOUR)
    assert (after.id, after.state) == (before.id, AlertState.FIRING)
    without = desk_of(sqlite_store, broker, world, tmp_path, "rules: []")
    (ended,) = without.tell([], T0 + 7 * HOUR)
    assert (ended.state, ended.resolved_at) == (AlertState.RESOLVED, T0 + 7 * HOUR)


def test_where_nothing_is_collected_any_more_the_clock_tells(
    sqlite_store: Store, broker: Broker, world: World, tmp_path: Path
) -> None:
    desk = silent_desk(sqlite_store, broker, world, tmp_path, "of: pipeline, silent_hours: 2")
    desk.clock.advance_to(T0 + HOUR)
    assert desk.tell([plain("a", T0)], T0 + HOUR, replay=False) == []
    desk.clock.advance_to(T0 + 5 * HOUR)  # the collector is dead: the watermark stands
    (alert,) = desk.tell([], T0 + HOUR, replay=False)
    assert (alert.started_at, alert.decided_at) == (T0 + 2 * HOUR, T0 + 5 * HOUR)
    desk.clock.advance_to(T0 + 6 * HOUR)
    late = plain("b", T0 + 5.9 * HOUR)
    (alert,) = desk.tell([late], T0 + 5.9 * HOUR, replay=False)
    assert (alert.state, alert.resolved_at) == (AlertState.RESOLVED, late.article.ingested_at)


def test_what_is_usual_is_learned_by_publisher(
    sqlite_store: Store, broker: Broker, world: World, tmp_path: Path
) -> None:
    desk = silent_desk(sqlite_store, broker, world, tmp_path, "of: publisher, times_usual: 3")
    busy = [
        plain(f"{publisher} {n}", T0 + n * each * HOUR, publisher)
        for publisher, each in (("hourly.example", 1), ("daily.example", 4))
        for n in range(24 * 14 // each)
    ]
    desk.tell(busy, T0 + 14 * 24 * HOUR)
    late = T0 + (24 * 14 + 6) * HOUR
    assert [alert.key for alert in desk.tell([], late)] == ["hourly.example"]
    found = desk.tell([], late + 6 * HOUR)
    assert sorted(alert.key for alert in found) == ["daily.example", "hourly.example"]


def test_a_name_that_never_sent_anything_is_silent(
    sqlite_store: Store, broker: Broker, world: World, tmp_path: Path
) -> None:
    rule = "of: source, silent_hours: 2, names: [wire, other]"
    desk = silent_desk(sqlite_store, broker, world, tmp_path, rule)
    found = desk.tell([plain(f"{n}", T0 + n * HOUR) for n in range(6)], T0 + 6 * HOUR)
    assert [alert.key for alert in found] == ["other"]


def test_rules_change_live_and_never_in_a_replay(
    sqlite_store: Store, broker: Broker, world: World, tmp_path: Path
) -> None:
    file = tmp_path / "rules.yaml"
    desk = desk_of(sqlite_store, broker, world, tmp_path, "rules: []")
    book = rule_book(lambda: load_rules(file, world), file, desk.clock, desk.metrics)
    desk.alert.book = book
    file.write_text(BOTH, "utf-8")
    desk.clock.advance_to(T0 + HOUR)
    assert desk.tell([item("a")], T0 + HOUR) == []
    assert list(book.value) == []
    (alert,) = desk.tell([item("b")], T0 + HOUR, replay=False)
    assert list(rules_of(alert)) == ["grave", "any"]


def test_how_long_an_alert_lives_is_not_said_by_who_joins_too_late(
    sqlite_store: Store, broker: Broker, world: World, tmp_path: Path
) -> None:
    text = """
rules:
  - {name: short, kind: story, description: d, quiet_hours: 10, cooldown_hours: 0, publishers: 1,
     exclude: {publishers: [b.example]}}
  - {name: long, kind: story, description: d, quiet_hours: 90, min_severity: 5}
"""
    desk = desk_of(sqlite_store, broker, world, tmp_path, text)
    later = item("b", 20, severity=5, publisher="b.example")
    found = desk.tell([item("a"), later], T0 + 21 * HOUR)
    assert sorted(alert.state for alert in found) == [AlertState.FIRING, AlertState.RESOLVED]
    ended = next(alert for alert in found if alert.state is AlertState.RESOLVED)
    assert ended.resolved_at == T0 + 10 * HOUR


def test_surge_rules_of_one_key_are_one_alert_but_for_volume(
    sqlite_store: Store, broker: Broker, world: World, tmp_path: Path
) -> None:
    text = """
rules:
  - {name: bad, kind: surge, description: d, dimensions: [company]}
  - {name: worse, kind: surge, description: d, dimensions: [company], min_negative: 6}
  - {name: share, kind: surge, description: d, measure: share, min_items: 5, dimensions: [company]}
  - {name: much, kind: surge, description: d, measure: volume, min_items: 8, dimensions: [company]}
  - {name: held, kind: surge, description: d, measure: volume, min_items: 8, hold_minutes: 120,
     dimensions: [company], windows_minutes: [360]}
  - {name: not-mine, kind: surge, description: d, measure: volume, only: {companies: [Orbit]}}
"""
    desk = desk_of(sqlite_store, broker, world, tmp_path, text)
    midnight, trouble = T0.replace(hour=0), T0.replace(hour=0) + timedelta(days=12, hours=10)
    quiet = [
        classified(
            f"quiet {n}",
            f"Report {n}",
            published_at=midnight + n * HOUR,
            sentiment="negative" if n % 5 == 0 else "neutral",
            score=-0.4 if n % 5 == 0 else 0.0,
        )
        for n in range(0, 12 * 24, 4)
    ]
    burst = [
        classified(f"b{n}", f"Plant {n} of many on fire", published_at=trouble + n * HOUR / 60)
        for n in range(20)
    ]
    found = {a.fingerprint: a for a in desk.tell([*quiet, *burst], trouble + HOUR)}
    assert set(found) == {"surge|company|acme", "surge|company|acme|volume"}
    assert {"bad", "worse"} <= set(rules_of(found["surge|company|acme"]))
    much = found["surge|company|acme|volume"]
    assert set(rules_of(much)) == {"much"}
    assert much.title == "Acme Corp: news far above usual"
    assert any(
        line.startswith("20 items on") or " items on " in line for line in explain(much, "x")
    )
    found = {a.fingerprint: a for a in desk.tell([], trouble + 3 * HOUR)}
    # Nothing new came; what began two hours ago has held.
    assert set(rules_of(found["surge|company|acme|volume"])) == {"much", "held"}
