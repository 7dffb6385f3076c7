"""A search for a recipe's settings: trials, rungs, what is kept on disk, the best as a recipe.

Only the training split, and the validation split or folds of the training split, are ever read: rows of any
other split are skipped as the files are read, so that nothing can be chosen on the test split.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.bundle import load_bundle
from models.errors import ModelError
from models.training.config import TrainConfig
from models.training.data import Source
from models.training.few_shot import drawn
from models.training.fitted import Places, fitted
from models.training.folds import folds
from models.training.loop import Watch
from models.training.parallel import Ranks, joined
from models.training.replay import with_old_sets
from models.training.search import SearchConfig, Trial, draw_trials, rungs
from models.training.sets import read_sets
from models.training.toml import dumps

#: What a search leaves in its folder.
BEST = "best.toml"
RESULTS = "search.json"
#: Beside its checkpoints: what they belong to.
_IDENTITY = "identity.json"


@dataclass(frozen=True, slots=True)
class Tried:
    """How a trial did.

    Parameters
    ----------
    trial
        Its settings.
    rung
        The last it reached, from 0.
    epochs
        It was given by then; fewer where it stopped early.
    folds
        Of each fold, or of the validation split: the best epoch's ``selection``, ``macro_f1`` and
        ``accuracy`` by head, in [0, 1], and ``epoch``, from 1.
    """

    trial: Trial
    rung: int
    epochs: int
    folds: tuple[dict[str, Any], ...]

    @property
    def figure(self) -> float:
        """Mean of the folds' selection: of macro-F1 over the heads."""
        return float(np.mean([fold["selection"] for fold in self.folds]))

    @property
    def spread(self) -> float | None:
        """Standard deviation of a fold's selection; None where there are no folds."""
        if len(self.folds) == 1:
            return None
        return float(np.std([fold["selection"] for fold in self.folds], ddof=1))

    def as_json(self) -> dict[str, Any]:
        """For a program to read."""
        return {
            "trial": self.trial.number + 1,
            "settings": dict(self.trial.settings),
            "figure": self.figure,
            "spread": self.spread,
            "epochs": self.epochs,
            "folds": list(self.folds),
        }


