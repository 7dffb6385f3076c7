"""One compression, from a bundle or a base to a folder, measured before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from models.adapters import has_adapter
from models.base import resolve_base
from models.bundle import shipped_bundle
from models.compress import heads, layers, vocabulary
from models.compress.measure import Figures, LabelledFile, measure_bundles, size_mb, table
from models.compress.precision import graph_of
from models.compress.trained import (
    Trained,
    bert,
    free_folder,
    load_trained,
    write_base,
    write_bundle,
)
from models.encoder import build
from models.errors import ModelError
from models.labels import Head
from models.tables import Labelled, read_labelled, read_rows
from models.targets import mark_target
from models.text import model_input
from models.tokens import MAX_TOKENS, Ids, encode

METHODS = ("prune-heads", "drop-layers", "trim-vocabulary", "int8", "bf16", "fp32")
_PRECISION = {"int8": "int8", "bf16": "bfloat16", "fp32": "float32"}
#: Methods that make sense without heads.
_OF_BASES = ("drop-layers", "trim-vocabulary")
_CALIBRATION_TEXTS = 300
_IMPORTANCE_TEXTS = 512
_SEED = 13


@dataclass(frozen=True, slots=True)
class Compression:
    """What to do.

    Parameters
    ----------
    method
        One of `METHODS`.
    out
        Folder to write.
    model
        A bundle's folder; None, without `base`, for the shipped one.
    base
        A base (see `models.base.resolve_base`) instead of a bundle.
    labelled
        Where to measure; also gives the sample for importances, scales and seen tokens.
    texts
        Texts as the model reads them: for scales and seen tokens.
    fraction
        Of all attention heads to leave out (``prune-heads``).
    keep
        Layers that stay (``drop-layers``).
    strategy
        See `models.compress.layers.kept_layers`.
    threads
        CPU threads while measuring.
    """

    method: str
    out: Path
    model: Path | None = None
    base: str | None = None
    labelled: LabelledFile | None = None
    texts: tuple[str, ...] = ()
    fraction: float = 0.25
    keep: int | None = None
    strategy: str = "top"
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Compressed:
    """What came of it.

    Parameters
    ----------
    folder
        The bundle or base written.
    what
        What was left out, for people.
    before, after
        Figures; of a base, only its size.
    """

    folder: Path
    what: str
    before: Figures
    after: Figures

    def as_json(self) -> dict[str, Any]:
        """Every figure, for programs."""
        return {
            "folder": str(self.folder),
            "what": self.what,
            "before": self.before.as_json(),
            "after": self.after.as_json(),
        }

    def as_text(self) -> str:
        """A table, for people."""
        return f"{self.what}\n{table(self.before.as_json(), self.after.as_json())}"


def compress(
    config: Compression, progress: Callable[[str], None] = lambda what: None
) -> Compressed:
    """Apply one technique.

    Parameters
    ----------
    config
        What to do.
    progress
        Told what is being done.

    Raises
    ------
    ModelError
        When the method cannot do what was asked; the message says what to change.
    """
    if config.method not in METHODS:
        raise ModelError(f"method {config.method!r}: expected one of {', '.join(METHODS)}")
    free_folder(config.out)
    if config.base is not None:
        return _base(config, progress)
    progress("loading the model")
    source = load_trained(config.model)
    if config.method == "prune-heads" and has_adapter(source.model.encoder):
        raise ModelError(
            f"prune-heads would cut through the {source.bundle.method['kind']} adapter of "
            f"{source.bundle.name}; use another method, or train a bundle with adapter.kind = 'lora'"
        )
    sample = _sample(config, source)
    texts = config.texts or (sample.texts if sample else ())
    what, how, tokenizer = _apply(config, source, sample, texts, progress)
    precision = _PRECISION.get(config.method, source.bundle.precision.get("openvino", "float32"))
    progress(f"making the {precision} graph")
    graph = graph_of(source.model, precision, _calibration(source, tokenizer, texts))
    write_bundle(
        source.bundle,
        config.out,
        tokenizer,
        source.model,
        graph,
        precision=precision,
        how=how,
        pruned=how.get("heads", ()),
    )
    progress("measuring")
    timed = _timed(config, source, texts)
    folders = [config.model or shipped_bundle(), config.out]
    before, after = measure_bundles(folders, config.labelled, timed, config.threads)
    return Compressed(config.out, what, before, after)


def _apply(
    config: Compression,
    source: Trained,
    sample: Labelled | None,
    texts: Sequence[str],
    progress: Callable[[str], None],
) -> tuple[str, dict[str, Any], str]:
    """Change the model; return what was done, for people and for programs, and the tokenizer."""
    model, tokenizer = source.model, source.tokenizer
    how: dict[str, Any] = {"method": config.method}
    if config.method == "prune-heads":
        if sample is None or config.labelled is None:
            raise ModelError("prune-heads weighs heads on labelled rows: name a file with --data")
        picks = _picks(len(sample), _IMPORTANCE_TEXTS)
        progress(f"weighing heads on {len(picks)} rows")
        weights = heads.importance(
            model,
            _ids(source, tokenizer, [sample.texts[i] for i in picks]),
            np.asarray(sample.labels)[picks],
            config.labelled.task,
        )
        gone = heads.least(weights, config.fraction)
        heads.cut(model, gone)
        how["heads"] = [sorted(layer) for layer in gone]
        what = f"attention heads: {weights.size} -> {weights.size - sum(map(len, gone))}"
        return what, how, tokenizer
    if config.method in _OF_BASES:
        encoder = bert(model)
        what, tokenizer, more, kept = _reshape(config, encoder, tokenizer, texts)
        if model.marker is not None and kept:
            model.marker = kept.index(model.marker)
        return what, how | more, tokenizer
    was = source.bundle.precision.get("openvino", "float32")
    what = f"precision: {was} -> {_PRECISION[config.method]}"
    return what, how, tokenizer


def _base(config: Compression, progress: Callable[[str], None]) -> Compressed:
    if config.method not in _OF_BASES:
        raise ModelError(
            f"{config.method} needs a trained bundle: name it with --model; a base alone can only "
            f"have {' or '.join(_OF_BASES)}"
        )
    if config.model is not None:
        raise ModelError("name a bundle with --model or a base with --base, not both")
    progress("loading the base")
    base = resolve_base(str(config.base))
    encoder = build(base, ()).encoder.eval()
    tokenizer = (base.folder / "tokenizer.json").read_text(encoding="utf-8")
    texts = config.texts
    if not texts and config.labelled is not None:
        texts = _texts(config.labelled)
    what, tokenizer, _, _ = _reshape(config, encoder, tokenizer, texts)
    written = write_base(encoder, tokenizer, config.out)
    before, after = (Figures(None, None, None, size_mb(b.folder)) for b in (base, written))
    return Compressed(config.out, what, before, after)


def _reshape(
    config: Compression, encoder: Any, tokenizer: str, texts: Sequence[str]
) -> tuple[str, str, dict[str, Any], list[int]]:
    """Change an encoder's own shape; what was done, tokenizer, it for programs, tokens kept."""
    if config.method == "drop-layers":
        total = len(encoder.encoder.layer)
        keep = config.keep if config.keep is not None else total // 2
        kept = layers.kept_layers(total, keep, config.strategy)
        layers.drop_layers(encoder, kept)
        what = f"layers ({config.strategy}): {total} -> {len(kept)}, kept {kept} from the bottom"
        return what, tokenizer, {"strategy": config.strategy, "kept_layers": kept}, []
    if not texts:
        raise ModelError("trim-vocabulary keeps what texts hold: name some with --texts or --data")
    tokens = encoder.config.vocab_size
    kept = vocabulary.kept_tokens(tokenizer, texts)
    trimmed = vocabulary.trimmed_tokenizer(tokenizer, kept)
    vocabulary.trim_embeddings(encoder, kept)
    return f"tokens: {tokens} -> {len(kept)}", trimmed, {"tokens": len(kept)}, kept


