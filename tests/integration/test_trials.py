"""A candidate is tried on live news: in the shadow nothing it says counts, as a canary its share does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.bundle import Bundle, load_bundle
from models.refit.fit import HeadWeights
from models.refit.write import head_weights, write_refit
from monitor.classify.trial import in_sample
from monitor.store import audit, comparisons, retrains
from monitor.store.retrains import Trial
from tests.support.desk_news import usual
from tests.support.running import Running


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr("monitor.classify.serving.LOOK_EVERY", timedelta(seconds=0.1))
    monkeypatch.setattr("monitor.classify.trial.LOOK_EVERY", timedelta(seconds=0.1))
    running = Running(tmp_path / "live", model={"slowest": 5.0})
    yield running
    running.service.close()


def candidate(live: Running, folder: Path) -> tuple[int, Bundle]:
    """A training whose candidate takes good for bad, though the gate let it pass."""
    shipped = load_bundle()
    head = head_weights(shipped, "sentiment")
    made = HeadWeights(head.weight[::-1], head.bias[::-1])
    bundle = write_refit(
        shipped, folder, {"sentiment": made}, version="4+1", training={}, data=(), card=""
    )
    now = datetime.now(UTC)
    with live.store.write() as connection:
        number = retrains.begin(
            *(connection, "ann", "test", "here:1", (shipped.hash, "foreshock-en 4"), 0, now)
        )
        retrains.candidate(
            *(connection, number, str(folder), bundle.hash, bundle.model_version, {})
        )
        retrains.gated(connection, number, "ann", now, True, {"champion": shipped.hash}, "")
    return number, bundle


def tried(live: Running, number: int, trial: Trial, share: float) -> None:
    with live.store.write() as connection:
        retrains.put_on_trial(connection, number, trial, share, "ann", datetime.now(UTC))


def loaded(live: Running, bundle: Bundle) -> bool:
    held = live.service.stages["classify"].trials._candidate  # type: ignore[attr-defined]
    return held is not None and held.bundle.hash == bundle.hash


def state(live: Running, number: int) -> Trial:
    with live.store.read() as connection:
        return retrains.get(connection, number).trial


@pytest.mark.timeout(180)
def test_a_shadow_counts_for_nothing_and_a_bad_canary_retreats(
    live: Running, tmp_path: Path
) -> None:
    number, bundle = candidate(live, tmp_path / "candidate")
    shipped = load_bundle().hash
    titles = [text for text, _ in usual(140)]
    tried(live, number, Trial.SHADOW, 0.5)
    live.until(lambda: loaded(live, bundle))
    live.publish(*titles[:40])
    live.until(lambda: len(live.stored()) == 40)
    assert {item.bundle_hash for item in live.stored()} == {shipped}
    with live.store.read() as connection:
        found = comparisons.of_training(connection, number, 100)
    wanted = {i.article.id for i in live.stored() if in_sample(i.article.id, number, 0.5)}
    assert {each.article_id for each in found} == wanted
    assert 5 < len(wanted) < 35
    assert not any(each.served for each in found)
    assert any(not each.alike for each in found)

    tried(live, number, Trial.CANARY, 0.5)
    live.until(lambda: live.service.stages["classify"].trials._trial.share == 0.5)  # type: ignore[attr-defined]
    live.publish(*titles[40:])
    live.until(lambda: len(live.stored()) == 140)
    live.until(lambda: state(live, number) is Trial.RETREATED)
    served = {i.article.title for i in live.stored() if i.bundle_hash == bundle.hash}
    assert served
    assert all(
        in_sample(i.article.id, number, 0.5) for i in live.stored() if i.bundle_hash == bundle.hash
    )
    entry = audit.newest(live.store, 1)[0].entry
    assert (entry.who, entry.act, entry.after["trial"]) == ("classify", "trial", "retreated")
    assert "differs from the champion on" in entry.comment
    again = [f"{title}, sources say" for title in titles[:20]]
    live.publish(*again)
    live.until(lambda: len(live.stored()) == 160)
    assert {i.bundle_hash for i in live.stored() if i.article.title in again} == {shipped}


@pytest.mark.timeout(180)
def test_a_candidate_that_cannot_be_loaded_ends_its_trial(live: Running, tmp_path: Path) -> None:
    number, bundle = candidate(live, tmp_path / "candidate")
    weights = bundle.path("weights.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    tried(live, number, Trial.CANARY, 1.0)
    live.until(lambda: state(live, number) is Trial.RETREATED)
    live.publish("Acme profit falls")
    live.until(lambda: len(live.stored()) == 1)
    assert live.stored()[0].bundle_hash == load_bundle().hash
