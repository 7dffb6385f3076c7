"""The desk teaches the model: labels, training, gate, promotion while the service runs, and back again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.bundle import load_bundle
from models.classifier import Classifier
from models.text import model_input
from monitor.classify import promoting
from monitor.clock import SystemClock
from monitor.retrain.collect import is_held_out
from monitor.retrain.job import Training
from monitor.settings import Settings, load_settings
from monitor.store import Store, audit, promotions
from monitor.store.retrains import Retrain, State
from monitor.stories.copies import report_key
from tests.support.desk_news import depegs, say, store_read, usual
from tests.support.running import Running

HELD_OUT = 0.4  # so that few labels make a frozen set
OLD, NEW, FROZEN = 280, 300, 90


@pytest.fixture(scope="module")
def champion() -> Classifier:
    return Classifier.load(None, "openvino")


def settings_for(folder: Path, **retrain: object) -> Settings:
    return load_settings(
        None,
        {
            "store": {"url": f"sqlite:///{folder / 'store.db'}"},
            "stream": {"path": folder / "log"},
            "retrain": {
                **{
                    "folder": folder / "models",
                    "held_out": HELD_OUT,
                    "old": 100,
                    "shadow": 0.0,
                },
                **{"gate": {"frozen": FROZEN}, **retrain},
            },
        },
    )


def trained(settings: Settings, store: Store, folder: Path) -> Retrain:
    return Training(settings, store, "test", SystemClock(), data=folder / "none").run("ann", "test")


def accuracy(classifier: Classifier, rows: list[tuple[str, str]]) -> float:
    found = classifier.predict([model_input(text) for text, _ in rows])
    return sum(f.sentiment == v for f, (_, v) in zip(found, rows, strict=True)) / len(rows)


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr("monitor.classify.serving.LOOK_EVERY", timedelta(seconds=0.1))
    folder = tmp_path / "live"
    running = Running(folder)
    yield running
    running.service.close()


@pytest.mark.timeout(180)
def test_labels_of_a_new_kind_of_news_change_the_model_that_serves(
    live: Running, champion: Classifier, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path / "live", promote="gate")
    store, now = live.store, datetime.now(UTC)
    ordinary, coins = usual(OLD), depegs(NEW)
    items = store_read(store, champion, [*coins, *(text for text, _ in ordinary)])
    for who in ("ann", "bob"):
        say(store, items[NEW:], [v for _, v in ordinary], who, now - timedelta(days=90))
        say(store, items[:NEW], ["negative"] * NEW, who, now)
    # The champion gets them wrong.
    assert sum(item.sentiment == "negative" for item in items[:NEW]) < NEW / 2

    found = trained(settings, store, tmp_path)

    assert found.state is State.PASSED, found.detail
    assert found.report is not None
    frozen, recent = found.report["sets"]
    assert (frozen["on"], recent["on"]) == ("frozen", "recent")
    assert frozen["difference"] >= -0.005
    assert recent["candidate"] > recent["champion"] + 0.3
    # Nothing that measures was learnt, and others of the kind are read rightly too.
    held = [text for text in coins if is_held_out(report_key(text), HELD_OUT)]
    assert recent["rows"] == len(held)
    assert found.rows["sentiment"]["new"] == sum(
        not is_held_out(report_key(item.article.title), HELD_OUT) for item in items
    )
    candidate = Classifier.load(Path(found.folder), "openvino")
    others = [text for text in depegs(400, seed=7) if text not in coins][:40]
    assert accuracy(candidate, [(text, "negative") for text in others]) > 0.9
    elsewhere = [row for row in usual(500, seed=8) if row not in ordinary][:100]
    assert accuracy(candidate, elsewhere) >= accuracy(champion, elsewhere) - 0.005

    # What the gate promoted classifies the next item of the service that runs, without a restart.
    wrong = next(
        text
        for text, said in zip(others, champion.predict(list(map(model_input, others))), strict=True)
        if said.sentiment != "negative"
    )
    live.until(lambda: serving(live) == found.hash)
    live.publish(wrong)
    live.until(lambda: read_as(live, wrong) is not None)
    assert read_as(live, wrong) == ("negative", found.hash)
    again = f"{wrong}, sources say"
    promoting.roll_back(store, settings.model, "eve", datetime.now(UTC), "trial")
    live.until(lambda: serving(live) == champion.bundle.hash)
    live.publish(again)
    live.until(lambda: read_as(live, again) is not None)
    (expected,) = champion.predict([model_input(again)])
    assert read_as(live, again) == (expected.sentiment, load_bundle().hash)
    acts = [(each.entry.who, each.entry.act) for each in audit.newest(store, 4)]
    assert acts == [
        ("eve", "rolled back"),
        ("ann", "promoted"),
        ("ann", "gated"),
        ("ann", "retrain"),
    ]
    assert audit.verify(store).troubles == ()


def serving(live: Running) -> str:
    return str(live.service.stages["classify"].router.main.bundle.hash)  # type: ignore[attr-defined]


def read_as(live: Running, title: str) -> tuple[str | None, str] | None:
    found = (item for item in live.stored() if item.article.title == title)
    item = next(found, None)
    return None if item is None else (item.sentiment, item.bundle_hash)


@pytest.mark.timeout(180)
def test_poisoned_labels_of_one_analyst_do_not_pass(champion: Classifier, tmp_path: Path) -> None:
    """Even where all of them are learnt, which the settings do not let them be, beside honest news."""
    settings = settings_for(tmp_path, single=NEW, promote="gate")
    store, now = Store(settings.store.url), datetime.now(UTC)
    ordinary, coins = usual(OLD), depegs(100)
    bad = [text for text, v in usual(1800, seed=9) if v == "negative" and (text, v) not in ordinary]
    bad = bad[:NEW]
    assert len(bad) == NEW
    items = store_read(store, champion, [*coins, *(text for text, _ in ordinary), *bad])
    for who in ("ann", "bob"):
        say(store, items[100:-NEW], [v for _, v in ordinary], who, now - timedelta(days=90))
        say(store, items[:100], ["negative"] * 100, who, now)
    say(store, items[-NEW:], ["positive"] * NEW, "mallory", now)

    found = trained(settings, store, tmp_path)

    assert found.rows["sentiment"]["by single"] > 100
    assert found.state is State.REFUSED
    assert "on the frozen set, more than 0.50 points" in found.detail
    with store.read() as connection:
        assert promotions.latest(connection) == []
    again = Training(settings, store, "test", SystemClock(), data=tmp_path / "none")
    assert again.gate_again(found.number, "eve").reasons == tuple(found.report["reasons"])  # type: ignore[index]
    assert [each.entry.who for each in audit.newest(store, 2)] == ["eve", "ann"]
    store.close()
