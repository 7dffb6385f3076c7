"""A candidate that is the champion trained on as a whole, by a recipe: encoder and heads (torch).

New labels are the sets of their heads; old texts, under the champion's own answers, stand beside them as
replay, and are all there is of heads that have no new labels.
"""

from __future__ import annotations

import csv
import hashlib
import shutil
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.bundle import Bundle, load_bundle
from models.classifier import Classifier
from models.errors import MissingExtraError
from models.labels import Head, HeadKind
from models.tables import SEPARATOR
from monitor.errors import ConfigError
from monitor.retrain.old import Old
from monitor.retrain.plan import RetrainPlan
from monitor.retrain.refit import Lesson

VALID = 0.15  # of texts that choose the epoch and fit temperatures, by a hash of them
BATCH = 16

Progress = Callable[[str, int, int], None]
Row = tuple[str, str, str, str]  # split, label, text, company


def by_recipe(
    champion: Bundle,
    lessons: Sequence[Lesson],
    folder: Path,
    version: str,
    plan: RetrainPlan,
    progress: Progress = lambda what, done, total: None,
) -> Bundle:
    """Train the champion on, and write the candidate.

    Parameters
    ----------
    lessons
        Of every head of the champion; those without new labels keep their heads by old texts.
    folder, version
        Of the candidate.
    plan
        ``recipe`` names the recipe; of it count adapter, loop, embedding and penalties.

    Raises
    ------
    ConfigError
        The recipe cannot be read, or would lose the embedding.
    ModelError
        It is no recipe, or the training fails.
    MissingExtraError
        torch is not installed.
    """
    try:
        import models.training.run  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("training by a recipe", "train", error.name or "torch") from error
    work = folder.with_name(f".{folder.name}.work")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        return _trained(champion, lessons, folder, version, plan, progress, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)  # texts lie there, which may have to be erased


def _trained(
    champion: Bundle,
    lessons: Sequence[Lesson],
    folder: Path,
    version: str,
    plan: RetrainPlan,
    progress: Progress,
    work: Path,
) -> Bundle:
    from models.training.config import make_config
    from models.training.fitted import Places
    from models.training.loop import Watch
    from models.training.run import train

    assert plan.recipe is not None
    progress("asking the champion", 0, 0)
    data = _sets(champion, lessons, work, plan)
    table = _table(plan.recipe, champion, lessons, data, version)
    phase = [""]

    def begins(what: str) -> None:
        phase[0] = what
        progress(what, 0, 0)

    watch = Watch(
        phase=begins, step=lambda done, total, loss: progress(phase[0] or "training", done, total)
    )
    config = make_config(table, str(plan.recipe))
    train(config, Places(folder, work, command="foreshock retrain run"), watch)
    return load_bundle(folder)


def _table(
    recipe: Path,
    champion: Bundle,
    lessons: Sequence[Lesson],
    data: Sequence[Mapping[str, Any]],
    version: str,
) -> dict[str, Any]:
    """Return the recipe with what the champion and the desk say in its place."""
    try:
        table: dict[str, Any] = tomllib.loads(recipe.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"[retrain] recipe: {recipe}: {error}") from None
    if champion.embedding_space is not None and not table.get("embedding", {}).get("weight"):
        raise ConfigError(
            f"[retrain] recipe: {recipe}: {champion.model_version} gives an embedding and its candidate "
            "would not; write [embedding] weight above 0"
        )
    wanted = table.get("heads", {})
    heads = {}
    for lesson in lessons:
        own = wanted.get(lesson.head.name, {})
        heads[lesson.head.name] = {
            "kind": lesson.head.kind.value,
            "labels": list(lesson.head.labels),
            "batch": own.get("batch") or BATCH,
            "weight": own.get("weight", 1.0),
        }
    table.pop("base", None)
    table.setdefault("replay", {}).pop("bundle", None)
    return {
        "leaks": "drop",
        "track": "none",
        "baseline": False,
        "robustness": 0,
        **table,
        "name": champion.name,
        "version": version,
        "languages": list(champion.languages),
        "max_tokens": champion.max_tokens,
        "start": str(champion.folder.absolute()),
        "heads": heads,
        "data": list(data),
    }


def _sets(
    champion: Bundle, lessons: Sequence[Lesson], work: Path, plan: RetrainPlan
) -> list[dict[str, Any]]:
    """Write a file of each head's rows, and of its old ones; return them as entries of a recipe."""
    classifier = Classifier.load(champion.folder, "openvino", plan.threads)
    entries = []
    for lesson in lessons:
        new: list[Row] = [
            (_split(each.text), each.value, each.text, each.target) for each in lesson.new
        ]
        old = _answered(classifier, lesson.head, lesson.old)
        chosen = [row for row in old if row[0] == "valid"]
        rest = [row for row in old if row[0] != "valid"]
        if not new:
            new, rest = rest, []
        for name, rows, replay in (("desk", [*new, *chosen], False), ("old", rest, True)):
            if rows:
                file = work / f"{name}-{lesson.head.name}.csv"
                _write(file, lesson.head, rows)
                entries.append(_entry(file, lesson.head, replay))
    return entries


def _entry(file: Path, head: Head, replay: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "head": head.name,
        "file": str(file.absolute()),
        "replay": replay,
        "licence": "the desk's own",
    }
    return {**found, "target": "company"} if head.kind is HeadKind.TARGET else found


def _answered(classifier: Classifier, head: Head, old: Sequence[Old]) -> list[Row]:
    """Return old texts under what the champion says of them."""
    if not old:
        return []
    texts = [each.text for each in old]
    if head.kind is HeadKind.TARGET:
        found = classifier.target_probabilities(texts, [[each.target] for each in old])
    else:
        found = classifier.probabilities(texts)[head.name]
    rows = []
    for each, chances in zip(old, found, strict=True):
        if head.kind is HeadKind.MULTI:
            value = SEPARATOR.join(
                label for label, p in zip(head.labels, chances, strict=True) if p >= 0.5
            )
        else:
            value = head.labels[int(chances.argmax())]
        rows.append((_split(each.text), value, each.text, each.target))
    return rows


def _split(text: str) -> str:
    found = int.from_bytes(hashlib.sha256(f"valid\0{text}".encode()).digest()[:8])
    return "valid" if found < VALID * 2**64 else "train"


def _write(file: Path, head: Head, rows: Sequence[Row]) -> None:
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["split", head.name, "text", "company"])
        writer.writerows(rows)
