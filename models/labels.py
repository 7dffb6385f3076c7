"""Heads and the label sets the shipped bundles speak, in their fixed order.

Standard library only: the domain imports this module and nothing else of ``models``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

#: The 20 topics of Twitter Financial News Topic (MIT), in the order of its published label ids.
TOPICS: tuple[str, ...] = (
    "Analyst Update",
    "Fed | Central Banks",
    "Company | Product News",
    "Treasuries | Corporate Debt",
    "Dividend",
    "Earnings",
    "Energy | Oil",
    "Financials",
    "Currencies",
    "General News | Opinion",
    "Gold | Metals | Materials",
    "IPO",
    "Legal | Regulation",
    "M&A | Investments",
    "Macro",
    "Markets",
    "Politics",
    "Personnel Change",
    "Stock Commentary",
    "Stock Movement",
)

#: Sentiment classes, worst first, so that an index reads as an order.
SENTIMENTS: tuple[str, str, str] = ("negative", "neutral", "positive")


class HeadKind(StrEnum):
    """How a head answers."""

    SINGLE = "single"  # one of its labels: softmax
    MULTI = "multi"  # any number of its labels: a sigmoid each
    TARGET = "target"  # one of its labels, about one company in the text: softmax


@dataclass(frozen=True, slots=True)
class Head:
    """One question a model answers.

    Parameters
    ----------
    name
        In bundles, tables and on the command line.
    kind
        See `HeadKind`.
    labels
        In the order of its logits.
    """

    name: str
    kind: HeadKind
    labels: tuple[str, ...]


#: Labels of the heads we know by name; a bundle may hold others, with labels of its own.
KNOWN_LABELS: dict[str, tuple[str, ...]] = {
    "topic": TOPICS,
    "sentiment": SENTIMENTS,
    "target": SENTIMENTS,
}

#: Name of the output that is no head: a sentence embedding.
EMBEDDING = "embedding"


def sentiment_score(probabilities: Sequence[float]) -> float:
    """Balance of a sentiment distribution.

    Parameters
    ----------
    probabilities
        P(negative), P(neutral), P(positive), in the order of `SENTIMENTS`.

    Returns
    -------
    float
        P(positive) - P(negative), in [-1, 1]. 0.0 is balanced, not missing.

    Raises
    ------
    ValueError
        When there are not exactly three probabilities.

    Examples
    --------
    >>> sentiment_score((0.5, 0.25, 0.25))
    -0.25
    """
    if len(probabilities) != len(SENTIMENTS):
        raise ValueError(
            f"expected {len(SENTIMENTS)} sentiment probabilities, got {len(probabilities)}"
        )
    return float(probabilities[2]) - float(probabilities[0])
