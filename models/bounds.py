"""What is still fair, when names are swapped in sentences."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is still fair. Scores are P(positive) - P(negative), in [-1, 1].

    Parameters
    ----------
    mean, p95
        Mean and 95th percentile of the absolute shift.
    flips
        Share of swaps that get another label.
    group
        Between the means of the best and the worst group.
    """

    mean: float = 0.10
    p95: float = 0.35
    flips: float = 0.10
    group: float = 0.10
