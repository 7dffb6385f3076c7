"""A finished bundle beside what it came from: the int8 graph, float32, and the frozen base (torch).

All three are measured on the same rows by the code of `foreshock evaluate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.base import Base
from models.bundle import TOKENIZER
from models.classifier import Classifier
from models.encoder import MultiHead, build
from models.evaluate import Report, report, served_report
from models.labels import HeadKind
from models.metrics import Floats
from models.tokens import encode, load_tokenizer
from models.training.baseline import baseline_probabilities
from models.training.batches import Rows
from models.training.data import Source, texts_of
from models.training.loop import logits_of


@dataclass(frozen=True, slots=True)
class Comparison:
    """Reports on one labelled set: of the served graph, and of the others, weakest first."""

    served: Report
    others: tuple[Report, ...]

    def headlines(self) -> dict[str, Any]:
        """The figures a bundle keeps."""
        return {
            "task": self.served.task,
            "split": self.served.split,
            "int8": self.served.headline(),
            **{other.model.split(" (")[0]: other.headline() for other in self.others},
        }


class Tokenised:
    """Labelled texts as rows of token ids, with a bundle's tokenizer."""

    def __init__(self, tokenizer: Path, max_tokens: int) -> None:
        self._tokenizer = load_tokenizer(tokenizer, max_tokens)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of texts."""
        return encode(self._tokenizer, texts)

    def rows(self, sources: Sequence[Source], split: str) -> Rows:
        """Rows of a split of several sets of one head, numbered by set."""
        parts = [source.splits[split] for source in sources]
        return Rows(
            tuple(ids for source in sources for ids in self.ids(texts_of(source, split))),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([np.full(len(part), number) for number, part in enumerate(parts)]),
        )


def compare(
    classifier: Classifier,
    trained: MultiHead,
    base: Base,
    sources: Sequence[Source],
    *,
    baseline: bool,
    seed: int,
) -> tuple[Comparison, ...]:
    """Measure on the test split of every source, or on validation where it has no test split.

    A set that only trains is not measured.

    Parameters
    ----------
    classifier
        The finished bundle, with its temperatures.
    trained
        The same model in float32.
    base
        What it started from.
    sources
        Labelled sets.
    baseline
        Measure the frozen base too.
    seed
        Of the baseline's solver.
    """
    bundle = classifier.bundle
    tokenised = Tokenised(bundle.path(TOKENIZER), bundle.max_tokens)
    frozen = base if baseline else None
    return tuple(
        _compare(classifier, trained, frozen, tokenised, source, seed)
        for source in sources
        if source.splits.keys() & {"valid", "test"}
    )


def _compare(
    classifier: Classifier,
    trained: MultiHead,
    base: Base | None,
    tokenised: Tokenised,
    source: Source,
    seed: int,
) -> Comparison:
    head = source.head
    split = "test" if "test" in source.splits else "valid"
    data = source.splits[split]
    tests = tokenised.rows([source], split)

    def other(model: str, probabilities: Floats) -> Report:
        return report(head, source.path.name, split, model, data, probabilities)

    others = []
    if base is not None and head.kind is HeadKind.SINGLE and "valid" in source.splits:
        frozen = build(base, [head])
        train, valid = (tokenised.rows([source], name) for name in ("train", "valid"))
        found = baseline_probabilities(frozen, head.name, train, valid, {"test": tests}, seed)
        others.append(other("frozen base", found["test"]))
    logits = logits_of(trained, tests, head.name)
    others.append(other("float32 (torch)", classifier.calibrated(head.name, logits)))
    served = served_report(classifier, head, source.path.name, split, data)
    return Comparison(served, tuple(others))
