"""Bias: does the sentiment of a sentence hang on whose name stands in it?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from numpy.typing import NDArray

from models.bounds import Bounds
from models.errors import ModelError
from models.labels import SENTIMENTS
from models.robustness.flips import Progress, check_head, silent
from models.robustness.wilson import wilson
from models.text import model_input

if TYPE_CHECKING:
    from models.classifier import Classifier

_CHUNK = 256
#: Real texts of each kind that are taken at most.
_REAL_TEXTS = 50


@dataclass(frozen=True, slots=True)
class Shift:
    """What swapping the names of one kind did.

    Every text stands once for each name; a shift is a score's distance from the median of its
    text, a flip another label than most of its text.

    Parameters
    ----------
    kind
        ``company``, ``country`` or ``gender``.
    texts, swaps
        Texts with a place for a name (`real` of them from the data), and sentences made of them.
    real
        See above.
    mean, p95
        Mean and 95th percentile of the absolute shift.
    flipped
        Of `swaps`.
    groups
        Mean signed shift of each group of names, worst first.
    bounds
        To be kept.
    """

    kind: str
    texts: int
    real: int
    swaps: int
    mean: float
    p95: float
    flipped: int
    groups: Mapping[str, float]
    bounds: Bounds

    @property
    def share(self) -> float:
        """Share of the swaps with another label, in [0, 1]."""
        return self.flipped / self.swaps

    @property
    def gap(self) -> float:
        """Between the means of the best and the worst group."""
        return max(self.groups.values()) - min(self.groups.values())

    @property
    def exceeded(self) -> tuple[str, ...]:
        """Bounds that are not kept, in words; empty when all are."""
        found = {
            "mean": self.mean,
            "p95": self.p95,
            "flips": self.share,
            "group": self.gap,
        }
        return tuple(
            f"{name} {value:.3f} over {getattr(self.bounds, name):.2f}"
            for name, value in found.items()
            if value > getattr(self.bounds, name)
        )

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "kind": self.kind,
            "texts": self.texts,
            "real_texts": self.real,
            "swaps": self.swaps,
            "mean_absolute_shift": self.mean,
            "p95_absolute_shift": self.p95,
            "flipped": self.flipped,
            "flip_share": self.share,
            "flip_interval_95": list(wilson(self.flipped, self.swaps)),
            "group_means": dict(self.groups),
            "group_gap": self.gap,
            "exceeded": list(self.exceeded),
        }


def counterfactual(
    classifier: Classifier,
    texts: Sequence[str] = (),
    head: str = "sentiment",
    bounds: Bounds | None = None,
    progress: Progress = silent,
) -> tuple[Shift, ...]:
    """Swap the names of companies, countries and people's genders.

    In templates of ours and in those of `texts` that name exactly one of the listed names of a
    kind.

    Parameters
    ----------
    classifier
        Loaded.
    texts
        Real ones, as their source publishes them; may be empty.
    head
        With the labels of `models.labels.SENTIMENTS`.
    bounds
        None for the default ones.
    progress
        Told (sentences read, sentences in all).

    Raises
    ------
    ModelError
        When the head does not exist or has other labels.
    """
    check_head(classifier, head)
    if tuple(classifier.bundle.labels[head]) != SENTIMENTS:
        raise ModelError(f"head {head!r} has no sentiment: its labels are not {SENTIMENTS}")
    places = {
        kind: ([*own.texts], _places(own, texts)[:_REAL_TEXTS]) for kind, own in _names().items()
    }
    total = sum(
        (len(own) + len(real)) * len(_names()[kind].pairs) for kind, (own, real) in places.items()
    )
    done = 0
    shifts = []
    for kind, (own, real) in places.items():
        names = _names()[kind].pairs
        sentences = [
            model_input(text.replace("{}", name)) for text in (*own, *real) for _, name in names
        ]
        parts = []
        for start in range(0, len(sentences), _CHUNK):
            part = sentences[start : start + _CHUNK]
            parts.append(classifier.probabilities(part)[head])
            done += len(part)
            progress(done, total)
        probabilities = np.concatenate(parts).reshape(-1, len(names), len(SENTIMENTS))
        shifts.append(_shift(kind, [group for group, _ in names], len(real), probabilities, bounds))
    return tuple(shifts)


def _shift(
    kind: str,
    groups: list[str],
    real: int,
    probabilities: NDArray[np.float64],
    bounds: Bounds | None,
) -> Shift:
    scores = probabilities[:, :, 2] - probabilities[:, :, 0]
    labels = probabilities.argmax(axis=2)
    usual = np.array([np.bincount(row, minlength=len(SENTIMENTS)).argmax() for row in labels])
    moved = scores - np.median(scores, axis=1, keepdims=True)
    means = {
        group: float(moved[:, [g == group for g in groups]].mean())
        for group in dict.fromkeys(groups)
    }
    return Shift(
        kind=kind,
        texts=len(scores),
        real=real,
        swaps=scores.size,
        mean=float(np.abs(moved).mean()),
        p95=float(np.quantile(np.abs(moved), 0.95)),
        flipped=int((labels != usual[:, np.newaxis]).sum()),
        groups=dict(sorted(means.items(), key=lambda item: item[1])),
        bounds=bounds or Bounds(),
    )


@dataclass(frozen=True, slots=True)
class _Names:
    pairs: tuple[tuple[str, str], ...]  # group, name
    texts: tuple[str, ...]
    pattern: re.Pattern[str]


@cache
def _names() -> dict[str, _Names]:
    source = files(__package__).joinpath("names.yaml").read_text(encoding="utf-8")
    content: Any = yaml.safe_load(source)
    found = {}
    for kind, entry in content.items():
        pairs = tuple((group, name) for group, names in entry["names"].items() for name in names)
        names = "|".join(re.escape(name) for name in sorted((n for _, n in pairs), key=len)[::-1])
        # Not within handles, tags, longer names (Wei in Weil) or possessive plurals.
        pattern = re.compile(rf"(?<![\w$@#&-])(?:{names})(?![\w&-])")
        found[str(kind)] = _Names(pairs, tuple(entry["texts"]), pattern)
    return found


def _places(own: _Names, texts: Sequence[str]) -> list[str]:
    """Texts that name exactly one listed name once, with ``{}`` in its place."""
    found = []
    for text in texts:
        if "{}" not in text and len(own.pattern.findall(text)) == 1:
            found.append(own.pattern.sub("{}", text))
    return found
