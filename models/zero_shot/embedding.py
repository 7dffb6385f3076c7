"""A text belongs to the label whose description it is most like (torch)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.dataset.embed import pooled
from models.encoder import MultiHead
from models.metrics import softmax
from models.tokens import encode
from models.zero_shot.labels import SLOT, DescribedHead, Label, Score

#: Divides cosines before the softmax: 1 over the scale of 20 at which sentence encoders such as the
#: packaged base learnt them.
TEMPERATURE = 0.05


@dataclass(frozen=True, slots=True)
class ByEmbedding:
    """Scores by the cosine of mean-pooled embeddings.

    Parameters
    ----------
    encoder
        Its heads are not used.
    tokenizer
        Of the encoder.
    name
        Of base or bundle, for people.
    """

    encoder: MultiHead
    tokenizer: Tokenizer
    name: str

    def scores(self, head: DescribedHead) -> Score:
        """See `models.zero_shot.scorer.Scorer`; a softmax over cosines, not calibrated.

        A label is the mean of the unit embeddings of all its descriptions in all templates (prompt
        ensembling: Radford et al. 2021, section 3.1.4).
        """
        labels = np.stack([self._described(head, label) for label in head.labels.values()])
        labels /= np.linalg.norm(labels, axis=1, keepdims=True)
        return lambda texts: softmax(self._embed(texts) @ labels.T, TEMPERATURE)

    def _described(self, head: DescribedHead, label: Label) -> NDArray[np.float32]:
        filled = [t.replace(SLOT, d) for t in head.templates for d in label.descriptions]
        mean: NDArray[np.float32] = self._embed(filled).mean(axis=0)
        return mean

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return pooled(self.encoder, encode(self.tokenizer, texts))
