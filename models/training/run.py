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
from models.base import Base, check_length, resolve_base
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
from models.training.leaks import Found, check_leaks, without_leaks
from models.training.loop import Epoch, Watch, fit
from models.training.losses import hiding
from models.training.precision import taken
from models.training.remember import as_before, as_teacher, kept_heads, model_before, remembering
from models.training.replay import to_find_again, with_old_rows, with_old_sets
from models.training.shared import prior, with_embeddings, with_labels
from models.training.start import Start, load_start
from models.training.tracking import tracked
from models.training.vary import varying


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
    config = with_old_sets(config)
    sources = load_sources(config, places.beside)
    watch.phase("looking for texts in two splits")
    if config.leaks == "drop":
        sources = without_leaks(sources, watch.note)
    leaks = check_leaks(config, sources, watch.note)
    before = model_before(config)
    kept = kept_heads(config, _heads(sources), before)
    heads = (*_heads(sources), *kept)
    start = load_start(Path(config.start), places.work) if config.start else None
    base = start.base if start else resolve_base(config.base)
    check_length(base, config.max_tokens)
    stage = places.out.with_name(places.out.name + ".part")
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    tokens = _kept_tokens(config, base, sources)
    marker = _save_tokenizer(base, stage / bundles.TOKENIZER, heads, tokens)
    tokenised = Tokenised(stage / bundles.TOKENIZER, config.max_tokens)

    def rows_of(found: Sequence[Source], hosts: bool) -> dict[str, Rows]:
        names = [head for head in _heads(found) if bool(config.heads[head.name].batch) == hosts]
        return {head.name: tokenised.rows(_of(found, head), "train") for head in names}

    guests = rows_of(sources, False)

    def read(found: Sequence[Source]) -> dict[str, Rows]:
        """Training rows with all that is known of their texts."""
        rows = with_labels(rows_of(found, True), guests, heads)
        taught = rows
        if config.distil.teachers:
            taught = _taught(config, places, heads, found, rows, watch)
        if before is not None:
            same = [head for head in heads if head in before.heads]
            said = _taught(as_teacher(config, before), places, same, found, rows, watch)
            taught = remembering(taught, said)
        if config.embedding.weight:
            watch.phase("embedding the texts with the untrained base")
            taught = with_embeddings(
                taught,
                {
                    n: [t for s in found if s.head.name == n for t in texts_of(s, "train")]
                    for n in rows
                },
                heads,
                start.untrained() if start else base,
                config.embedding.pooling,
                places.work,
                lambda done, total: watch.step(done, total, 0.0),
            )
        watch.phase("training")
        return taught

    train_rows = with_old_rows(read(sources), sources, config.replay.share)
    # Selection and calibration look at each head's own set, not at what is trained beside it.
    own = [_of(sources, head)[0] for head in _heads(sources)]
    valid_rows = {
        s.head.name: tokenised.rows([s], "valid") for s in own if s.head.name in train_rows
    }
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
    for name, rows in (guests | train_rows).items():
        if model.kinds[name] is HeadKind.MULTI:
            odds = torch.from_numpy(prior(rows))
            model.heads[name].bias.data.copy_(odds)  # type: ignore[operator]
    if start:
        names = start.put_heads(model, heads)
        watch.note(
            f"goes on from {start.bundle.name}, with its heads {', '.join(names) or 'left out'}"
        )
    method = _method(config, train_rows)
    model.encoder = adapted(model.encoder, method)
    with tracked(config, places.work, watch) as followed:
        curve = fit(
            model,
            train_rows,
            valid_rows,
            config,
            places.work,
            resume=places.resume,
            watch=followed,
            data=_hashes(sources, start, before),
            hiding=hiding(stage / bundles.TOKENIZER),
            vary=varying(config, sources, places.work / "translations", read),
        )
    model = merged(model)
    watch.phase("quantising to int8")
    sample = tokenised.ids(_calibration_texts(sources, fitting.seed))
    save_graph(quantise(export_graph(model), sample), model, stage)
    draft = _draft(config, places, stage, base, model, heads, method, sources, curve)
    draft = as_before(_told(draft, config, leaks, start, before), kept, before)
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


def _hashes(
    sources: Sequence[Source], start: Start | None, before: Bundle | None
) -> dict[str, str]:
    """What a resumed run must find as it was."""
    others = {"start": start.bundle if start else None, "before": before}
    return {source.name: source.sha256 for source in sources} | {
        name: bundle.hash for name, bundle in others.items() if bundle is not None
    }


def _told(
    draft: Bundle,
    config: TrainConfig,
    leaks: Found,
    start: Start | None,
    before: Bundle | None,
) -> Bundle:
    """The draft with how its data was checked and changed, and what it goes on from."""
    told: dict[str, Any] = {"leaks": leaks, "augment": config.augment.model_dump(mode="json")}
    if start:
        told["start"] = _teacher(start.bundle.folder)
    if before:
        told["remember"] = {"weight": config.remember.weight, **_teacher(before.folder)}
    if any(entry.replay for entry in config.data):
        told["replay"] = {"share": config.replay.share}
    return replace(draft, training={**draft.training, **told})


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
    # A name takes the space before it along in the vocabularies that write spaces: so does the marker.
    tokenizer.add_special_tokens([AddedToken(MARKER, special=True, normalized=False, lstrip=True)])
    tokenizer.save(str(path))
    number: int | None = tokenizer.token_to_id(MARKER)
    return number


#: Keys of ``[adapter]`` by kind; of the others it is rank and alpha.
_OPTIONS: Mapping[str, set[str]] = {
    "full": {"freeze_embeddings", "freeze_layers"},
    "frozen": set(),
    "ia3": set(),
    "bottleneck": {"reduction", "layout"},
    "prefix": {"length"},
    "prompt": {"length"},
}


def _method(config: TrainConfig, rows: Mapping[str, Rows]) -> dict[str, Any]:
    adapter = config.adapter
    options = _OPTIONS.get(adapter.kind, {"rank", "alpha"})
    method = adapter.model_dump(include={"kind", *options}, exclude_none=True)
    if adapter.kind == "adalora":
        sizes = {head: entry.batch for head, entry in config.heads.items() if entry.batch}
        updates = -(-steps_per_epoch(rows, sizes) // config.fit.accumulate)
        method["steps"] = updates * config.fit.epochs
    return method


def _taught(
    config: TrainConfig,
    places: Places,
    heads: Sequence[Head],
    sources: Sequence[Source],
    rows: Mapping[str, Rows],
    watch: Watch,
) -> dict[str, Rows]:
    """Add the teachers' answers to the rows of every head."""
    watch.phase("asking the teachers")
    # A text with a marker is asked about its company only, a text without one about everything else.
    kinds = {source.head.name: source.head.kind for source in sources}
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
