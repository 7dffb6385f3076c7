"""Sentence embeddings for the data side: of the frozen base, or of a bundle's encoder (torch)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.base import PACKAGED, resolve_base
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
    pooling: str = "mean",
    progress: Progress = lambda done, total: None,
) -> NDArray[np.float32]:
    """Sentence embeddings of unit length.

    Parameters
    ----------
    texts
        As `models.text.model_input` makes them.
    bundle
        Folder of a bundle whose encoder reads them; None for the base, untrained.
    base
        Which base, without a bundle; see `models.base.resolve_base`.
    pooling
        ``mean`` of the tokens, or ``cls``: the first; each base was pretrained with one of them.
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
        model = restore(verified)
        tokenizer = load_tokenizer(verified.path(TOKENIZER), verified.max_tokens)
    return pooled(model, encode(tokenizer, texts), pooling, progress)


def pooled(
    model: MultiHead,
    ids: Sequence[Ids],
    pooling: str = "mean",
    progress: Progress = lambda done, total: None,
    unit: bool = True,
) -> NDArray[np.float32]:
    """Embeddings of rows of token ids, ``(rows, width) float32``, without dropout; see `embeddings`.

    With `unit`, of unit length; else as the heads see them.
    """
    import torch

    device = next(model.parameters()).device
    model.eval()
    result = np.zeros((len(ids), model.width), dtype=np.float32)
    done = 0
    with torch.inference_mode():
        for positions, batch in equal_length_batches(ids, _TOKENS):
            found = model.pooled(torch.from_numpy(batch).to(device), pooling=pooling)
            if unit:
                found = torch.nn.functional.normalize(found, dim=1)
            result[positions] = found.cpu().numpy()
            done += len(positions)
            progress(done, len(ids))
    return result
