"""Derived tables made anew from the record: equal, and nothing of people is touched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update
from typer.testing import CliRunner, Result

from monitor.aggregate.digest import digest
from monitor.aggregate.recount import rebuild, verify
from monitor.aggregate.weights import Scale
from monitor.alert.rulebind import load_rules
from monitor.alert.story import Names
from monitor.cli import app
from monitor.domain import ClassifiedArticle, Grain
from monitor.store import Store, acts, alerts, buckets, labels
from monitor.store.schema import buckets as bucket_table
from monitor.store.schema import metadata, publishers
from monitor.stream import LocalStreamSettings, open_broker
from tests.support.desk import WORLD, Desk
from tests.support.make import T0, classified, label, risk

LISTS = {"acme": ("Retail", ("core",)), "zenith": (None, ("core",))}
DERIVED = ("buckets", "publishers")


def news() -> list[ClassifiedArticle]:
    found = [
        classified(
            f"n{n}",
            f"Profit falls {n // 3}",  # copies, so that weights differ
            published_at=T0 + timedelta(minutes=7 * n),
            publisher=f"p{n % 4}.example",
            companies=(("acme",), ("zenith", "acme"), ())[n % 3],
            score=(-0.5, 0.25, 0.0)[n % 3],
        )
        for n in range(60)
    ]
    found.append(classified("n3", "Profit falls less", published_at=T0 + timedelta(hours=3)))
    found.append(
        classified(
            "x", "Acme files", published_at=T0, score=-0.9, risks=[risk()], companies=["acme"]
        )
    )
    return found


def tables(store: Store, names: Sequence[str]) -> dict[str, Any]:
    with store.read() as connection:
        return {
            name: sorted(map(repr, connection.execute(metadata.tables[name].select())))
            for name in names
        }


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Desk:
    """A store with news, an alert, and what people did about it."""
    broker = open_broker(LocalStreamSettings(path=tmp_path / "streams.db"))
    broker.create({"news.articles": 1, "alerts": 1})
    desk = Desk(store, broker, load_rules(None, WORLD), Names({"acme": "Acme"}, {}))
    desk.aggregate.watch(Scale({"p1.example": 0.5}, LISTS))
    (alert,) = desk.tell(news(), T0 + timedelta(hours=8))
    with store.write() as connection:
        acts.acknowledge(connection, alert.id, "ann", T0)
        acts.judge(connection, alert.id, "ann", T0, "true")
        said = labels.add(connection, label("n1"))
        labels.add(connection, label("n2", "neutral"))
        labels.withdraw(connection, said.id or 0, "ann", T0)
    broker.close()
    return desk


def test_what_is_wrong_is_found_and_mended(store: Store, desk: Desk) -> None:
    sound, whole = digest(store), tables(store, list(metadata.tables))
    assert len(whole["labels"]) == 3 and len(whole["verdicts"]) == 1
    assert all(each.is_sound for each in verify(store, {}))
    assert rebuild(store, {}) == sum(len(whole[name]) for name in DERIVED)
    assert tables(store, list(metadata.tables)) == whole

    with store.write() as connection:
        connection.execute(
            update(bucket_table)
            .where(bucket_table.c.grain == "hour", bucket_table.c.key == "acme")
            .values(score_sum=bucket_table.c.score_sum + 1)
        )
        connection.execute(delete(bucket_table).where(bucket_table.c.grain == "day"))
        connection.execute(
            publishers.insert(),
            {"dimension": "topic", "key": "X", "hour_us": 0, "publisher": "p", "items": 1},
        )
    found = {each.part: each for each in verify(store, {})}
    assert found["minute buckets"].is_sound
    assert (found["hour buckets"].wrong > 0, found["hour buckets"].missing) == (True, 0)
    assert found["day buckets"].missing == sum("'day'" in row for row in whole["buckets"])
    assert (found["publishers"].extra, found["publishers"].missing) == (1, 0)
    rebuild(store, {})
    assert tables(store, list(metadata.tables)) == whole
    assert digest(store) == sound
    (alert,) = alerts.latest(store)
    assert alert.acknowledged_by == "ann"


def test_what_retention_deleted_is_not_missed_and_does_not_come_back(
    store: Store, desk: Desk
) -> None:
    before = T0 + timedelta(hours=2)
    with store.write() as connection:
        assert buckets.expire(connection, Grain.MINUTE, before) > 0
    kept = tables(store, DERIVED)
    assert all(each.is_sound for each in verify(store, {Grain.MINUTE: before}))
    assert not all(each.is_sound for each in verify(store, {}))
    rebuild(store, {Grain.MINUTE: before})
    assert tables(store, DERIVED) == kept


def test_what_is_past_its_time_and_there_still_is_rebuilt_too(store: Store, desk: Desk) -> None:
    sound = digest(store)
    rebuild(store, {Grain.MINUTE: T0 + timedelta(hours=2), Grain.HOUR: T0 + timedelta(hours=1)})
    assert digest(store) == sound
    assert sound.buckets_match


def test_the_commands(store: Store, store_url: str, desk: Desk) -> None:
    def foreshock(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["db", *arguments, "--db", store_url])

    assert foreshock("verify").exit_code == 0
    with store.write() as connection:
        connection.execute(delete(bucket_table).where(bucket_table.c.grain == "hour"))
    wrong = foreshock("verify")
    assert wrong.exit_code == 1
    assert "hour buckets                0 rows  " in wrong.stdout
    assert " missing, 0 too many, 0 wrong" in wrong.stdout
    assert "rows written" in foreshock("rebuild").stdout
    found = json.loads(foreshock("verify", "--json").stdout)
    assert [each["part"] for each in found] == [
        "day buckets",
        "hour buckets",
        "minute buckets",
        "publishers",
    ]
