"""A candidate with the champion's encoder and heads fitted anew to what the desk says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.bundle import Bundle
from models.labels import Head
from models.refit.features import HeadInputs
from models.refit.fit import Examples, HeadWeights, fit_head, labelled, said
from models.refit.write import head_weights, write_refit
from monitor.retrain.collect import Sample, truth_of
from monitor.retrain.old import Old
from monitor.retrain.plan import RetrainPlan

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one head is to learn, and what it is not to forget."""

    head: Head
    new: Sequence[Sample]
    old: Sequence[Old]

    def as_json(self) -> dict[str, Any]:
        """How many rows of which kind; for the store and the card."""
        bases = [each.basis for each in self.new if each.basis is not None]
        return {
            "new": len(self.new),
            **{f"by {basis.value}": bases.count(basis) for basis in sorted(set(bases))},
            "people": len({name for each in self.new for name in each.who}),
            "labels": {value: n for value, n in _counts(self.new).items()},
            "old": len(self.old),
            "old of fetched sets": sum(each.fetched for each in self.old),
        }


def refit(
    champion: Bundle,
    lessons: Sequence[Lesson],
    folder: Path,
    version: str,
    plan: RetrainPlan,
    card: str,
    training: Mapping[str, Any],
    progress: Progress = lambda what, done, total: None,
) -> Bundle:
    """Fit each lesson's head, and write the candidate.

    Parameters
    ----------
    folder
        Is made.
    card
        Its model card.
    training
        For the manifest, beside the champion's own.
    progress
        Told what is done, and how far that is.
    """
    reader = HeadInputs(champion, [lesson.head for lesson in lessons], plan.threads)
    made: dict[str, HeadWeights] = {}
    for lesson in lessons:
        made[lesson.head.name] = _fitted(champion, reader, lesson, plan, progress)
    data = [
        {
            "name": "desk",
            "head": lesson.head.name,
            "licence": "the desk's own labels",
            "rows": {"train": len(lesson.new)},
        }
        for lesson in lessons
    ]
    return write_refit(
        champion,
        folder,
        made,
        version=version,
        training={**champion.training, "refit": dict(training)},
        data=(*champion.data, *data),
        card=card,
    )


def _fitted(
    champion: Bundle,
    reader: HeadInputs,
    lesson: Lesson,
    plan: RetrainPlan,
    progress: Progress,
) -> HeadWeights:
    head = lesson.head
    start = head_weights(champion, head.name)

    def told(done: int, total: int) -> None:
        progress(f"reading texts for {head.name}", done, total)

    texts = [each.text for each in lesson.new] + [each.text for each in lesson.old]
    targets = [each.target for each in lesson.new] + [each.target for each in lesson.old]
    features = reader.of(head.name, texts, targets, told)
    split = len(lesson.new)
    progress(f"fitting {head.name}", 0, 0)
    truth = np.array([truth_of(each, head) for each in lesson.new])
    new = Examples(features[:split], labelled(head.kind, truth, len(head.labels)), np.ones(split))
    old = None
    if lesson.old:
        answers = said(head.kind, start.logits(features[split:]))
        old = Examples(features[split:], answers, np.ones(len(lesson.old)))
    return fit_head(head.kind, start, new, old, share=plan.share, strength=plan.hold)


def _counts(rows: Sequence[Sample]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in rows:
        found[each.value] = found.get(each.value, 0) + 1
    return dict(sorted(found.items()))
