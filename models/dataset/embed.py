"""Sentence embeddings for the data side: of the frozen base, or of a bundle's encoder (torch)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.base import FOLDER_VARIABLE, PACKAGED, resolve_base
from models.bundle import TOKENIZER, load_bundle
from models.dataset.near import Progress
from models.errors import MissingExtraError
from models.tokens import Ids, encode, equal_length_batches, load_tokenizer

if TYPE_CHECKING:
    from models.encoder import MultiHead

_TOKENS = 2_048  # of a batch


def embeddings(
    texts: Sequence[str],
    bundle: Path | None = None,
    *,
    base: str = PACKAGED,
    progress: Progress = lambda done, total: None,
) -> NDArray[np.float32]:
    """Mean-pooled embeddings of unit length.

    Parameters
    ----------
    texts
        As `models.text.model_input` makes them.
    bundle
        Folder of a bundle whose encoder reads them; None for the base, untrained.
    base
        Which base, without a bundle; see `models.base.resolve_base`.
    progress
        Told (texts done, texts in all).

    Returns
    -------
    ndarray
        ``(texts, width) float32``.

    Raises
    ------
    MissingExtraError
        When torch, transformers or the base's package is not installed.
    BundleError
        When base or bundle cannot be loaded.
    """
    try:
        from models.encoder import build, restore
    except ImportError as error:
        raise MissingExtraError("embedding texts", "train", error.name or "torch") from error
    if bundle is None:
        start = resolve_base(base)
        model = build(start, ()).eval()
        tokenizer = load_tokenizer(start.folder / "tokenizer.json")
    else:
        verified = load_bundle(bundle)
        start = resolve_base(os.environ.get(FOLDER_VARIABLE) or verified.base["name"])
        model = restore(verified, start)
        tokenizer = load_tokenizer(verified.path(TOKENIZER), verified.max_tokens)
    return pooled(model, encode(tokenizer, texts), progress)


def pooled(
    model: MultiHead,
    ids: Sequence[Ids],
    progress: Progress = lambda done, total: None,
) -> NDArray[np.float32]:
    """Mean-pooled embeddings of unit length, ``(rows, width) float32``, of rows of token ids."""
    import torch

    model.eval()
    result = np.zeros((len(ids), model.width), dtype=np.float32)
    done = 0
    with torch.inference_mode():
        for positions, batch in equal_length_batches(ids, _TOKENS):
            found = model.pooled(torch.from_numpy(batch))
            result[positions] = torch.nn.functional.normalize(found, dim=1).numpy()
            done += len(positions)
            progress(done, len(ids))
    return result
