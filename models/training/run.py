"""From a fitted model to its bundle: quantise, calibrate, measure, write (torch)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from models import bundle as bundles
from models.base import Base
from models.bundle import Bundle
from models.classifier import Classifier
from models.encoder import MultiHead, merged
from models.errors import ModelError
from models.graph_weights import save_graph
from models.labels import HeadKind
from models.quantise import CALIBRATION_TEXTS, export_graph, quantise
from models.robustness.report import RobustnessReport, robustness_report
from models.text import NORMALISATION_VERSION
from models.training.calibration import calibrated
from models.training.card import model_card
from models.training.compare import compare
from models.training.config import TrainConfig
from models.training.data import Source, texts_of
from models.training.few_shot import drawn
from models.training.fitted import Fitted, Places, fitted
from models.training.leaks import Found
from models.training.loop import Epoch, Watch
from models.training.parallel import Ranks, joined
from models.training.plots import save_curve, save_risk_coverage
from models.training.precision import taken
from models.training.remember import as_before
from models.training.replay import to_find_again
from models.training.sets import read_sets


def train(config: TrainConfig, places: Places, watch: Watch | None = None) -> Path:
    """Train a model and write its bundle; under torchrun, with every process it started.

    Returns
    -------
    Path
        The bundle's folder.

    Raises
    ------
    ModelError
        When data, base or checkpoints are not as they should be; see the message.
    """
    with joined(config.fit.parallel) as ranks:
        if not ranks.first:
            config, watch = config.model_copy(update={"track": "none"}), None
        return _train(config, places, watch or Watch(), ranks)


def _train(config: TrainConfig, places: Places, watch: Watch, ranks: Ranks) -> Path:
    if not places.resume and (places.work / "progress.json").exists():
        raise ModelError(
            f"{places.work}: holds the checkpoints of another run; add --resume to go on with it, "
            "or remove the folder"
        )
    read = read_sets(config, places.beside, watch)
    config, sources = read.config, read.sources
    if config.few_shot.shots:
        sources = drawn(sources, config.few_shot.shots, config.fit.seed)
    stage = places.out.with_name(f"{places.out.name}.part{ranks.number or ''}")
    shutil.rmtree(stage, ignore_errors=True)
    made = fitted(config, places, stage, sources, watch, ranks)
    if not ranks.first:
        shutil.rmtree(stage)
        return places.out
    model = merged(made.model)
    watch.phase("quantising to int8")
    sample = made.tokenised.ids(_calibration_texts(sources, config.fit.seed))
    save_graph(quantise(export_graph(model), sample), model, stage)
    draft = _told(_draft(config, places, stage, made, sources), config, read.leaks, made)
    draft = as_before(draft, made.kept, made.before)
    watch.phase("calibrating probabilities on the validation splits")
    draft = calibrated(draft, made.own, config.calibration.precision)
    bundles.write_manifest(draft)
    watch.phase("measuring")
    final = _measured(config, draft, model, made.base, sources, made.curve, places.command)
    bundles.load_bundle(final.folder)
    _move_into_place(stage, places.out)
    return places.out


def _told(
    draft: Bundle,
    config: TrainConfig,
    leaks: Found,
    made: Fitted,
) -> Bundle:
    """The draft with how its data was checked and changed, and what it goes on from."""
    told: dict[str, Any] = {"leaks": leaks, "augment": config.augment.model_dump(mode="json")}
    start, before = made.start, made.before
    if start:
        told["start"] = _teacher(start.bundle.folder)
    if before:
        told["remember"] = {"weight": config.remember.weight, **_teacher(before.folder)}
    if any(entry.replay for entry in config.data):
        told["replay"] = {"share": config.replay.share}
    return replace(draft, training={**draft.training, **told})


def _calibration_texts(sources: Sequence[Source], seed: int) -> list[str]:
    """Training texts, as many of each set: the graph must meet the range of each."""
    rng = np.random.default_rng([seed, 1])
    share = CALIBRATION_TEXTS // len(sources)
    chosen: list[str] = []
    for source in sources:
        texts = texts_of(source, "train")
        picks = rng.permutation(len(texts))[:share]
        chosen += [texts[i] for i in picks if texts[i]]
    return chosen


def _draft(
    config: TrainConfig,
    places: Places,
    stage: Path,
    made: Fitted,
    sources: Sequence[Source],
) -> Bundle:
    heads, base, curve, model = made.heads, made.base, made.curve, made.model
    best = max(curve, key=lambda epoch: epoch.selection)
    draft = Bundle(
        folder=stage,
        name=config.name,
        version=config.version,
        heads=heads,
        languages=config.languages,
        base={"name": base.name, "sha256": base.sha256},
        method=made.method,
        architecture=model.architecture,
        embedding_space=(
            f"{base.name} {config.embedding.pooling} {base.sha256[:12]}"
            if model.embedding is not None
            else None
        ),
        marker=model.marker,
        max_tokens=config.max_tokens,
        normalisation_version=NORMALISATION_VERSION,
        temperatures={head.name: 1.0 for head in heads},
        thresholds={head.name: 0.0 for head in heads},
        precision={"openvino": "int8", "torch": "bfloat16"},
        files=bundles.hash_files(stage),
        training={
            "command": places.command,
            "fit": config.fit.model_dump(mode="json"),
            "precision": taken(config.fit.precision),
            "heads": {k: {"batch": h.batch, "weight": h.weight} for k, h in config.heads.items()},
            "distil": {
                "weight": config.distil.weight,
                "temperature": config.distil.temperature,
                "teachers": [_teacher(Path(folder)) for folder in config.distil.teachers],
            },
            "few_shot": config.few_shot.model_dump(),
            "calibration": config.calibration.model_dump(),
            "epochs_run": len(curve),
            "best_epoch": best.number + 1,
            "curve": [asdict(epoch) for epoch in curve],
        },
        data=tuple(
            {
                "name": source.name,
                "head": source.head.name,
                "sha256": source.sha256,
                "licence": source.config.licence,
                "rows": {split: len(part) for split, part in source.splits.items()},
                **to_find_again(source),
            }
            for source in sources
        ),
    )
    bundles.write_manifest(draft)
    return draft


def _teacher(folder: Path) -> dict[str, str]:
    bundle = bundles.load_bundle(folder)
    return {
        "name": f"{bundle.name} {bundle.version}",
        "hash": bundle.hash,
        "base": bundle.base["name"],
        "base_sha256": bundle.base["sha256"],
        "command": str(bundle.training.get("command", "")),
    }


def _measured(
    config: TrainConfig,
    draft: Bundle,
    model: MultiHead,
    base: Base,
    sources: Sequence[Source],
    curve: Sequence[Epoch],
    command: str,
) -> Bundle:
    classifier = Classifier.load(draft.folder, engine="openvino")
    seed = config.fit.seed
    found = compare(classifier, model, base, sources, baseline=config.baseline, seed=seed)
    holds = _robustness(classifier, sources, config.robustness, seed)
    metrics = {f"{c.served.task} {c.served.file.split('.', 1)[0]}": c.headlines() for c in found}
    final = replace(draft, metrics=metrics)
    bundles.write_manifest(final)
    save_curve(curve, final.folder / bundles.CURVE)
    save_risk_coverage(
        [c.served for c in found], final.thresholds, final.folder / bundles.RISK_COVERAGE
    )
    card = model_card(final, curve, found, holds, command)
    (final.folder / bundles.CARD).write_text(card, encoding="utf-8")
    return final


def _robustness(
    classifier: Classifier, sources: Sequence[Source], texts: int, seed: int
) -> tuple[RobustnessReport, ...]:
    """How each head holds that reads the whole text, on so many texts of its first set's test split."""
    first: dict[str, Source] = {}
    for source in sources:
        first.setdefault(source.head.name, source)
    reports = []
    for name, source in first.items():
        if not texts or source.head.kind is HeadKind.TARGET or "test" not in source.splits:
            continue
        given = source.splits["test"].texts
        picks = np.random.default_rng([seed, 2]).permutation(len(given))[:texts]
        reports.append(robustness_report(classifier, [given[i] for i in picks], name, seed))
    return tuple(reports)


def _move_into_place(stage: Path, out: Path) -> None:
    old = out.with_name(out.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        os.replace(out, old)
    os.replace(stage, out)
    shutil.rmtree(old, ignore_errors=True)
