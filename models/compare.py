"""A finished bundle beside what it came from: the int8 graph, float32, and the frozen base (torch).

All three are measured on the same rows by the code of `foreshock evaluate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.base import Base
from models.baseline import baseline_probabilities
from models.batches import Rows
from models.bundle import Bundle
from models.classifier import Classifier
from models.data import Source
from models.encoder import MultiHead, build
from models.errors import DataError
from models.evaluate import Report, evaluate_file, report
from models.fit import logits_of
from models.labels import HEADS
from models.metrics import Floats, softmax
from models.tables import Labelled, read_labelled
from models.tokens import MAX_TOKENS, encode, load_tokenizer


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
    """Labelled texts as rows of token ids, with the base's tokenizer."""

    def __init__(self, base: Base) -> None:
        self._tokenizer = load_tokenizer(base.folder / "tokenizer.json", MAX_TOKENS)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of texts."""
        return encode(self._tokenizer, texts)

    def rows(self, sets: Sequence[Labelled]) -> Rows:
        """Rows of several sets of one task, numbered by set."""
        return Rows(
            tuple(ids for part in sets for ids in self.ids(part.texts)),
            tuple(label for part in sets for label in part.labels),
            tuple(number for number, part in enumerate(sets) for _ in part.labels),
        )


def compare(
    bundle: Bundle,
    trained: MultiHead,
    base: Base,
    sources: Sequence[Source],
    *,
    baseline: bool,
    seed: int,
) -> tuple[Comparison, ...]:
    """Measure on the test split of every source, or on validation where it has no test split.

    Parameters
    ----------
    bundle
        Written, with its temperatures.
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
    classifier = Classifier.load(bundle.folder, engine="openvino")
    rows = Tokenised(base)
    return tuple(
        _compare(bundle, classifier, trained, base if baseline else None, rows, source, seed)
        for source in sources
    )


def _compare(
    bundle: Bundle,
    classifier: Classifier,
    trained: MultiHead,
    base: Base | None,
    rows: Tokenised,
    source: Source,
    seed: int,
) -> Comparison:
    task = source.task
    split, data = _test_split(source)
    tests = rows.rows([data])

    def other(model: str, probabilities: Floats) -> Report:
        truth = np.array(data.labels, dtype=np.int64)
        return report(task, source.path.name, split, model, HEADS[task], truth, probabilities)

    others = []
    if base is not None:
        frozen = build(base, {head: len(names) for head, names in HEADS.items()})
        train, valid = (rows.rows([source.splits[name]]) for name in ("train", "valid"))
        found = baseline_probabilities(frozen, task, train, valid, {"test": tests}, seed)
        others.append(other("frozen base", found["test"]))
    exact = softmax(logits_of(trained, tests, task), bundle.temperatures[task])
    others.append(other("float32 (torch)", exact))
    served = evaluate_file(classifier, source.path, task, source.text, task, split)
    return Comparison(served, tuple(others))


def _test_split(source: Source) -> tuple[str, Labelled]:
    names = HEADS[source.task]
    try:
        test = read_labelled(
            source.path, text=source.text, label=source.task, names=names, split="test"
        )
    except DataError:
        valid = read_labelled(
            source.path, text=source.text, label=source.task, names=names, split="valid"
        )
        return "valid", valid
    return "test", test