def search(
    recipe: TrainConfig,
    searching: SearchConfig,
    places: Places,
    watch: Watch | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> tuple[Tried, ...]:
    """Try a recipe's settings; leave the best as a recipe, and every result, in `places.out`.

    Parameters
    ----------
    recipe
        Of which the trials are variants.
    searching
        What to try.
    places
        As of a training; a trial under way when the search was killed goes on from its last epoch.
    watch
        Told of the steps of each training.
    progress
        Told (trainings done, trainings in all, what is tried).

    Returns
    -------
    tuple of Tried
        Best first: by rung reached, then by figure.

    Raises
    ------
    ModelError
        When data or settings are not as they should be, or `places.work` holds another search.
    """
    with joined(recipe.fit.parallel) as ranks:
        return _search(recipe, searching, places, watch or Watch(), progress, ranks)


def _search(
    recipe: TrainConfig,
    searching: SearchConfig,
    places: Places,
    watch: Watch,
    progress: Callable[[int, int, str], None],
    ranks: Ranks,
) -> tuple[Tried, ...]:
    trials = draw_trials(searching, recipe)
    shares = rungs(searching, trials)
    counts = [max(1, len(trials) // max(1, searching.halving) ** i) for i in range(len(shares))]
    watch = watch if ranks.first else Watch()
    parts = _parts(recipe, searching, trials, places, watch)
    _claim(recipe, searching, places, parts[0], ranks)
    total, done = sum(counts) * len(parts), 0
    quiet = Watch(step=watch.step)
    tried: dict[int, Tried] = {}
    left = list(trials)
    for rung, (share, count) in enumerate(zip(shares, counts, strict=True)):
        if rung:
            left.sort(key=lambda trial: -tried[trial.number].figure)
            for lost in left[count:]:
                _drop(places, lost, range(len(parts)), ranks)
        left = left[:count]
        for trial in left:
            epochs = math.ceil(trial.config.fit.epochs * share)
            found = []
            for fold, sources in enumerate(parts):
                progress(done, total, f"trial {trial.number + 1} of {len(trials)}: {trial.told()}")
                found.append(_figures(trial, fold, sources, epochs, places, quiet, ranks))
                done += 1
            tried[trial.number] = Tried(trial, rung, epochs, tuple(found))
    for trial in left:
        _drop(places, trial, range(len(parts)), ranks)
    progress(done, total, "done")
    ranked = sorted(tried.values(), key=lambda t: (-t.rung, -t.figure, t.trial.number))
    if ranks.first:
        _write(ranked, searching, places)
    return tuple(ranked)


def _parts(
    recipe: TrainConfig,
    searching: SearchConfig,
    trials: Sequence[Trial],
    places: Places,
    watch: Watch,
) -> tuple[tuple[Source, ...], ...]:
    """Sources of each fold, or once with their own validation split."""
    if searching.folds:
        sources = read_sets(recipe, places.beside, watch, ("train",)).sources
        _check_bundles(trials, sources)
        watch.phase("looking for near texts, to keep them in one fold")
        parts = folds(sources, searching.folds, searching.seed)
    else:
        parts = (read_sets(recipe, places.beside, watch, ("train", "valid")).sources,)
    if shots := recipe.few_shot.shots:
        parts = tuple(drawn(part, shots, recipe.fit.seed) for part in parts)
    return parts


def _check_bundles(trials: Sequence[Trial], sources: Sequence[Source]) -> None:
    """Refuse to learn from bundles that have learnt what the folds hold out."""
    held_out = {source.sha256 for source in sources}
    recipes = [trial.config for trial in trials]
    asked = [(*c.distil.teachers, c.start, c.remember.bundle) for c in recipes]
    for folder in sorted({folder for each in asked for folder in each if folder}):
        if held_out & {entry.get("sha256") for entry in load_bundle(Path(folder)).data}:
            raise ModelError(
                f"{folder}: was trained on what the folds hold out, and a recipe learns from it; set "
                "folds = 0, or search without that bundle"
            )


def _claim(
    recipe: TrainConfig,
    searching: SearchConfig,
    places: Places,
    sources: Sequence[Source],
    ranks: Ranks,
) -> None:
    """Make the folder this search's, or see that it is."""
    identity = {
        "search": searching.model_dump(mode="json"),
        "recipe": recipe.model_dump(mode="json", exclude={"track"}),
        "data": [source.sha256 for source in sources],
    }
    path = places.work / _IDENTITY
    with ranks.in_turn():
        if not path.exists() and ranks.first:
            _replace(path, json.dumps(identity, indent=1))
        elif ranks.first and not places.resume:
            raise ModelError(
                f"{places.work}: holds the trials of another search; add --resume to go on with it, or "
                "remove the folder"
            )
        found = json.loads(path.read_text(encoding="utf-8"))
        differing = [part for part, value in identity.items() if found.get(part) != value]
        if differing:
            raise ModelError(
                f"{path}: that search was made with another {' and '.join(differing)}; resume with the "
                "same, or search anew without --resume in another folder"
            )


def _figures(
    trial: Trial,
    fold: int,
    sources: Sequence[Source],
    epochs: int,
    places: Places,
    watch: Watch,
    ranks: Ranks,
) -> dict[str, Any]:
    """A trial on one fold, after so many epochs: from disk, or trained as far."""
    folder = _folder(places, trial, fold)
    result = folder / f"epochs-{epochs}.json"
    if ranks.agreed(result.is_file()):
        known: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return known
    curve = fitted(
        with_old_sets(trial.config).model_copy(update={"track": "none"}),
        Places(places.out, folder, places.beside, resume=True, cache=places.work),
        places.work / f"stage{ranks.number or ''}",
        sources,
        watch,
        ranks,
        until=epochs,
    ).curve
    best = max(curve, key=lambda epoch: epoch.selection)
    found = {
        "selection": best.selection,
        "macro_f1": dict(best.macro_f1),
        "accuracy": dict(best.accuracy),
        "epoch": best.number + 1,
    }
    if ranks.first:
        _replace(result, json.dumps(found, indent=1))
    return found


def _drop(places: Places, trial: Trial, folds: range, ranks: Ranks) -> None:
    """Remove the checkpoints of a trial that is through; its results stay."""
    ranks.wait()
    for fold in folds if ranks.first else ():
        folder = _folder(places, trial, fold)
        for path in [folder / "progress.json", *folder.glob("*.safetensors")]:
            path.unlink(missing_ok=True)


def _folder(places: Places, trial: Trial, fold: int) -> Path:
    return places.work / f"trial-{trial.number + 1:03d}" / f"fold-{fold + 1}"


def _write(ranked: Sequence[Tried], searching: SearchConfig, places: Places) -> None:
    best = ranked[0]
    table = best.trial.config.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    for entry in table["data"]:
        # What lay beside the recipe does not lie beside the new one.
        if places.beside is not None and (places.beside / entry["file"]).is_file():
            entry["file"] = str((places.beside / entry["file"]).absolute())
    what = f"{searching.folds} folds of the training split" if searching.folds else "validation"
    told = f"# Best of {len(ranked)} trials: macro-F1 {best.figure:.4f} on {what}; {best.trial.told()}\n"
    _replace(places.out / BEST, told + dumps(table) + "\n")
    results = {
        "search": searching.model_dump(mode="json"),
        "measured_on": what,
        "trials": [tried.as_json() for tried in ranked],
    }
    _replace(places.out / RESULTS, json.dumps(results, indent=1) + "\n")


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
