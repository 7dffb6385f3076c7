"""The model is exchanged while news is classified: nothing is lost, and what cannot serve does not."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from models.bundle import load_bundle, shipped_bundle, write_manifest
from models.labels import HeadKind
from monitor.cli import app
from monitor.store import Store, promotions
from tests.support.running import Running


def bundle(folder: Path, version: str, first_label: str | None = None) -> Path:
    """The shipped bundle under another version, and so with another hash."""
    shutil.copytree(shipped_bundle(), folder)
    made = load_bundle(folder)
    made = replace(made, version=version, max_tokens=made.max_tokens - int(version[0]))
    if first_label is not None:
        heads = [
            replace(head, labels=(first_label, *head.labels[1:]))
            if head.kind is HeadKind.SINGLE and head.name == "topic"
            else head
            for head in made.heads
        ]
        made = replace(made, heads=tuple(heads))
    write_manifest(made)
    return folder


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.classify.serving.LOOK_EVERY", timedelta(seconds=0.1))


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path / "live")
    yield running
    running.service.close()


def foreshock(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["models", *(str(argument) for argument in arguments)])


def test_another_model_takes_over_under_load_and_gives_back(live: Running, tmp_path: Path) -> None:
    stop, published = threading.Event(), 0

    def load() -> None:
        nonlocal published
        while not stop.is_set():
            live.publish(*(f"Acme profit falls, item {published + n}" for n in range(20)))
            published += 20
            stop.wait(0.1)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        db = ("--db", live.url)
        live.until(lambda: bool(live.stored()))
        other = bundle(tmp_path / "other", "5.1")
        promoted = foreshock("promote", other, *db, "--by", "ann", "--comment", "trial")
        assert promoted.exit_code == 0, promoted.output
        assert "runs foreshock-en 5.1" in promoted.stdout
        live.until(lambda: seen(live, "foreshock-en 5.1"))
        back = foreshock("rollback", *db, "--by", "bob")
        assert back.exit_code == 0, back.output
        shipped = load_bundle()
        assert f"runs {shipped.model_version}" in back.stdout
    finally:
        stop.set()
        thread.join()
    live.until(lambda: len(live.stored()) == published)
    assert live.digest().buckets_match
    versions = {(item.model_version, item.bundle_hash) for item in live.stored()}
    assert versions == {
        (shipped.model_version, shipped.hash),
        ("foreshock-en 5.1", load_bundle(other).hash),
    }
    found = json.loads(foreshock("status", *db, "--json").stdout)
    assert [(each["who"], each["rollback"]) for each in found["promotions"]] == [
        ("bob", True),
        ("ann", False),
    ]
    assert "ann promoted foreshock-en 5.1" in foreshock("status", *db).stdout
    nothing = foreshock("rollback", *db)
    assert nothing.exit_code == 2
    assert "nothing to go back to" in nothing.stderr


def seen(live: Running, version: str) -> bool:
    return any(item.model_version == version for item in live.stored())


@pytest.mark.parametrize("wrong", ["missing", "corrupt", "labels", "slower"])
def test_what_cannot_serve_leaves_the_champion(tmp_path: Path, wrong: str) -> None:
    slowest = 0.001 if wrong == "slower" else 3.0  # the others are as fast as the champion
    live = Running(tmp_path / "live", model={"slowest": slowest})
    try:
        folder = bundle(tmp_path / "other", "5.1", "Weather" if wrong == "labels" else None)
        hash_ = load_bundle(folder).hash
        # Sound when it was promoted, and not any more when it is loaded.
        if wrong == "missing":
            shutil.rmtree(folder)
        elif wrong == "corrupt":
            weights = folder / "weights.safetensors"
            weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
        with live.store.write() as connection:
            now = datetime.now(UTC)
            promotions.promote(connection, str(folder), hash_, "foreshock-en 5.1", "", "ann", now)
        live.until(lambda: outcomes(live.store) == [(1, wrong)])
        live.publish("Acme profit falls")
        live.until(lambda: len(live.stored()) == 1)
        assert live.stored()[0].bundle_hash == load_bundle().hash
        swaps = live.outside.metrics.swaps
        assert [swaps.labels(outcome)._value.get() for outcome in (wrong, "serving")] == [1, 0]
        assert f"promotion 1 refused, {wrong}: " in foreshock("status", "--db", live.url).stdout
    finally:
        live.service.close()


def outcomes(store: Store) -> list[tuple[int, str]]:
    with store.read() as connection:
        found = promotions.reports(connection, datetime.now(UTC))
    return [(state.number, state.outcome) for state in found]


def test_a_promotion_outlives_a_restart_until_the_setting_changes(tmp_path: Path) -> None:
    other, third = bundle(tmp_path / "other", "5.1"), bundle(tmp_path / "third", "6.1")

    def serves(**settings: object) -> str:
        live = Running(tmp_path / "live", model=settings)
        try:
            return str(live.service.stages["classify"].router.main.bundle.version)  # type: ignore[attr-defined]
        finally:
            live.service.close()

    before = serves()
    store = Store(f"sqlite:///{tmp_path / 'live' / 'store.db'}")
    assert foreshock("promote", other, "--db", store.name, "--wait", "0").exit_code == 0
    assert serves() == "5.1"
    assert serves(bundle=third) == "6.1"
    shutil.rmtree(other)
    assert serves() == before
    refused = foreshock("promote", other, "--db", store.name)
    assert refused.exit_code == 2
    assert "no bundle here" in refused.stderr
