"""From labelled files to a bundle: fit, quantise, calibrate, measure, write."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from models import bundle as bundles
from models.base import PACKAGED, Base, resolve_base
from models.bundle import Bundle
from models.calibrate import fit_temperature
from models.card import model_card
from models.classifier import Classifier
from models.compare import Tokenised, compare
from models.curve import save_curve
from models.data import Source, load_sources
from models.encoder import add_adapter, as_shipped, build, load_trained, merged, trained_state
from models.errors import ModelError
from models.fit import Epoch, FitConfig, Watch, fit
from models.labels import HEADS
from models.quantise import CALIBRATION_TEXTS, export_graph, quantise, save_graph
from models.text import NORMALISATION_VERSION
from models.tokens import MAX_TOKENS


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A training run.

    Parameters
    ----------
    out
        Folder of the bundle; one that is there is replaced when the run succeeds.
    work
        Folder of checkpoints.
    name, version, languages
        Of the bundle.
    base
        See `models.base.resolve_base`.
    rank
        Of the LoRA adapter; None trains every weight.
    topic, sentiment, headlines
        Labelled files; see `models.data.load_sources`.
    fit
        The loop's settings.
    resume
        Go on from the checkpoints in `work`.
    baseline
        Measure the frozen base as well (needs scikit-learn).
    command
        The command line, for the card.
    """

    out: Path
    work: Path
    name: str = "foreshock-en"
    version: str = "1"
    languages: tuple[str, ...] = ("en",)
    base: str = PACKAGED
    rank: int | None = 32
    topic: Path | None = None
    sentiment: Path | None = None
    headlines: Path | None = None
    fit: FitConfig = field(default_factory=FitConfig)
    resume: bool = False
    baseline: bool = True
    command: str = "foreshock train"


def train(config: TrainConfig, watch: Watch | None = None) -> Path:
    """Train a model and write its bundle.

    Returns
    -------
    Path
        The bundle's folder.

    Raises
    ------
    ModelError
        When data, base or checkpoints cannot be used; the message says what to change.
    """
    watch = watch or Watch()
    if not config.resume and (config.work / "progress.json").exists():
        raise ModelError(
            f"{config.work}: holds the checkpoints of another run; add --resume to go on with it, "
            "or remove the folder"
        )
    watch.phase("reading the labelled files")
    sources = load_sources(config.topic, config.sentiment, config.headlines)
    base = resolve_base(config.base)
    rows = Tokenised(base)
    training = {
        task: rows.rows([s.splits["train"] for s in sources if s.task == task]) for task in HEADS
    }
    # Selection and calibration look at each task's own set, not at what is trained beside it.
    own = [next(s for s in sources if s.task == task) for task in HEADS]
    validation = {s.task: rows.rows([s.splits["valid"]]) for s in own}
    watch.phase("training")
    torch.manual_seed(config.fit.seed)
    model = build(base, _sizes())
    if config.rank is not None:
        add_adapter(model, config.rank)
    curve = fit(
        model, training, validation, config.fit, config.work, resume=config.resume, watch=watch
    )
    stage = config.out.with_name(config.out.name + ".part")
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    shutil.copyfile(base.folder / "tokenizer.json", stage / bundles.TOKENIZER)
    kept = as_shipped(trained_state(model), full=config.rank is None)
    save_file(kept, stage / bundles.WEIGHTS)
    load_trained(model, kept)  # what is exported and measured is what is shipped
    model = merged(model)
    watch.phase("quantising to int8")
    sample = _calibration_texts(sources, config.fit.seed)
    save_graph(quantise(export_graph(model), rows.ids(sample)), stage)
    draft = _draft(config, stage, base, sources, curve)
    watch.phase("calibrating probabilities on the validation splits")
    draft = replace(draft, temperatures=_temperatures(draft, own))
    bundles.write_manifest(draft)
    watch.phase("measuring")
    found = compare(draft, model, base, sources, baseline=config.baseline, seed=config.fit.seed)
    final = replace(draft, metrics={c.served.file.split(".", 1)[0]: c.headlines() for c in found})
    bundles.write_manifest(final)
    save_curve(curve, stage / bundles.CURVE)
    card = model_card(final, curve, found, config.command)
    (stage / bundles.CARD).write_text(card, encoding="utf-8")
    bundles.load_bundle(stage)
    _move_into_place(stage, config.out)
    return config.out


def _sizes() -> dict[str, int]:
    return {head: len(names) for head, names in HEADS.items()}


def _calibration_texts(sources: Sequence[Source], seed: int) -> list[str]:
    """Training texts, as many of each set: the graph must meet the range of each."""
    rng = np.random.default_rng([seed, 1])
    share = CALIBRATION_TEXTS // len(sources)
    chosen: list[str] = []
    for source in sources:
        texts = source.splits["train"].texts
        picks = rng.permutation(len(texts))[:share]
        chosen += [texts[i] for i in picks if texts[i]]
    return chosen


def _draft(
    config: TrainConfig, stage: Path, base: Base, sources: Sequence[Source], curve: Sequence[Epoch]
) -> Bundle:
    best = max(curve, key=lambda epoch: epoch.selection)
    draft = Bundle(
        folder=stage,
        name=config.name,
        version=config.version,
        labels=HEADS,
        languages=config.languages,
        base={"name": base.name, "sha256": base.sha256},
        method={"kind": "full"} if config.rank is None else {"kind": "lora", "rank": config.rank},
        max_tokens=MAX_TOKENS,
        normalisation_version=NORMALISATION_VERSION,
        temperatures=dict.fromkeys(HEADS, 1.0),
        precision={"openvino": "int8", "torch": "bfloat16"},
        files=bundles.hash_files(stage),
        training={
            **asdict(config.fit),
            "epochs_run": len(curve),
            "best_epoch": best.number + 1,
            "curve": [asdict(epoch) for epoch in curve],
        },
        data=tuple(
            {
                "name": source.name,
                "task": source.task,
                "sha256": source.sha256,
                "licence": source.licence,
                "rows": {split: len(part) for split, part in source.splits.items()},
            }
            for source in sources
        ),
    )
    bundles.write_manifest(draft)
    return draft


def _temperatures(draft: Bundle, own: Sequence[Source]) -> dict[str, float]:
    # On the logits of the graph that serves, so that its probabilities are the honest ones.
    classifier = Classifier.load(draft.folder, engine="openvino")
    return {
        source.task: fit_temperature(
            classifier.logits(source.splits["valid"].texts)[source.task],
            np.array(source.splits["valid"].labels, dtype=np.int64),
        )
        for source in own
    }


def _move_into_place(stage: Path, out: Path) -> None:
    old = out.with_name(out.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        os.replace(out, old)
    os.replace(stage, out)
    shutil.rmtree(old, ignore_errors=True)
