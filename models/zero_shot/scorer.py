"""A base or a bundle's encoder as a scorer of described labels (torch)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from models.base import PACKAGED, resolve_base
from models.bundle import TOKENIZER
from models.compress.trained import load_trained
from models.encoder import build
from models.errors import DataError, ModelError
from models.evaluate import Report, report
from models.masked import load_masked
from models.tables import read_labelled
from models.tokens import MAX_TOKENS, load_tokenizer
from models.zero_shot.cloze import ByCloze
from models.zero_shot.embedding import ByEmbedding
from models.zero_shot.labels import DescribedHead, Score

Way = Literal["embedding", "cloze"]
_CHUNK = 512
_HOW = {way: f" zero-shot by {way}" for way in ("embedding", "cloze")}


class Scorer(Protocol):
    """Scores texts by what labels mean."""

    @property
    def name(self) -> str:
        """Of base or bundle, and how it scores; for people."""

    def scores(self, head: DescribedHead) -> Score:
        """Read a head's descriptions once; return what scores texts by them."""


def make_scorer(way: Way, base: str | None = None, bundle: Path | None = None) -> Scorer:
    """Load a scorer.

    Parameters
    ----------
    way
        ``embedding``, or ``cloze`` for a base with a masked-language head.
    base
        See `models.base.resolve_base`; by default the packaged one.
    bundle
        Folder of a bundle whose encoder scores instead, by embedding.

    Raises
    ------
    ModelError
        When both are named, or there is no masked-language head to ask.
    """
    if base is not None and bundle is not None:
        raise ModelError("name a base or a bundle to score with, not both")
    if bundle is not None:
        if way == "cloze":
            raise ModelError(
                f"{bundle}: a bundle keeps no masked-language head; score by embedding, or name a "
                "base that has one with --base"
            )
        trained = load_trained(bundle)
        made = trained.bundle
        tokenizer = load_tokenizer(made.path(TOKENIZER), made.max_tokens)
        return ByEmbedding(trained.model, tokenizer, f"{made.name} {made.version}{_HOW[way]}")
    found = resolve_base(base or PACKAGED)
    if way == "embedding":
        tokenizer = load_tokenizer(found.folder / "tokenizer.json", MAX_TOKENS)
        return ByEmbedding(build(found, ()), tokenizer, found.name + _HOW[way])
    language = load_masked(found, MAX_TOKENS)
    if language.fresh_head:
        raise ModelError(
            f"base {found.name!r} has no masked-language head; score by embedding, name a base that "
            "has one with --base, or give it one with `foreshock pretrain`"
        )
    return ByCloze(language, found.name + _HOW[way], MAX_TOKENS)


def evaluate_zero_shot(
    scorer: Scorer,
    heads: dict[str, DescribedHead],
    path: Path,
    task: str,
    text: str,
    label: str,
    split: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Measure a scorer on a labelled file; see `models.evaluate.evaluate_file`."""
    if task not in heads:
        raise DataError(
            f"no head {task!r} in the labels file; it has {', '.join(map(repr, heads))}"
        )
    head = heads[task].head(task)
    data = read_labelled(path, text=text, label=label, head=head, split=split)
    score, parts = scorer.scores(heads[task]), []
    for start in range(0, len(data), _CHUNK):
        parts.append(score(data.texts[start : start + _CHUNK]))
        progress(min(start + _CHUNK, len(data)), len(data))
    model = f"{scorer.name} (float32)"
    return report(head, path.name, split, model, data, np.concatenate(parts))
