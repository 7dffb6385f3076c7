"""Experience replay: old rows among the new, so that what they taught is not forgotten.

Chaudhry et al. 2019, "On Tiny Episodic Memories in Continual Learning", section 3: each step's batch is
some rows of the new task and some of the old.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.bundle import load_bundle
from models.errors import ModelError
from models.labels import HeadKind
from models.training.batches import Rows
from models.training.config import DataConfig, TrainConfig
from models.training.data import Source

_KEPT = ("file", "text", "label", "target", "where", "weight")


def with_old_sets(config: TrainConfig) -> TrainConfig:
    """The recipe with the sets of ``replay.bundle`` among its own, new sets before old ones.

    Raises
    ------
    ModelError
        When the bundle does not say which files it was trained on, or none is of a head of the recipe.
    """
    data = config.data
    if config.replay.bundle is not None:
        data = (*data, *_sets_of(Path(config.replay.bundle), config))
    return config.model_copy(update={"data": tuple(sorted(data, key=lambda entry: entry.replay))})


def to_find_again(source: Source) -> dict[str, Any]:
    """What a bundle keeps of a set, so that a later run finds its rows; no path of this machine."""
    kept = source.config.model_dump(include=set(_KEPT), exclude_defaults=True)
    if Path(source.config.file).is_absolute():
        kept["file"] = source.path.name
    return kept


def with_old_rows(
    rows: Mapping[str, Rows], sources: Sequence[Source], share: float
) -> dict[str, Rows]:
    """The rows with how many of them are old, and their share of a batch."""
    counts = dict.fromkeys(rows, 0)
    for source in sources:
        if source.config.replay and source.head.name in counts:
            counts[source.head.name] += len(source.splits["train"])
    return {
        name: replace(found, old=counts[name], old_share=share) if counts[name] else found
        for name, found in rows.items()
    }


def _sets_of(folder: Path, config: TrainConfig) -> list[DataConfig]:
    bundle = load_bundle(folder)
    entries = []
    for entry in bundle.data:
        if entry.get("head") not in config.heads:
            continue
        if "file" not in entry:
            raise ModelError(
                f"{folder}: does not say which file its set {entry['name']!r} is; name it as a [[data]] "
                "entry with replay = true, without replay.bundle"
            )
        kept = {key: entry[key] for key in (*_KEPT, "head", "sha256", "licence") if key in entry}
        entries.append(DataConfig(**kept, replay=True))
    if not entries:
        raise ModelError(
            f"{folder}: was trained on no set of a head of this recipe "
            f"({', '.join(map(repr, config.heads))}): add its heads under [heads]"
        )
    for made in entries:
        if (config.heads[made.head].kind is HeadKind.TARGET) != (made.target is not None):
            raise ModelError(f"heads.{made.head}.kind: it is of another kind in {folder}")
    return entries
