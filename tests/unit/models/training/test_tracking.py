"""A run can be followed, and a tracker that is not installed is named."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is in foreshock[train]")

from models.errors import MissingExtraError
from models.training.config import make_config
from models.training.loop import Epoch, Watch
from models.training.tracking import TRACKERS, tracked

pytestmark = pytest.mark.filterwarnings("ignore")

TABLE: dict[str, Any] = {
    "heads": {"topic": {}},
    "data": [{"head": "topic", "file": "f"}],
}
EPOCH = Epoch(0, 1, 0.5, {"topic": 0.4}, {"topic": 0.8}, {"topic": 0.9})


def test_tensorboard_gets_losses_and_figures(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    told: list[Epoch] = []
    with tracked(make_config(TABLE, "test"), tmp_path, Watch(epoch=told.append)) as watch:
        for done in range(1, 101):
            watch.step(done, 100, 1.0 / done)
        watch.epoch(EPOCH)
    assert told == [EPOCH]
    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert [event.step for event in found.Scalars("train/loss")] == [20, 40, 60, 80, 100]
    assert found.Scalars("valid/topic/macro_f1")[0].value == pytest.approx(0.8)


@pytest.mark.parametrize("name", sorted(TRACKERS))
def test_every_tracker_runs_or_says_what_to_install(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    package = {"wandb": "wandb", "mlflow": "mlflow"}.get(name)
    config = make_config(TABLE | {"track": name}, "test")
    if package is not None and importlib.util.find_spec(package) is None:
        with (
            pytest.raises(MissingExtraError, match=r"foreshock\[tracking\]"),
            tracked(config, tmp_path, Watch()),
        ):
            pass
        return
    with tracked(config, tmp_path, Watch()) as watch:
        watch.step(20, 40, 0.5)
        watch.epoch(EPOCH)