def _sample(config: Compression, source: Trained) -> Labelled | None:
    given = config.labelled
    if given is None:
        return None
    found = next((head for head in source.bundle.heads if head.name == given.task), None)
    if found is None:
        raise ModelError(
            f"no head {given.task!r} in {source.bundle.name}; it has {', '.join(source.bundle.labels)}"
        )
    return _read(given, found, given.sample_split)


def _texts(given: LabelledFile) -> tuple[str, ...]:
    """Texts alone: a base has no heads, so no labels to know."""
    found = []
    for line, row in read_rows(given.path):
        if given.text not in row:
            raise ModelError(f"{given.path} line {line}: no column {given.text!r}")
        if given.sample_split is None or row.get("split") == given.sample_split:
            found.append(model_input(row[given.text]))
    return tuple(found)


def _read(given: LabelledFile, head: Head, split: str | None) -> Labelled:
    """Rows as the model reads them: where a company is asked about, it is marked."""
    rows = read_labelled(
        given.path,
        text=given.text,
        label=given.label,
        head=head,
        split=split,
        target=given.target,
    )
    if not rows.targets:
        return rows
    marked = (mark_target(t, [name]) for t, name in zip(rows.texts, rows.targets, strict=True))
    return replace(rows, texts=tuple(marked))


def _timed(config: Compression, source: Trained, texts: Sequence[str]) -> Sequence[str]:
    if config.labelled is None:
        return texts
    head = next(h for h in source.bundle.heads if h.name == config.labelled.task)
    return _read(config.labelled, head, config.labelled.split).texts


def _calibration(source: Trained, tokenizer: str, texts: Sequence[str]) -> list[Ids]:
    picks = _picks(len(texts), _CALIBRATION_TEXTS)
    return _ids(source, tokenizer, [texts[i] for i in picks if texts[i]])


def _ids(source: Trained, tokenizer: str, texts: Sequence[str]) -> list[Ids]:
    reader = Tokenizer.from_str(tokenizer)
    reader.no_padding()
    reader.enable_truncation(min(source.bundle.max_tokens, MAX_TOKENS))
    return encode(reader, texts)


def _picks(rows: int, most: int) -> list[int]:
    found: list[int] = np.random.default_rng(_SEED).permutation(rows)[:most].tolist()
    return found
