"""More training texts under the same label.

Wei and Zou 2019, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text
Classification Tasks", showed what small edits give on small sets; random swaps and deletions are
left out here, in a headline they turn "A buys B" and "not" around.

An augmentation returns a text under the label of the one it was given, or that very text when it
has nothing to change; it draws from `rng` alone, so a seed fixes the outcome.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from models.dataset.entity_swap import EntitySwap
from models.dataset.number_change import NumberChange
from models.dataset.synonyms import Synonyms
from models.errors import DataError


class Augmentation(Protocol):
    """A label-preserving change of a text."""

    @property
    def name(self) -> str:
        """As in `REGISTRY`."""

    def augment(self, text: str, rng: random.Random) -> str:
        """The text changed, or as it was."""


#: What can be asked for by name. Back-translation needs models: `models.dataset.back_translation`.
REGISTRY: Mapping[str, Callable[[], Augmentation]] = {
    "entities": EntitySwap.built_in,
    "numbers": NumberChange,
    "synonyms": Synonyms.built_in,
}

#: A text that each entry changes, for its tests.
SAMPLES: Mapping[str, str] = {
    "entities": "$JPM - JPMorgan's profit rises, JPMorgan says",
    "numbers": "Acme EPS $1.23 vs. $1.10 consensus, sales up 12.5% in 2024",
    "synonyms": "Acme plunges amid probe by regulators",
}


def augmented(
    texts: Sequence[str],
    augmentations: Sequence[Augmentation],
    *,
    copies: int = 1,
    seed: int = 13,
) -> list[tuple[int, str]]:
    """New texts made from each text by all augmentations, one after the other.

    Parameters
    ----------
    texts
        To start from.
    augmentations
        In the order they are applied.
    copies
        Tries for each text; those that change nothing, or repeat another, give nothing.
    seed
        With the text and the number of the try decides the outcome: neither the order nor the
        number of the texts does.

    Returns
    -------
    list of tuple
        Position of the text it was made from, and the new text.

    Examples
    --------
    >>> augmented(["Acme to meet analysts"], [NumberChange()])
    []
    """
    made = []
    for position, text in enumerate(texts):
        known = {text}
        for copy in range(copies):
            material = f"{seed}\0{copy}\0{text}".encode("utf-8", "backslashreplace")
            rng = random.Random(hashlib.sha256(material).digest())
            new = text
            for augmentation in augmentations:
                new = augmentation.augment(new, rng)
            if new not in known:
                known.add(new)
                made.append((position, new))
    return made


def by_name(names: Sequence[str]) -> list[Augmentation]:
    """Build augmentations of the registry.

    Raises
    ------
    DataError
        When one does not exist; names those that do.
    """
    for name in names:
        if name not in REGISTRY:
            raise DataError(f"no augmentation {name!r}; there are {', '.join(map(repr, REGISTRY))}")
    return [REGISTRY[name]() for name in names]
