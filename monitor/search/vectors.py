"""What titles mean, kept in memory: a title is embedded once for a bundle, whoever asks."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.text import model_input
from monitor.domain import ClassifiedArticle
from monitor.stories.copies import report_key
from monitor.stories.meaning import meaning_of

if TYPE_CHECKING:
    from models.routing import Router

MOST = 60_000  # titles kept: 384 float32 each, 90 MB
Floats = NDArray[np.float32]


class Vectors:
    """Unit vectors of titles in the space of the main bundle. May be used from several threads.

    Parameters
    ----------
    router
        Gives the bundles in use; asked anew each time, for the model may be exchanged.
    """

    def __init__(self, router: Callable[[], Router]) -> None:
        self._router = router
        self._kept: OrderedDict[tuple[str, str], Floats] = OrderedDict()
        self._of = ""  # hash of the bundle whose vectors are kept
        self._lock = threading.Lock()

    def __call__(self, items: Sequence[ClassifiedArticle]) -> Floats:
        """Return ``(items, width) float32``: a row of zeros for what the main bundle does not read.

        Is a `monitor.stories.join.Meaning`.
        """
        router = self._router()
        with self._lock:
            if router.main.bundle.hash != self._of:
                self._kept.clear()
                self._of = router.main.bundle.hash
            keys = [(report_key(item.article.title), item.article.language) for item in items]
            missing = {
                key: item for key, item in zip(keys, items, strict=True) if key not in self._kept
            }
            embed = meaning_of(router) if missing else None
            if embed is not None:
                vectors = embed(list(missing.values()))
                self._kept.update(zip(missing, vectors, strict=True))
            width = max((len(self._kept[key]) for key in keys if key in self._kept), default=1)
            nothing = np.zeros(width, np.float32)
            found = [self._kept.get(key, nothing) for key in keys]
            for key in keys:
                if key in self._kept:
                    self._kept.move_to_end(key)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        rows = [row if len(row) == width else nothing for row in found]
        return np.array(rows, np.float32).reshape(len(rows), width)

    def of_text(self, text: str) -> Floats | None:
        """Return the vector of a question, ``(width,) float32``; ``None`` where the bundle has none."""
        router = self._router()
        if router.main.bundle.embedding_space is None:
            return None
        prediction = router.predict([model_input(text, "")])[0]
        return (
            None if prediction.embedding is None else np.asarray(prediction.embedding, np.float32)
        )
