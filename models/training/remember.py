"""Learning without forgetting: a penalty for answering other than the model before (Li and Hoiem 2016).

Section 3 there: before training, record the old model's answers to the new task's texts; in training, keep
to them on the old heads, softened by a temperature of 2, while the new labels are learnt. No old row is
needed. The distance is the one to teachers (Hinton et al. 2015, section 2), added to the loss of the
labels, not mixed with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from models.bundle import Bundle, load_bundle
from models.errors import ModelError
from models.labels import Head
from models.training.batches import Rows
from models.training.config import DistilConfig, TrainConfig


def model_before(config: TrainConfig) -> Bundle | None:
    """The bundle whose answers are kept to; None without a penalty."""
    if not config.remember.weight:
        return None
    return load_bundle(Path(config.remember.bundle or config.start or ""))


def kept_heads(
    config: TrainConfig, heads: Sequence[Head], before: Bundle | None
) -> tuple[Head, ...]:
    """Heads of the recipe that no set trains: those of the model before, kept by the penalty alone.

    Raises
    ------
    ModelError
        When the model before has no such head.
    """
    kept = []
    for name in config.heads.keys() - {head.name for head in heads}:
        found = next((head for head in before.heads if head.name == name), None) if before else None
        if found is None:
            raise ModelError(
                f"heads.{name}: no [[data]] entry trains it"
                + (f", and {before.folder} has no such head to remember" if before else "")
            )
        kept.append(found)
    return tuple(sorted(kept, key=lambda head: head.name))


def as_teacher(config: TrainConfig, before: Bundle) -> TrainConfig:
    """The recipe in which the model before is the only teacher."""
    teacher = DistilConfig(teachers=(str(before.folder),), temperature=config.remember.temperature)
    return config.model_copy(update={"distil": teacher})


def remembering(rows: Mapping[str, Rows], taught: Mapping[str, Rows]) -> dict[str, Rows]:
    """The rows with what a teacher said of them (`as_teacher`) as the answers of the model before."""
    return {name: replace(found, before=taught[name].soft) for name, found in rows.items()}


def as_before(draft: Bundle, kept: Sequence[Head], before: Bundle | None) -> Bundle:
    """The draft with the calibration and thresholds the kept heads had: there is no row to fit them on."""
    if before is None or not kept:
        return draft
    names = [head.name for head in kept]
    return replace(
        draft,
        temperatures={**draft.temperatures, **{n: before.temperatures[n] for n in names}},
        powers={**draft.powers, **{n: before.powers[n] for n in names if n in before.powers}},
        thresholds={**draft.thresholds, **{n: before.thresholds[n] for n in names}},
    )
