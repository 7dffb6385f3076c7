"""Which settings to try: a TOML file, and the trials drawn from it by seed."""

from __future__ import annotations

import itertools
import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.errors import ModelError
from models.training.config import TrainConfig, make_config

Value = bool | int | float | str

#: Parts of a recipe that say what is asked, not how it is learnt: trials that differ in them do not compare.
_FIXED = (
    "data",
    "name",
    "version",
    "languages",
    "calibration",
    "track",
    "baseline",
    "fit.parallel",
    "leaks",
    "replay.bundle",
    "few_shot.shots",
)
_FIXED_OF_HEADS = ("kind", "labels")


class Span(BaseModel):
    """Numbers between two, both included; whole numbers when both are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: int | float = Field(description="Least.")
    high: int | float = Field(description="Most.")
    scale: Literal["linear", "log"] = Field(
        "linear", description="log: as many draws per power of ten."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Span:
        if not self.low < self.high or (self.scale == "log" and self.low <= 0):
            raise ValueError("low must be below high, and above 0 on a log scale")
        return self

    def draw(self, rng: np.random.Generator) -> int | float:
        """One number."""
        low, high = float(self.low), float(self.high)
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        if whole:  # each whole number owns the stretch around it
            low, high = low - 0.5, high + 0.5
        if self.scale == "log":
            drawn = math.exp(rng.uniform(math.log(low), math.log(high)))
        else:
            drawn = float(rng.uniform(low, high))
        if whole:
            return int(min(max(round(drawn), self.low), self.high))
        return float(f"{drawn:.4g}")


class SearchConfig(BaseModel):
    """A search for the settings of a recipe, on its training and validation splits only."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["random", "grid"] = Field(
        "random",
        description="random: trials drawn by seed (Bergstra and Bengio 2012); grid: every combination.",
    )
    trials: Annotated[int, Field(ge=1)] = Field(16, description="Of a random search.")
    folds: int = Field(
        0,
        ge=0,
        description="Parts of the training split, each held out once; 0: the validation split.",
    )
    halving: int = Field(
        3,
        ge=0,
        description="One trial in so many goes on to the next rung, for so many times the epochs "
        "(Jamieson and Talwalkar 2016); 0: every trial runs to its end.",
    )
    seed: int = Field(13, description="Of the draws and the folds.")
    space: dict[str, Span | tuple[Value, ...]] = Field(
        description="Key of the recipe: a list to choose from, or low, high and scale."
    )


@dataclass(frozen=True, slots=True)
class Trial:
    """A recipe to try.

    Parameters
    ----------
    number
        From 0, in the order drawn.
    settings
        Value of each key searched.
    config
        The recipe with them.
    """

    number: int
    settings: Mapping[str, Value]
    config: TrainConfig

    def told(self) -> str:
        """Its settings in a line."""
        return " ".join(f"{key}={value}" for key, value in self.settings.items())


def load_search(path: Path) -> SearchConfig:
    """Read the file of a search.

    Raises
    ------
    ModelError
        When it cannot be read, or a key or value is wrong; names them.
    """
    try:
        search = SearchConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; name the file of a search") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in error.errors()]
        raise ModelError(f"{path}: " + "; ".join(lines)) from error
    if not search.space or () in search.space.values():
        raise ModelError(f'{path}: space: nothing to search; add a key such as "fit.lr" to [space]')
    if search.folds == 1:
        raise ModelError(f"{path}: folds: one fold leaves nothing to train on; 0, or 2 and more")
    if search.halving == 1:
        raise ModelError(f"{path}: halving: 1 ends no trial; 0, or 2 and more")
    for key, values in search.space.items():
        parts = key.split(".")
        if any(key == fixed or key.startswith(f"{fixed}.") for fixed in _FIXED) or (
            parts[0] == "heads" and parts[-1] in _FIXED_OF_HEADS
        ):
            raise ModelError(
                f"{path}: space: {key} changes what is measured, not how it is learnt; leave it to the recipe"
            )
        if search.method == "grid" and isinstance(values, Span):
            raise ModelError(
                f"{path}: space: {key}: a grid needs a list of values, not low and high"
            )
    return search


def draw_trials(search: SearchConfig, recipe: TrainConfig) -> tuple[Trial, ...]:
    """The trials of a search, no two alike; the same for the same seed.

    Raises
    ------
    ModelError
        When the recipe with a trial's settings is not valid.
    """
    table = recipe.model_dump(mode="json", exclude_unset=True)
    trials = []
    for number, settings in enumerate(_settings(search)):
        changes = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
        config = make_config(json.loads(json.dumps(table)), f"trial {number + 1}", changes)
        trials.append(Trial(number, settings, config))
    return tuple(trials)


def rungs(search: SearchConfig, trials: Sequence[Trial]) -> list[float]:
    """Share of its epochs that a trial has run at the end of each rung; the last is 1.

    Successive halving (Jamieson and Talwalkar 2016, figure 3), with as many rungs as trials and epochs
    allow: the first leaves each trial one epoch at least, the last one trial at least.
    """
    if not search.halving:
        return [1.0]
    most = min(len(trials), *(trial.config.fit.epochs for trial in trials))
    steps = 0
    while search.halving ** (steps + 1) <= most:
        steps += 1
    return [float(search.halving) ** -left for left in range(steps, -1, -1)]


def _settings(search: SearchConfig) -> list[dict[str, Value]]:
    if search.method == "grid":
        lists = [values for values in search.space.values() if not isinstance(values, Span)]
        return [
            dict(zip(search.space, chosen, strict=True)) for chosen in itertools.product(*lists)
        ]
    rng = np.random.default_rng(search.seed)
    found: dict[str, dict[str, Value]] = {}
    for _ in range(search.trials * 50):  # a small space runs out before so many trials differ
        drawn: dict[str, Value] = {
            key: values.draw(rng) if isinstance(values, Span) else values[rng.integers(len(values))]
            for key, values in search.space.items()
        }
        found.setdefault(json.dumps(drawn), drawn)
        if len(found) == search.trials:
            break
    return list(found.values())
