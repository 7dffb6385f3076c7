"""From labelled files to a bundle: fit, quantise, calibrate, measure, write."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models import bundle as bundles
from models.adapters import adapted
from models.base import Base, resolve_base
from models.bundle import Bundle
from models.compress.vocabulary import likely_tokens, trimmed_tokenizer
from models.encoder import MultiHead, build, merged
from models.errors import ModelError
from models.graph_weights import save_graph
from models.labels import Head, HeadKind
from models.quantise import CALIBRATION_TEXTS, export_graph, quantise
from models.targets import MARKER
from models.text import NORMALISATION_VERSION
from models.training.batches import Rows, steps_per_epoch
from models.training.calibration import calibrated
from models.training.card import model_card
from models.training.compare import Tokenised, compare
from models.training.config import TrainConfig
from models.training.curve import save_curve
from models.training.data import Source, load_sources, texts_of
from models.training.distil import Soft, teach
from models.training.few_shot import contrast, drawn
from models.training.loop import Epoch, Watch, fit
from models.training.losses import hiding
from models.training.shared import prior, with_embeddings, with_labels
from models.training.tracking import tracked


@dataclass(frozen=True, slots=True)
class Places:
    """Where a run writes.

    Parameters
    ----------
    out
        Folder of the bundle; one that is there is replaced when the run succeeds.
    work
        Folder of checkpoints.
    beside
        Folder of the recipe, for files it names.
    resume
        Go on from the checkpoints in `work`.
    command
        The command line, for the card.
    """

    out: Path
    work: Path
    beside: Path | None = None
    resume: bool = False
    command: str = "foreshock train"


def train(config: TrainConfig, places: Places, watch: Watch | None = None) -> Path:
    """Train a model and write its bundle.

    Returns
    -------
    Path
        The bundle's folder.

    Raises
    ------
    ModelError
        When data, base or checkpoints are not as they should be; see the message.
    """
    watch = watch or Watch()
    if not places.resume and (places.work / "progress.json").exists():
        raise ModelError(
            f"{places.work}: holds the checkpoints of another run; add --resume to go on with it, "
            "or remove the folder"
        )
    watch.phase("reading the labelled files")
    sources = load_sources(config, places.beside)
    if config.few_shot.shots:
        sources = drawn(sources, config.few_shot.shots, config.fit.seed)
    heads = _heads(sources)
    base = resolve_base(config.base)
    stage = places.out.with_name(places.out.name + ".part")
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    tokens = _kept_tokens(config, base, sources)
    marker = _save_tokenizer(base, stage / bundles.TOKENIZER, heads, tokens)
    tokenised = Tokenised(stage / bundles.TOKENIZER, config.max_tokens)
    all_rows = {head.name: tokenised.rows(_of(sources, head), "train") for head in heads}
    hosts = [head.name for head in heads if config.heads[head.name].batch]
    guests = {name: rows for name, rows in all_rows.items() if name not in hosts}
    train_rows = with_labels({name: all_rows[name] for name in hosts}, guests, heads)
    # Selection and calibration look at each head's own set, not at what is trained beside it.
    own = [_of(sources, head)[0] for head in heads]
    valid_rows = {s.head.name: tokenised.rows([s], "valid") for s in own if s.head.name in hosts}
    if config.distil.teachers:
        train_rows = _taught(config, places, sources, train_rows, watch)
    if config.embedding.weight:
        watch.phase("embedding the texts with the untrained base")
        texts = {
            head.name: [t for s in _of(sources, head) for t in texts_of(s, "train")]
            for head in heads
        }
        train_rows = with_embeddings(
            train_rows,
            texts,
            heads,
            base,
            config.embedding.pooling,
            places.work,
            lambda done, total: watch.step(done, total, 0.0),
        )
    watch.phase("training")
    torch.manual_seed(config.fit.seed)
    fitting = config.fit
    model = build(
        base,
        heads,
        dropout=fitting.dropout,
        encoder_dropout=fitting.encoder_dropout,
        marker=marker,
        embedding=config.embedding.weight > 0,
        layers=config.trim.layers,
        tokens=tokens,
    )
    for head in heads:
        if head.kind is HeadKind.MULTI:
            start = torch.from_numpy(prior(all_rows[head.name]))
            model.heads[head.name].bias.data.copy_(start)  # type: ignore[operator]
    method = _method(config, train_rows)
    model.encoder = adapted(model.encoder, method)
    if config.few_shot.shots:
        watch.phase("training on pairs")
        contrast(model, train_rows, config, watch)
        watch.phase("training")
    with tracked(config, places.work, watch) as followed:
        curve = fit(
            model,
            train_rows,
            valid_rows,
            config,
            places.work,
            resume=places.resume,
            watch=followed,
            data={source.name: source.sha256 for source in sources},
            hiding=hiding(stage / bundles.TOKENIZER),
        )
    model = merged(model)
    watch.phase("quantising to int8")
    sample = tokenised.ids(_calibration_texts(sources, fitting.seed))
    save_graph(quantise(export_graph(model), sample), model, stage)
    draft = _draft(config, places, stage, base, model, heads, method, sources, curve)
    watch.phase("calibrating probabilities on the validation splits")
    draft = calibrated(draft, own, config.calibration.precision)
    bundles.write_manifest(draft)
    watch.phase("measuring")
    final = _measured(config, draft, model, base, sources, curve, places.command)
    bundles.load_bundle(final.folder)
    _move_into_place(stage, places.out)
    return places.out


def _heads(sources: Sequence[Source]) -> tuple[Head, ...]:
    return tuple({source.head.name: source.head for source in sources}.values())


def _of(sources: Sequence[Source], head: Head) -> list[Source]:
    return [source for source in sources if source.head == head]


def _kept_tokens(config: TrainConfig, base: Base, sources: Sequence[Source]) -> list[int] | None:
    """Tokens of the base that stay, by their numbers there; None for all."""
    if config.trim.vocabulary is None:
        return None
    texts = (text for source in sources for text in texts_of(source, "train"))
    content = (base.folder / "tokenizer.json").read_text(encoding="utf-8")
    return likely_tokens(content, texts, config.trim.vocabulary)


def _save_tokenizer(
    base: Base, path: Path, heads: Sequence[Head], tokens: Sequence[int] | None
) -> int | None:
    """Write the bundle's tokenizer; return the marker's token id where a head needs it."""
    from tokenizers import AddedToken, Tokenizer

    content = (base.folder / "tokenizer.json").read_text(encoding="utf-8")
    if tokens is not None:
        content = trimmed_tokenizer(content, tokens)
    tokenizer = Tokenizer.from_str(content)
    tokenizer.no_padding()
    if all(head.kind is not HeadKind.TARGET for head in heads):
        tokenizer.save(str(path))
        return None
    tokenizer.add_special_tokens([AddedToken(MARKER, special=True, normalized=False)])
    tokenizer.save(str(path))
    number: int | None = tokenizer.token_to_id(MARKER)
    return number


def _method(config: TrainConfig, rows: Mapping[str, Rows]) -> dict[str, Any]:
    adapter = config.adapter
    if adapter.kind == "full":
        return adapter.model_dump(include={"kind", "freeze_embeddings", "freeze_layers"})
    if adapter.kind in ("frozen", "ia3"):
        return {"kind": adapter.kind}
    method = adapter.model_dump(include={"kind", "rank", "alpha"}, exclude_none=True)
    if adapter.kind == "adalora":
        sizes = {head: entry.batch for head, entry in config.heads.items() if entry.batch}
        method["steps"] = steps_per_epoch(rows, sizes) * config.fit.epochs
    return method


def _taught(
    config: TrainConfig,
    places: Places,
    sources: Sequence[Source],
    rows: Mapping[str, Rows],
    watch: Watch,
) -> dict[str, Rows]:
    """Add the teachers' answers to the rows of every head."""
    watch.phase("asking the teachers")
    heads = _heads(sources)
    # A text with a marker is asked about its company only, a text without one about everything else.
    kinds = {head.name: head.kind for head in heads}
    taught = {}
    for name, found in rows.items():
        target = kinds[name] is HeadKind.TARGET
        asked = [head for head in heads if (head.kind is HeadKind.TARGET) == target]
        texts = [t for s in sources if s.head.name == name for t in texts_of(s, "train")]
        soft: Soft = teach(
            [Path(folder) for folder in config.distil.teachers],
            asked,
            texts,
            config.distil.temperature,
            places.work,
            lambda done, total: watch.step(done, total, 0.0),
        )
        taught[name] = replace(found, soft=soft)
    return taught


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
    base: Base,
    model: MultiHead,
    heads: tuple[Head, ...],
    method: Mapping[str, Any],
    sources: Sequence[Source],
    curve: Sequence[Epoch],
) -> Bundle:
    best = max(curve, key=lambda epoch: epoch.selection)
    draft = Bundle(
        folder=stage,
        name=config.name,
        version=config.version,
        heads=heads,
        languages=config.languages,
        base={"name": base.name, "sha256": base.sha256},
        method=method,
        architecture=model.architecture,
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
    found = compare(draft, model, base, sources, baseline=config.baseline, seed=config.fit.seed)
    metrics = {f"{c.served.task} {c.served.file.split('.', 1)[0]}": c.headlines() for c in found}
    final = replace(draft, metrics=metrics)
    bundles.write_manifest(final)
    save_curve(curve, final.folder / bundles.CURVE)
    card = model_card(final, curve, found, command)
    (final.folder / bundles.CARD).write_text(card, encoding="utf-8")
    return final


def _move_into_place(stage: Path, out: Path) -> None:
    old = out.with_name(out.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        os.replace(out, old)
    os.replace(stage, out)
    shutil.rmtree(old, ignore_errors=True)
