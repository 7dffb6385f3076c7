"""What titles mean, by the encoder of the main bundle, so that one event told in other words is joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.text import model_input
from monitor.domain import ClassifiedArticle
from monitor.stories.copies import report_key
from monitor.stories.join import Meaning

if TYPE_CHECKING:
    from models.routing import Router


def meaning_of(router: Router) -> Meaning | None:
    """Return what embeds titles; ``None`` where the main bundle has no embeddings."""
    bundle = router.main.bundle
    if bundle.embedding_space is None:
        return None

    def embed(items: Sequence[ClassifiedArticle]) -> NDArray[np.float32]:
        keys = [(report_key(item.article.title), item.article.language) for item in items]
        titles: dict[tuple[str, str], str] = {}  # copies are embedded once
        for key, item in zip(keys, items, strict=True):
            titles.setdefault(key, item.article.title)
        predictions = router.predict(
            [model_input(title, "") for title in titles.values()],
            [None if language == "und" else language for _, language in titles],
        )
        # The vectors of two bundles cannot be compared.
        vectors = [p.embedding if p.bundle_hash == bundle.hash else None for p in predictions]
        nothing = np.zeros(max((len(v) for v in vectors if v is not None), default=1), np.float32)
        known = dict(zip(titles, vectors, strict=True))
        return np.array([nothing if (v := known[key]) is None else v for key in keys])

    return embed
