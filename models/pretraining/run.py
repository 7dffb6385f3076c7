"""From unlabelled files to a base folder: read, hold out, train, write."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from models.base import PACKAGED, Base, resolve_base
from models.compress.trained import free_folder, write_base
from models.errors import ModelError
from models.masked import load_masked
from models.pretraining.loop import Epoch, Fit, Watch, fit
from models.pretraining.masking import make_masking, rows_of
from models.pretraining.texts import read_corpus
from models.text import NORMALISATION_VERSION

#: How a base came about, beside its weights.
RECORD = "pretraining.json"


@dataclass(frozen=True, slots=True)
class Pretraining:
    """A run.

    Parameters
    ----------
    files, columns
        See `models.pretraining.texts.read_corpus`.
    out
        Folder of the new base; must not be there.
    work
        Folder of checkpoints.
    base
        See `models.base.resolve_base`.
    max_tokens
        Longer texts are cut, special tokens included.
    held_out
        Share of the texts that is measured on and never trained on.
    fit
        How it is trained.
    resume
        Go on from the checkpoints in `work`.
    """

    files: Sequence[Path]
    columns: Sequence[str]
    out: Path
    work: Path
    base: str = PACKAGED
    max_tokens: int = 128
    held_out: float = 0.05
    fit: Fit = field(default_factory=Fit)
    resume: bool = False


def pretrain(run: Pretraining, watch: Watch | None = None) -> tuple[Base, tuple[Epoch, ...]]:
    """Train a base further on unlabelled text.

    Returns
    -------
    tuple
        The base written, with its masked-language head among its weights (transformers' own layout:
        who loads the encoder leaves it out), and the losses before and after every epoch.

    Raises
    ------
    ModelError
        When files, base, folders or checkpoints are not as they should be; see the message.
    """
    watch = watch or Watch()
    free_folder(run.out)
    if not run.resume and (run.work / "progress.json").exists():
        raise ModelError(
            f"{run.work}: holds the checkpoints of another run; add --resume to go on with it, "
            "or remove the folder"
        )
    watch.phase("reading the texts")
    corpus = read_corpus(run.files, run.columns, run.held_out, run.fit.seed)
    base = resolve_base(run.base)
    torch.manual_seed(run.fit.seed)  # of a head that the base does not have
    language = load_masked(base, run.max_tokens)
    masking = make_masking(language.tokenizer, language.mask_id, run.fit.masked)
    train, held_out = (rows_of(language.tokenizer, t) for t in (corpus.train, corpus.held_out))
    if not train or not held_out:
        raise ModelError(f"base {base.name!r}: its tokenizer finds no words in the texts")
    origin = {"base": base.sha256, "texts": corpus.sha256, "max_tokens": run.max_tokens}
    curve = fit(
        language,
        train,
        held_out,
        masking,
        run.fit,
        run.work,
        resume=run.resume,
        watch=watch,
        origin=origin,
    )
    stage = run.out.with_name(run.out.name + ".part")
    shutil.rmtree(stage, ignore_errors=True)
    write_base(language.model, (base.folder / "tokenizer.json").read_text("utf-8"), stage)
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (base.folder / name).is_file():
            shutil.copyfile(base.folder / name, stage / name)
    record = {
        "base": {"name": base.name, "sha256": base.sha256, "fresh_head": language.fresh_head},
        "texts": {"sha256": corpus.sha256, "train": len(train), "held_out": len(held_out)},
        "normalisation_version": NORMALISATION_VERSION,
        "max_tokens": run.max_tokens,
        "fit": asdict(run.fit),
        "curve": [{**asdict(epoch), "perplexity": epoch.perplexity} for epoch in curve],
    }
    (stage / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    os.replace(stage, run.out)
    return resolve_base(str(run.out)), curve
