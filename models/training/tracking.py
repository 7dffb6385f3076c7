"""Where a run can be followed: TensorBoard by default, W&B or MLflow by extra."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.errors import MissingExtraError
from models.training.config import TrainConfig
from models.training.loop import Epoch, Watch

#: Steps between two points of the loss.
EVERY = 20

#: Writes figures by name at a step.
Log = Callable[[Mapping[str, float], int], None]


@contextmanager
def tracked(config: TrainConfig, folder: Path, watch: Watch) -> Iterator[Watch]:
    """Tell a tracker of everything `watch` is told of.

    Parameters
    ----------
    config
        ``track`` names the tracker; the whole of it is stored with the run.
    folder
        For what a tracker writes here.

    Raises
    ------
    MissingExtraError
        When the tracker's package is not installed.
    """
    with TRACKERS[config.track](config, folder) as log:
        last = 0

        def step(done: int, total: int, loss: float) -> None:
            nonlocal last
            watch.step(done, total, loss)
            if done >= last + EVERY:
                last = done
                log({"train/loss": loss}, done)

        def epoch(figures: Epoch) -> None:
            watch.epoch(figures)
            found = {"valid/selection": figures.selection}
            for head in figures.macro_f1:
                found[f"valid/{head}/loss"] = figures.valid_loss[head]
                found[f"valid/{head}/macro_f1"] = figures.macro_f1[head]
                found[f"valid/{head}/accuracy"] = figures.accuracy[head]
            log(found, figures.number + 1)

        yield replace(watch, step=step, epoch=epoch)


@contextmanager
def _nothing(config: TrainConfig, folder: Path) -> Iterator[Log]:
    yield lambda figures, step: None


@contextmanager
def _tensorboard(config: TrainConfig, folder: Path) -> Iterator[Log]:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("TensorBoard", "train", "tensorboard") from error
    writer = SummaryWriter(str(folder / "tensorboard"))
    writer.add_text("recipe", f"```\n{config.model_dump_json(indent=1)}\n```")

    def log(figures: Mapping[str, float], step: int) -> None:
        for name, value in figures.items():
            writer.add_scalar(name, value, step)

    try:
        yield log
    finally:
        writer.close()


@contextmanager
def _wandb(config: TrainConfig, folder: Path) -> Iterator[Log]:
    try:
        import wandb
    except ImportError as error:
        raise MissingExtraError("W&B", "tracking", "wandb") from error
    run = wandb.init(
        project="foreshock",
        name=config.name,
        dir=str(folder),
        config=config.model_dump(mode="json"),
    )
    try:
        # Losses count in steps and figures in epochs: W&B's own step cannot go back.
        yield lambda figures, step: run.log({**figures, "at": step})
    finally:
        run.finish()


@contextmanager
def _mlflow(config: TrainConfig, folder: Path) -> Iterator[Log]:
    try:
        import mlflow
    except ImportError as error:
        raise MissingExtraError("MLflow", "tracking", "mlflow-skinny") from error
    mlflow.set_experiment("foreshock")
    with mlflow.start_run(run_name=config.name):
        mlflow.log_dict(config.model_dump(mode="json"), "recipe.json")
        yield lambda figures, step: mlflow.log_metrics(dict(figures), step=step)


#: Trackers by the name a recipe gives them.
TRACKERS: Mapping[str, Any] = {
    "tensorboard": _tensorboard,
    "wandb": _wandb,
    "mlflow": _mlflow,
    "none": _nothing,
}
