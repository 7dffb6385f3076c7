"""How often a label changes when a text is only written otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.explain.subject import answers_many
from models.robustness.perturb import PERTURBATIONS, perturb
from models.robustness.wilson import wilson
from models.text import model_input

if TYPE_CHECKING:
    from models.classifier import Classifier

_CHUNK = 256

#: Share of labels that may flip, by perturbation; `OTHER_BOUND` for those that only change how letters look.
BOUNDS: Mapping[str, float] = {
    "typo_swap": 0.2,
    "typo_drop": 0.2,
    "typo_key": 0.2,
    "synonyms": 0.1,
}
OTHER_BOUND = 0.05

Progress = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Flips:
    """What one perturbation did.

    Parameters
    ----------
    perturbation
        Its name.
    changed
        Texts it changed; the others are not counted.
    read_otherwise
        Of those, still different after normalising: what the model got to see.
    flipped
        Of `changed`, those that got another label (or another set of labels).
    """

    perturbation: str
    changed: int
    read_otherwise: int
    flipped: int

    @property
    def share(self) -> float | None:
        """Share of the changed texts that flipped, in [0, 1]; None when it changed none."""
        return self.flipped / self.changed if self.changed else None

    @property
    def bound(self) -> float:
        """Largest share that is still fair; see `BOUNDS`."""
        return BOUNDS.get(self.perturbation, OTHER_BOUND)

    @property
    def exceeded(self) -> bool:
        """Whether the share is over its bound."""
        return (self.share or 0.0) > self.bound

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share; see `models.robustness.wilson`."""
        return wilson(self.flipped, self.changed)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "perturbation": self.perturbation,
            "changed": self.changed,
            "read_otherwise": self.read_otherwise,
            "flipped": self.flipped,
            "share": self.share,
            "interval_95": list(self.interval),
            "bound": self.bound,
            "exceeded": self.exceeded,
        }


def flips(
    classifier: Classifier,
    texts: Sequence[str],
    head: str,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[Flips, ...]:
    """Share of labels that flip, for each of `PERTURBATIONS`.

    Texts are perturbed as their source would publish them, then read as serving reads them, by
    `models.text.model_input`.

    Parameters
    ----------
    classifier
        Loaded.
    texts
        Titles; those that read as empty are left out.
    head
        One of the classifier's.
    seed
        Of the perturbations.
    progress
        Told (texts classified, texts in all).

    Raises
    ------
    ModelError
        When the head does not exist, or there are no texts.
    """
    plain = [(text, read) for text in texts if (read := model_input(text))]
    check_head(classifier, head)
    if not plain:
        raise ModelError("no texts to perturb: all are empty")
    total = len(plain) * (len(PERTURBATIONS) + 1)
    many = answers_many(classifier.bundle, head)
    before = decide(classifier, [read for _, read in plain], head, many)
    progress(len(plain), total)
    results = []
    for number, name in enumerate(PERTURBATIONS):
        written = [perturb(name, text, seed) for text, _ in plain]
        changed = [i for i, new in enumerate(written) if new != plain[i][0]]
        reading = {i: model_input(written[i]) for i in changed}
        otherwise = [i for i in changed if reading[i] != plain[i][1]]
        after = decide(classifier, [reading[i] for i in otherwise], head, many)
        flipped = sum(
            not np.array_equal(before[i], new) for i, new in zip(otherwise, after, strict=True)
        )
        results.append(Flips(name, len(changed), len(otherwise), flipped))
        progress(len(plain) * (number + 2), total)
    return tuple(results)


def check_head(classifier: Classifier, head: str) -> None:
    """Raise ModelError when a classifier has no such head."""
    labels = classifier.bundle.labels
    if head not in labels:
        raise ModelError(f"no head {head!r}; the model has {', '.join(map(repr, labels))}")


def decide(
    classifier: Classifier, texts: Sequence[str], head: str, many: bool
) -> NDArray[np.bool_]:
    """Labels given to each text, ``(texts, labels) bool``: the likeliest, or all over one half."""
    logits = [
        classifier.logits(texts[start : start + _CHUNK])[head]
        for start in range(0, len(texts), _CHUNK)
    ]
    if not logits:
        return np.empty((0, len(classifier.bundle.labels[head])), dtype=np.bool_)
    values = np.concatenate(logits)
    if many:
        return np.asarray(values > 0)
    return np.asarray(np.arange(values.shape[1]) == values.argmax(axis=1)[:, np.newaxis])
