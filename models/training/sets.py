"""The sets a run learns from: read, old ones among them, and free of leaks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from models.training.config import TrainConfig
from models.training.data import Source, load_sources
from models.training.leaks import Found, check_leaks, without_leaks
from models.training.loop import Watch
from models.training.replay import with_old_sets


@dataclass(frozen=True, slots=True)
class Sets:
    """What a run learns from.

    Parameters
    ----------
    config
        The recipe with the old sets among its own.
    sources
        In the recipe's order.
    leaks
        See `models.training.leaks.check_leaks`.
    """

    config: TrainConfig
    sources: tuple[Source, ...]
    leaks: Found


def read_sets(
    config: TrainConfig, beside: Path | None, watch: Watch, only: Collection[str] | None = None
) -> Sets:
    """Read the sets of a recipe.

    Parameters
    ----------
    config
        The recipe.
    beside, only
        See `models.training.data.load_sources`.
    watch
        Told what is done, and what a person should know.

    Raises
    ------
    ModelError
        When data are not as they should be, or leak and the recipe says ``leaks = "refuse"``.
    """
    watch.phase("reading the labelled files")
    config = with_old_sets(config)
    sources = load_sources(config, beside, only)
    watch.phase("looking for texts in two splits")
    if config.leaks == "drop":
        sources = without_leaks(sources, watch.note)
    return Sets(config, sources, check_leaks(config, sources, watch.note))
