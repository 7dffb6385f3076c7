"""How far people agree beyond chance, and how often they are right where the answer is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from models.robustness.wilson import wilson
from monitor.domain import Label, LabelRole
from monitor.relabel.standing import annotated, disputed, known, standing


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Return the agreement of two annotators beyond what their own habits would give by chance.

    ``(p_o - p_e) / (1 - p_e)`` (Cohen 1960, A coefficient of agreement for nominal scales, equation 1):
    1 is full agreement, 0 chance. ``None`` where it is not defined: no pair, or both always say the same
    one thing.

    Parameters
    ----------
    pairs
        What the one and the other say of each item that both labelled.

    Examples
    --------
    >>> cohen_kappa([("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15)
    0.4
    """
    count = len(pairs)
    ones, others = (Counter(pair[side] for pair in pairs) for side in (0, 1))
    expected = sum(ones[value] * others[value] for value in ones)
    if count * count == expected:
        return None
    agreed = sum(one == other for one, other in pairs)
    return float(Fraction(count * agreed - expected, count * count - expected))


def krippendorff_alpha(units: Iterable[Sequence[str]]) -> float | None:
    """Return the agreement of any number of annotators, each of whom may have labelled some items only.

    One less observed over expected disagreement, by coincidences, for nominal data (Krippendorff 2011,
    Computing Krippendorff's alpha-reliability, section C). ``None`` where it is not defined: no item has
    two labels, or all labels are the same.

    Parameters
    ----------
    units
        Of each item, what its annotators say; items with fewer than two labels say nothing.

    Examples
    --------
    >>> zeros_and_ones = ["01", "11", "01", "00", "00", "01", "00", "00", "10", "00"]
    >>> round(krippendorff_alpha(zeros_and_ones), 3)
    0.095
    """
    totals: Counter[str] = Counter()
    same = Fraction(0)  # coincidences on the diagonal
    for unit in units:
        if len(unit) > 1:
            counts = Counter(unit)
            totals += counts
            same += Fraction(sum(n * (n - 1) for n in counts.values()), len(unit) - 1)
    n = sum(totals.values())
    by_chance = sum(each * (each - 1) for each in totals.values())
    if n * (n - 1) == by_chance:
        return None
    return float(((n - 1) * same - by_chance) / (n * (n - 1) - by_chance))


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of one head: how many questions two people or more answered, and how far they agree."""

    head: str
    labelled: int
    double: int
    alike: int  # of those, answered alike by everybody
    alpha: float | None
    kappa: Mapping[tuple[str, str], float | None]  # by pair of annotators
    disputed: int


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often an annotator was right where the answer is known, with Wilson's 95% interval (1927)."""

    who: str
    checked: int
    right: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.right / self.checked


def agreements(events: Iterable[Label]) -> list[Agreement]:
    """Return the agreement under each head, by head."""
    events = list(events)
    said, waiting = annotated(events), disputed(events)
    found = []
    for head in sorted({question[2] for question in said}):
        votes = [each for question, each in said.items() if question[2] == head]
        double = [each for each in votes if len(each) > 1]
        people = sorted({who for each in double for who in each})
        kappa = {}
        for one, other in combinations(people, 2):
            pairs = [(each[one], each[other]) for each in double if one in each and other in each]
            if pairs:
                kappa[(one, other)] = cohen_kappa(pairs)
        found.append(
            Agreement(
                head=head,
                labelled=len(votes),
                double=len(double),
                alike=sum(len(set(each.values())) == 1 for each in double),
                alpha=krippendorff_alpha(list(each.values()) for each in double),
                kappa=kappa,
                disputed=sum(question[2] == head for question in waiting),
            )
        )
    return found


def accuracies(events: Iterable[Label]) -> list[Accuracy]:
    """Return how often each annotator was right where an answer is known that is not theirs, by name."""
    events = list(events)
    answers = known(events)
    checked: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for label in standing(events):
        answer = answers.get(label.question)
        if label.role is LabelRole.ANNOTATION and answer and label.who not in answer.who:
            checked[label.who] += 1
            right[label.who] += label.value == answer.value
    return [
        Accuracy(who, checked[who], right[who], *wilson(right[who], checked[who]))
        for who in sorted(checked)
    ]
