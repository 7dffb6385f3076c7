"""Why an item is worth asking: each sampler orders the items that it has a reason to offer.

A sampler is pure. Chance comes from the dice that it is given, which fall the same for the same item, person
and seed, whatever else is stored.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

RECENT = 0.25  # the newest share of the items is looked at for drift, against the others
BY_CHANCE = "drawn by chance, to measure with"  # also said where the true reason must not be seen
# Of the order that a score gives: the higher, the closer to it. Some chance keeps a session from being filled
# with one kind of item, and two people from answering the same ones.
SHARPNESS = 8.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """What samplers know of an item.

    Parameters
    ----------
    key
        Article and revision.
    text
        What copies of a report have in common: `monitor.stories.copies.text_key`.
    words
        Of the title.
    at
        When it was published.
    doubt
        How uncertain it is whether the model was right, in [0, 1]; ``None`` where it did not read the item.
    classes
        What the model said, by head.
    quarrels
        Readings of the item that do not fit together, in words.
    verdict
        What a person said against an alert whose evidence it is, or nothing.
    """

    key: tuple[str, str]
    text: str
    words: frozenset[str]
    at: datetime
    doubt: float | None
    classes: Mapping[str, str]
    quarrels: tuple[str, ...] = ()
    verdict: str = ""


Dice = Callable[[Candidate], float]  # in (0, 1)


class Sampler(Protocol):
    """A reason to ask."""

    def order(self, pool: Sequence[Candidate], dice: Dice) -> list[int]:
        """Return the places in the pool of the items that it offers, most worth first."""
        ...

    def why(self, candidate: Candidate) -> str:
        """Return why such an item is asked, for the annotator; it must not tell what the model said."""
        ...


class Uncertain:
    """Items of which it is most uncertain whether the model was right: its answer was near even odds."""

    def order(self, pool: Sequence[Candidate], dice: Dice) -> list[int]:
        return softly(pool, [candidate.doubt for candidate in pool], dice)

    def why(self, candidate: Candidate) -> str:
        return "the model was unsure of it"


class Disagreement:
    """Items whose readings differ: of copies, towards a company and in all, of rules and model."""

    def order(self, pool: Sequence[Candidate], dice: Dice) -> list[int]:
        scores = [float(len(each.quarrels)) if each.quarrels else None for each in pool]
        return softly(pool, scores, dice)

    def why(self, candidate: Candidate) -> str:
        return "; ".join(candidate.quarrels)


class Wrong:
    """Items that spoke for an alert which a person judged false or about another company, newest first."""

    def order(self, pool: Sequence[Candidate], dice: Dice) -> list[int]:
        found = [place for place, each in enumerate(pool) if each.verdict]
        return sorted(found, key=lambda place: (-pool[place].at.timestamp(), pool[place].key))

    def why(self, candidate: Candidate) -> str:
        return f"evidence of an alert that was judged {candidate.verdict.replace('_', ' ')}"


class Rare:
    """Items of classes that the model seldom gives: drawn by chance, as likely as their class is rare."""

    def order(self, pool: Sequence[Candidate], dice: Dice) -> list[int]:
        counts = Counter(kind for each in pool for kind in each.classes.items())
        found = []
        for place, each in enumerate(pool):
            if each.classes:
                rarest = min(counts[kind] for kind in each.classes.items())
                # Drawing without replacement by weight: Efraimidis and Spirakis 2006, algorithm A.
                found.append((math.log(dice(each)) * rarest, each.key, place))
        return [place for _, _, place in sorted(found, reverse=True)]

    def why(self, candidate: Candidate) -> str:
        return "of a kind that the model seldom sees"


class Drift:
    """The newest items least like the earlier ones: by the words of their titles that those seldom had."""

    def order(self, pool: Sequence[Candidate], dice: Dice) -> list[int]:
        times = sorted(candidate.at for candidate in pool)
        if not times:
            return []
        since = times[int(len(times) * (1 - RECENT))]
        earlier = [candidate for candidate in pool if candidate.at < since]
        known = Counter(word for candidate in earlier for word in candidate.words)
        scores: list[float | None] = []
        for candidate in pool:
            if candidate.at < since or not candidate.words or not earlier:
                scores.append(None)
                continue
            news = sum(math.log((len(earlier) + 1) / (known[w] + 1)) for w in candidate.words)
            scores.append(news / len(candidate.words))
        return softly(pool, scores, dice)

    def why(self, candidate: Candidate) -> str:
        return "unlike the news before it"


class Random:
    """Any item: the honest sample, by which the model and the other samplers are measured."""

    def order(self, pool: Sequence[Candidate], dice: Dice) -> list[int]:
        return sorted(range(len(pool)), key=lambda place: (dice(pool[place]), pool[place].key))

    def why(self, candidate: Candidate) -> str:
        return BY_CHANCE


#: By the names that the settings give shares to.
SAMPLERS: Mapping[str, Sampler] = {
    "uncertain": Uncertain(),
    "disagreement": Disagreement(),
    "wrong": Wrong(),
    "rare": Rare(),
    "drift": Drift(),
    "random": Random(),
}

#: Their shares where the settings say nothing; they need not add up to one.
SHARES: Mapping[str, float] = {
    "uncertain": 0.6,
    "disagreement": 0.1,
    "wrong": 0.1,
    "rare": 0.05,
    "drift": 0.05,
    "random": 0.1,
}


def doubt_of(probability: float) -> float:
    """Return how uncertain it is whether an answer of a calibrated probability is right, in [0, 1].

    The variance of being right, times four. Of an answer only this probability is stored; near even odds two
    labels contend, and a label there teaches more than one where many are possible.

    Examples
    --------
    >>> doubt_of(0.5), doubt_of(1.0)
    (1.0, 0.0)
    """
    return 4.0 * probability * (1.0 - probability)


def softly(
    pool: Sequence[Candidate],
    scores: Sequence[float | None],
    dice: Dice,
    sharpness: float = SHARPNESS,
) -> list[int]:
    """Return places by score, highest first, stirred: the log of each rank, and Gumbel noise.

    Kirsch, Farquhar, Atighehchian, Jesson, Branchaud-Charron and Gal 2023, Stochastic batch acquisition: a
    simple baseline for deep active learning, section 3 (softrank). Items without a score are left out.
    """
    ranked = sorted(
        (-score, pool[place].key, place) for place, score in enumerate(scores) if score is not None
    )
    stirred = []
    for rank, (_, key, place) in enumerate(ranked, start=1):
        noise = -math.log(-math.log(dice(pool[place])))
        stirred.append((math.log(rank) - noise / sharpness, key, place))
    return [place for _, _, place in sorted(stirred)]
