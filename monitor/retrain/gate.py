"""Whether a candidate may take the champion's place.

Both read the same texts, none of which either was trained on by us: the frozen set (a fetched test split, or
the desk's own gold that is held out), and recent gold. The candidate has to be better on what the desk says
of late, beyond chance, and as good as the champion elsewhere, within stated margins, in every slice; and its
sentiment may not hang on names. Without a frozen set nobody passes.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.classifier import Classifier
from models.labels import SENTIMENTS, Head, HeadKind
from models.metrics import expected_calibration_error
from models.paired import Paired, paired
from models.robustness.counterfactual import Shift, counterfactual
from monitor.retrain.collect import Sample, truth_of
from monitor.retrain.plan import Margins

FROZEN, RECENT = "frozen", "recent"
CHUNK = 256
REAL_TEXTS = 300  # of the frozen set in which names are swapped, at most

Progress = Callable[[int, int], None]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Compared:
    """Champion and candidate on the rows of a set, or on a slice of both sets.

    ``ece`` is the calibration error of each, champion first; empty of a slice and of heads with several.
    """

    head: str
    on: str  # a set, or topic, language or source
    value: str  # of the slice
    counts: Paired
    ece: tuple[float, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For the store and for programs."""
        low, high = self.counts.interval()
        return {
            "head": self.head,
            "on": self.on,
            "value": self.value,
            "rows": self.counts.n,
            "champion": self.counts.first / self.counts.n,
            "candidate": self.counts.second / self.counts.n,
            "gained": self.counts.gained,
            "lost": self.counts.lost,
            "difference": self.counts.difference,
            "low": low,
            "high": high,
            "p_better": self.counts.p_better,
            "p_worse": self.counts.p_worse,
            "ece": list(self.ece),
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate says: ``reasons`` against the candidate, none where it may pass.

    ``frozen_hash`` tells one frozen set from another.
    """

    reasons: tuple[str, ...]
    sets: tuple[Compared, ...]
    slices: tuple[Compared, ...]
    bias: tuple[Shift, ...]
    frozen_hash: str
    champion: str
    candidate: str

    @property
    def passed(self) -> bool:
        return not self.reasons

    def as_json(self) -> dict[str, Any]:
        """For the store and for programs."""
        return {
            "passed": self.passed,
            "reasons": list(self.reasons),
            "sets": [each.as_json() for each in self.sets],
            "slices": [each.as_json() for each in self.slices],
            "bias": [each.as_json() for each in self.bias],
            "frozen_hash": self.frozen_hash,
            "champion": self.champion,
            "candidate": self.candidate,
        }


@dataclass(frozen=True, slots=True)
class _Read:
    """What two models make of one head's rows: which they have right, and how sure they are of it."""

    right: tuple[Flags, Flags]
    probabilities: tuple[NDArray[np.float64], NDArray[np.float64]]
    truth: NDArray[np.int64]
    topics: tuple[str, ...]


def decide(
    champion: Classifier,
    candidate: Classifier,
    heads: Sequence[str],
    frozen: Sequence[Sample],
    recent: Sequence[Sample],
    margins: Margins,
    progress: Progress = lambda done, total: None,
) -> Decision:
    """Ask the gate.

    Parameters
    ----------
    heads
        That may differ: each has to be measured.
    frozen, recent
        Rows of those heads.
    progress
        Told (texts read, texts in all).
    """
    known = {head.name: head for head in champion.bundle.heads}
    parts = {
        name: [[each for each in part if each.head == name] for part in (frozen, recent)]
        for name in heads
    }
    rows = {name: [*before, *late] for name, (before, late) in parts.items() if before or late}
    read = _read(champion, candidate, known, rows, progress)
    sets: list[Compared] = []
    slices: list[Compared] = []
    for name, own in rows.items():
        late = np.arange(len(own)) >= len(parts[name][0])
        for on, chosen in ((FROZEN, ~late), (RECENT, late)):
            if chosen.any():
                sets.append(_compared(known[name], on, "", read[name], chosen))
        slices += _slices(known[name], own, read[name], margins.slice_rows)
    bias = _bias(candidate, frozen, margins)
    reasons = [
        *_missing(heads, sets, margins),
        *_elsewhere(sets, margins),
        *_of_late(sets, margins),
        *_in_slices(slices, margins),
        *(f"names: {each.kind} {what}" for each in bias for what in each.exceeded),
    ]
    return Decision(
        tuple(reasons),
        tuple(sets),
        tuple(slices),
        bias,
        frozen_hash(frozen),
        champion.bundle.hash,
        candidate.bundle.hash,
    )


def frozen_hash(frozen: Sequence[Sample]) -> str:
    """Return a hash of a set's questions and answers, whatever their order."""
    rows = sorted(f"{s.head}\0{s.target}\0{s.value}\0{s.text}" for s in frozen)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _missing(heads: Sequence[str], sets: Sequence[Compared], margins: Margins) -> Iterator[str]:
    for on, least in ((FROZEN, margins.frozen), (RECENT, margins.recent)):
        for name in heads:
            rows = sum(each.counts.n for each in sets if (each.head, each.on) == (name, on))
            if rows < least:
                what = "the frozen set" if on == FROZEN else "recent gold that is held out"
                yield f"{name}: {what} has {rows} rows, fewer than {least}"


def _elsewhere(sets: Sequence[Compared], margins: Margins) -> Iterator[str]:
    for each in sets:
        if each.on != FROZEN:
            continue
        found, (low, _) = each.counts.difference, each.counts.interval()
        if found < -margins.worse:
            yield (
                f"{each.head}: loses {_points(-found)} on the frozen set, more than "
                f"{_points(margins.worse)}"
            )
        elif low < -margins.doubt:
            yield (
                f"{each.head}: on the frozen set it may lose {_points(-low)} (95% interval of "
                f"{each.counts.n} rows), more than {_points(margins.doubt)}"
            )


def _of_late(sets: Sequence[Compared], margins: Margins) -> Iterator[str]:
    """One head at least has to be better on recent gold, and none worse, each beyond chance."""
    late = [each for each in sets if each.on == RECENT and each.counts.n >= margins.recent]
    if not late:
        return
    level = margins.alpha / len(late)  # Bonferroni
    if not any(each.counts.p_better < level for each in late):
        said = ", ".join(
            f"{each.head} {each.counts.gained} gained and {each.counts.lost} lost of {each.counts.n}, "
            f"p = {each.counts.p_better:.3f}"
            for each in late
        )
        yield f"not better on recent gold beyond chance ({said}; p below {level:.3g} is asked)"
    for each in late:
        if each.counts.p_worse < level:
            yield f"{each.head}: worse on recent gold, p = {each.counts.p_worse:.3g}"


def _in_slices(slices: Sequence[Compared], margins: Margins) -> Iterator[str]:
    level = margins.alpha / max(1, len(slices))
    for each in slices:
        found = each.counts
        if found.difference < -margins.slice_worse and found.p_worse < level:
            yield (
                f"{each.head}: loses {_points(-found.difference)} where {each.on} is {each.value} "
                f"({found.n} rows, p = {found.p_worse:.2g})"
            )


def _points(share: float) -> str:
    return f"{100 * share:.2f} points"


def _bias(candidate: Classifier, frozen: Sequence[Sample], margins: Margins) -> tuple[Shift, ...]:
    if tuple(candidate.bundle.labels.get("sentiment", ())) != SENTIMENTS:
        return ()
    real = [each.text for each in frozen if each.head == "sentiment"][:REAL_TEXTS]
    return counterfactual(candidate, real, bounds=margins.bias)


def _slices(head: Head, own: Sequence[Sample], read: _Read, least: int) -> list[Compared]:
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at, each in enumerate(own):
        topic = read.topics[at] or each.topic
        for on, value in (("topic", topic), ("language", each.language), ("source", each.source)):
            if value:
                groups[(on, value)].append(at)
    found = []
    for (on, value), places in sorted(groups.items()):
        if len(places) >= least:
            chosen = np.zeros(len(own), dtype=bool)
            chosen[places] = True
            found.append(_compared(head, on, value, read, chosen, ece=False))
    return found


def _compared(
    head: Head, on: str, value: str, read: _Read, chosen: Flags, ece: bool = True
) -> Compared:
    counts = paired(read.right[0][chosen], read.right[1][chosen])
    errors: tuple[float, ...] = ()
    if ece and head.kind is not HeadKind.MULTI:
        errors = tuple(
            expected_calibration_error(read.truth[chosen], each[chosen])
            for each in read.probabilities
        )
    return Compared(head.name, on, value, counts, errors)


def _read(
    champion: Classifier,
    candidate: Classifier,
    known: Mapping[str, Head],
    rows: Mapping[str, Sequence[Sample]],
    progress: Progress,
) -> Mapping[str, _Read]:
    """Return what both make of every head's rows, in their order; each text is read once by each."""
    total = 2 * sum(map(len, rows.values()))
    first = _probabilities(champion, known, rows, lambda done: progress(done, total))
    second = _probabilities(candidate, known, rows, lambda done: progress(total // 2 + done, total))
    topics = {}
    if "topic" in known:
        places = {text: int(each["topic"].argmax()) for text, each in first.texts.items()}
        topics = {text: known["topic"].labels[at] for text, at in places.items()}
    made = {}
    for name, own in rows.items():
        head = known[name]
        truth = np.array([truth_of(each, head) for each in own])
        values = (first.heads[name], second.heads[name])
        right = (_right(head, truth, values[0]), _right(head, truth, values[1]))
        made[name] = _Read(right, values, truth, tuple(topics.get(each.text, "") for each in own))
    return made


@dataclass(frozen=True, slots=True)
class _Probabilities:
    """Of each head its rows' probabilities, and of each text all that was read of it."""

    heads: Mapping[str, NDArray[np.float64]]
    texts: Mapping[str, Mapping[str, NDArray[np.float64]]]


def _probabilities(
    classifier: Classifier,
    known: Mapping[str, Head],
    rows: Mapping[str, Sequence[Sample]],
    told: Callable[[int], None],
) -> _Probabilities:
    texts: dict[str, dict[str, NDArray[np.float64]]] = {}
    heads: dict[str, NDArray[np.float64]] = {}
    done = 0
    for name, own in rows.items():
        if known[name].kind is HeadKind.TARGET:
            heads[name] = _in_chunks(classifier, own)
        else:
            new = [text for text in dict.fromkeys(each.text for each in own) if text not in texts]
            for start in range(0, len(new), CHUNK):
                part = new[start : start + CHUNK]
                values = classifier.probabilities(part)
                for at, text in enumerate(part):
                    texts[text] = {head: found[at] for head, found in values.items()}
                told(done + start + len(part))
            heads[name] = np.stack([texts[each.text][name] for each in own])
        done += len(own)
        told(done)
    return _Probabilities(heads, texts)


def _in_chunks(classifier: Classifier, rows: Sequence[Sample]) -> NDArray[np.float64]:
    parts = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
    return np.concatenate(
        [
            classifier.target_probabilities([s.text for s in part], [[s.target] for s in part])
            for part in parts
        ]
    )


def _right(head: Head, truth: NDArray[np.int64], values: NDArray[np.float64]) -> Flags:
    if head.kind is HeadKind.MULTI:
        found: Flags = ((values >= 0.5) == (truth > 0)).all(axis=1)
        return found
    return np.asarray(values.argmax(axis=1) == truth)
