"""From labelled files to a fitted model: rows, what is known of them, the loop (torch)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from models import bundle as bundles
from models.adapters import adapted
from models.base import Base, check_length, resolve_base
from models.bundle import Bundle
from models.compress.vocabulary import likely_tokens, trimmed_tokenizer
from models.encoder import MultiHead, build
from models.labels import Head, HeadKind
from models.targets import MARKER
from models.training.batches import Rows, steps_per_epoch
from models.training.compare import Tokenised
from models.training.config import TrainConfig
from models.training.data import Source, texts_of
from models.training.distil import Soft, teach
from models.training.few_shot import contrast
from models.training.loop import Epoch, Watch, fit
from models.training.losses import hiding
from models.training.parallel import ALONE, Ranks
from models.training.remember import as_teacher, kept_heads, model_before, remembering
from models.training.replay import with_old_rows
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
    cache
        Folder of teachers' answers and the base's embeddings; by default `work`.
    """

    out: Path
    work: Path
    beside: Path | None = None
    resume: bool = False
    command: str = "foreshock train"
    cache: Path | None = None

    @property
    def kept(self) -> Path:
        """Where answers lie that several runs share."""
        return self.cache or self.work


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model that has been through the loop, and what it came from.

    Parameters
    ----------
    model
        With its best epoch's weights.
    base
        What its encoder was.
    heads
        In the order of its outputs; `kept` are those that only the bundle before it has rows of.
    method
        See `models.adapters.adapted`.
    tokenised
        Reads texts as the model does.
    own
        The first set of each head: selection and calibration look at it, not at what is trained beside it.
    curve
        Validation curve.
    start, before
        Bundles it goes on from and is held to.
    """

    model: MultiHead
    base: Base
    heads: tuple[Head, ...]
    kept: tuple[Head, ...]
    method: dict[str, Any]
    tokenised: Tokenised
    own: tuple[Source, ...]
    curve: tuple[Epoch, ...]
    start: Start | None
    before: Bundle | None


def fitted(
    config: TrainConfig,
    places: Places,
    stage: Path,
    sources: Sequence[Source],
    watch: Watch,
    ranks: Ranks = ALONE,
    until: int | None = None,
) -> Fitted:
    """Train a model on the ``train`` splits of `sources`, choosing its epoch on ``valid``.

    Parameters
    ----------
    stage
        Folder that gets the tokenizer.
    until
        See `models.training.loop.fit`.
    """
    stage.mkdir(parents=True, exist_ok=True)
    before = model_before(config)
    kept = kept_heads(config, heads_of(sources), before)
    heads = (*heads_of(sources), *kept)
    start = load_start(Path(config.start), places.work) if config.start else None
    base = start.base if start else resolve_base(config.base)
    check_length(base, config.max_tokens)
    tokens = _kept_tokens(config, base, sources)
    marker = _save_tokenizer(base, stage / bundles.TOKENIZER, heads, tokens)
    tokenised = Tokenised(stage / bundles.TOKENIZER, config.max_tokens)

    def rows_of(found: Sequence[Source], hosts: bool) -> dict[str, Rows]:
        names = [head for head in heads_of(found) if bool(config.heads[head.name].batch) == hosts]
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
                places.kept,
                lambda done, total: watch.step(done, total, 0.0),
            )
        watch.phase("training")
        return taught

    with ranks.in_turn():
        train_rows = with_old_rows(read(sources), sources, config.replay.share)
    own = tuple(_of(sources, head)[0] for head in heads_of(sources))
    valid_rows = {
        s.head.name: tokenised.rows([s], "valid") for s in own if s.head.name in train_rows
    }
    torch.manual_seed(config.fit.seed)
    model = build(
        base,
        heads,
        dropout=config.fit.dropout,
        encoder_dropout=config.fit.encoder_dropout,
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
            data=_hashes(sources, start, before),
            hiding=hiding(stage / bundles.TOKENIZER),
            vary=varying(config, sources, places.kept / "translations", read),
            ranks=ranks,
            until=until,
        )
    return Fitted(model, base, heads, tuple(kept), method, tokenised, own, curve, start, before)


def heads_of(sources: Sequence[Source]) -> tuple[Head, ...]:
    """Heads that the sets train, in order of their first."""
    return tuple({source.head.name: source.head for source in sources}.values())


def _hashes(
    sources: Sequence[Source], start: Start | None, before: Bundle | None
) -> dict[str, str]:
    """What a resumed run must find as it was."""
    others = {"start": start.bundle if start else None, "before": before}
    return {source.name: source.sha256 for source in sources} | {
        name: bundle.hash for name, bundle in others.items() if bundle is not None
    }


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
            places.kept,
            lambda done, total: watch.step(done, total, 0.0),
        )
        taught[name] = replace(found, soft=soft)
    return taught
