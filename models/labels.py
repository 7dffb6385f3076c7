"""The label sets every bundle speaks, in their fixed order.

Standard library only: the domain imports this module and nothing else of ``models``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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

#: The heads of a bundle and the labels of each, in output order.
HEADS: Mapping[str, tuple[str, ...]] = {"topic": TOPICS, "sentiment": SENTIMENTS}


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
