"""What a method is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.explain.subject import Subject
from models.explain.words import Span, word_of_pieces, word_spans

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answer:
    """Attributions of the words, ``(words,) float64``, and the gap in their sum, if it matters."""

    values: Floats
    gap: float | None = None


@dataclass(frozen=True)
class Question:
    """Why does `head` give `label` to this text?

    Parameters
    ----------
    subject
        The model.
    text
        As far as the model reads it.
    head
        One of the subject's.
    index
        Of the label in the head.
    seed
        Of the methods that sample.
    """

    subject: Subject
    text: str
    head: str
    index: int
    seed: int = 0

    @cached_property
    def words(self) -> list[Span]:
        """Where the words are."""
        return word_spans(self.text)

    @cached_property
    def ids(self) -> list[int]:
        """Token ids, special tokens included."""
        found: list[int] = self.subject.tokenizer.encode(self.text).ids
        return found

    @cached_property
    def owners(self) -> list[int | None]:
        """The word of each token; None for special tokens."""
        return word_of_pieces(self.subject.tokenizer.encode(self.text).offsets, self.words)

    @property
    def many(self) -> bool:
        """Whether the head may give several labels."""
        return self.head in self.subject.many

    def score(self, texts: Sequence[str]) -> Floats:
        """Log-odds of the label in each text, ``(texts,) float64``, by the serving engine."""
        return log_odds(self.subject.logits(texts)[self.head], self.index, many=self.many)

    def masked(self, keep: NDArray[np.bool_]) -> str:
        """The text with the words not kept, ``(words,) bool``, each replaced by the mask."""
        parts, at = [], 0
        for (start, end), kept in zip(self.words, keep.tolist(), strict=True):
            if not kept:
                parts += [self.text[at:start], self.subject.mask]
                at = end
        return "".join([*parts, self.text[at:]])


def log_odds(logits: NDArray[np.floating], index: int, *, many: bool) -> Floats:
    """Log-odds of one label: ``log(p / (1 - p))``, before calibration.

    With a sigmoid that is the label's logit. With a softmax it is the logit less the log-sum-exp
    of the others: a single logit says nothing there, a constant added to all changes no
    probability.

    Parameters
    ----------
    logits
        ``(rows, labels)``.
    index
        Of the label.
    many
        Whether each label has a sigmoid of its own.

    Returns
    -------
    NDArray
        ``(rows,) float64``; 0.0 is a probability of one half.

    Examples
    --------
    >>> import numpy as np
    >>> log_odds(np.log([[0.5, 0.25, 0.25]]), 0, many=False).round(6) + 0.0
    array([0.])
    """
    wide = logits.astype(np.float64)
    if many or wide.shape[1] == 1:
        return np.asarray(wide[:, index])
    others = np.delete(wide, index, axis=1)
    top = others.max(axis=1)
    return np.asarray(
        wide[:, index] - top - np.log(np.exp(others - top[:, np.newaxis]).sum(axis=1))
    )


def relative_gap(total: float, difference: float) -> float:
    """How far a sum is from what it should be, as a share of that; of nothing, in log-odds."""
    return abs(total - difference) / max(abs(difference), 1e-3)
