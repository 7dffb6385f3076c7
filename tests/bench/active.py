"""Does the relabelling queue pay? Accuracy over labels, of the queue's choice and of random choice.

    python -m tests.bench.active [--seeds N] [--plot FILE.png] [--json]

On Twitter Financial News Topic: 20 topics, 13,274 texts to choose from, 3,968 test texts. The model that
learns is small, so that every curve can be drawn many times: embeddings of the untrained base, frozen, and a
logistic head (the shipped bundle has learnt from these very labels, which would flatter any choice).
Everybody begins with the same 100 random texts; at each step a fifth more are chosen, by the samplers of
`monitor.relabel` with the head's calibrated probabilities, and the head is trained anew. Its strength of
regularisation is the best of some on the validation split, for all alike.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from models.calibrate import fit_temperature
from models.dataset.embed import embeddings
from models.labels import TOPICS, Head, HeadKind
from models.metrics import softmax
from models.tables import Labelled, read_splits
from monitor.domain import EPOCH, digest
from monitor.relabel.queue import choose
from monitor.relabel.samplers import SHARES, Candidate, doubt_of
from monitor.stories.copies import text_key

SHARED = Path(os.environ.get("FORESHOCK_DATA", "../shared/data"))
FIRST, LAST, GROWTH = 100, 10_000, 1.2
STRENGTHS = (3.0, 10.0, 30.0)  # the inverse of the penalty
BOOTSTRAPS = 1_000
ABSENT = -30.0  # logit of a topic that no label had yet
#: Who chooses: shares of the samplers. Where a sampler has nothing to offer here (there are no alerts, no
#: companies and no times), the others have its turns.
CHOICES: Mapping[str, Mapping[str, float]] = {
    "random": {"random": 1.0},
    "uncertain": {"uncertain": 1.0},
    "queue, by default": SHARES,
}
AT = (1_000, 2_000, 4_000, 6_000, 8_000)  # labels of random choice that are compared with

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Data:
    """Embeddings ``(texts, width)`` and topics ``(texts,)`` of each split, and the keys of the texts."""

    vectors: Mapping[str, NDArray[np.float32]]
    topics: Mapping[str, NDArray[np.int64]]
    texts: Sequence[str]


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy over labels of the queue's choice.")
    parser.add_argument("--file", default=str(SHARED / "labelled/twitter_topic.csv.gz"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--plot", type=Path, help="PNG to draw the curves into.")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    warnings.filterwarnings("ignore", module="sklearn")
    data = load(Path(given.file))
    curves = {
        name: np.array([curve(data, shares, seed) for seed in range(given.seeds)])
        for name, shares in CHOICES.items()
    }
    figures = {
        name: {n: ratio(curves["random"], found, n) for n in AT} for name, found in curves.items()
    }
    if given.plot:
        draw(curves, given.plot)
    if given.json:
        steps = {name: found.tolist() for name, found in curves.items()}
        print(json.dumps({"labels": schedule(), "accuracy": steps, "ratio": figures}, indent=1))
        return
    print(f"{'':20}" + "".join(f"{n:>18,}" for n in AT) + "  labels of random choice")
    for name, found in figures.items():
        cells = (f"{m:.2f} [{low:.2f}, {high:.2f}]" for m, low, high in found.values())
        print(f"{name:20}" + "".join(f"{cell:>18}" for cell in cells))


def load(file: Path) -> Data:
    """Read the set and embed it."""
    head = Head("topic", HeadKind.SINGLE, TOPICS)
    splits: dict[str, Labelled] = read_splits(file, text="text", label="topic", head=head)
    return Data(
        {name: embeddings(part.texts) for name, part in splits.items()},
        {name: part.labels.astype(np.int64) for name, part in splits.items()},
        [text_key(text) for text in splits["train"].texts],
    )


def schedule() -> list[int]:
    """Return how many labels there are at each step."""
    steps = [FIRST]
    while steps[-1] * GROWTH < LAST:
        steps.append(int(steps[-1] * GROWTH))
    return steps


def curve(data: Data, shares: Mapping[str, float], seed: int) -> list[float]:
    """Return the test accuracy at each step of the schedule."""
    order = np.random.default_rng(seed).permutation(len(data.texts))
    labelled, waiting = order[:FIRST].tolist(), set(order[FIRST:].tolist())
    steps = schedule()
    found = []
    for size in (*steps[1:], None):
        logits = partial(_logits, _fit(data, labelled))
        truth = data.topics["test"]
        found.append(float((logits(data.vectors["test"]).argmax(axis=1) == truth).mean()))
        if size is not None:
            candidates = _candidates(data, sorted(waiting), logits)
            chosen = choose(candidates, shares, size - len(labelled), "bench", seed)
            new = [int(choice.key[1]) for choice in chosen]
            labelled += new
            waiting -= set(new)
    return found


def _candidates(data: Data, pool: Sequence[int], logits: Any) -> list[Candidate]:
    temperature = fit_temperature(logits(data.vectors["valid"]), data.topics["valid"])
    probabilities = softmax(logits(data.vectors["train"][pool]), temperature)
    best = probabilities.argmax(axis=1).tolist()
    return [
        Candidate(
            key=(digest(str(place)), str(place)),
            text=data.texts[place],
            words=frozenset(),
            at=EPOCH,
            doubt=doubt_of(probability),
            classes={"topic": TOPICS[topic]},
        )
        for place, topic, probability in zip(
            pool, best, probabilities.max(axis=1).tolist(), strict=True
        )
    ]


def _fit(data: Data, labelled: Sequence[int]) -> LogisticRegression:
    """Return the head that is best on the validation split."""
    vectors, topics = data.vectors["train"][labelled], data.topics["train"][labelled]
    tried = [
        LogisticRegression(C=strength, max_iter=200, tol=1e-3).fit(vectors, topics)
        for strength in STRENGTHS
    ]
    valid = data.vectors["valid"], data.topics["valid"]
    return max(tried, key=lambda model: model.score(*valid))


def _logits(model: LogisticRegression, vectors: NDArray[np.float32]) -> Floats:
    found = np.full((len(vectors), len(TOPICS)), ABSENT)
    found[:, model.classes_] = model.decision_function(vectors)
    return found


def ratio(random: Floats, other: Floats, labels: int) -> tuple[float, float, float]:
    """Return the share of labels with which a choice is as accurate as random choice with so many.

    Of the mean curves, with the 95% interval of a bootstrap over the seeds (Efron 1979). Curves are made
    monotone first (isotonic regression), so that a lucky step is not taken for a gain.
    """
    chance = np.random.default_rng(1)
    draws = chance.integers(len(random), size=(BOOTSTRAPS, len(random)))
    drawn = [_needed(random[rows].mean(axis=0), other[rows].mean(axis=0), labels) for rows in draws]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return (
        round(_needed(random.mean(axis=0), other.mean(axis=0), labels), 3),
        *(round(float(low), 3), round(float(high), 3)),
    )


def _needed(random: Floats, other: Floats, labels: int) -> float:
    steps, rising = np.log(schedule()), _rising(other)
    target = float(np.interp(math.log(labels), steps, _rising(random)))
    reached = int(np.searchsorted(rising, target))
    if reached in (0, len(steps)):
        return float("inf") if reached else FIRST / labels
    part = (target - rising[reached - 1]) / (rising[reached] - rising[reached - 1])
    at = float(steps[reached - 1] + part * (steps[reached] - steps[reached - 1]))
    return math.exp(at) / labels


def _rising(accuracy: Floats) -> Floats:
    steps = np.arange(len(accuracy))
    found: Floats = IsotonicRegression().fit_transform(steps, accuracy)
    return found


def draw(curves: Mapping[str, Floats], file: Path) -> None:
    """Plot accuracy over labels, with the spread of the seeds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.2, 4.4), dpi=140)
    colours = {"random": "#8896A5", "uncertain": "#C8551B", "queue, by default": "#1F6FB2"}
    for name, found in curves.items():
        mean, spread = found.mean(axis=0), found.std(axis=0, ddof=1)
        axes.plot(schedule(), mean, label=name, color=colours[name], linewidth=2)
        axes.fill_between(schedule(), mean - spread, mean + spread, color=colours[name], alpha=0.15)
    axes.set_xscale("log")
    ticks = (100, 200, 500, 1_000, 2_000, 5_000, 10_000)
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("labels")
    axes.set_ylabel("accuracy on the test split")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, title=f"chosen by (mean and spread of {len(found)} seeds)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
