"""Reports: the items of a key with copies counted once.

Forty publishers that carry one agency text are one report. An item is a copy within a window when another
with the same title, whatever its case, its punctuation and its place in a chain of updates, was published
before it in that window. That depends on what was published and not on the order in which it arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitor.domain import Dimension
from monitor.stories.copies import report_key


class Reports:
    """The items of one key in a span of time.

    Parameters
    ----------
    items
        Columns id, revision, title, published_us, sentiment and score (both towards the key; ``None`` where
        the model did not read the item).
    """

    def __init__(self, items: pd.DataFrame) -> None:
        items = items.sort_values(["published_us", "id"], kind="stable", ignore_index=True)
        same = items["title"].map(report_key)
        before = items["published_us"].groupby(same).shift(1)
        self._items = items
        self._published_us = items["published_us"].to_numpy(dtype=np.int64)
        # No time at all comes before the first of its kind.
        self._before_us = before.fillna(-np.inf).to_numpy(dtype=np.float64)
        self._negative = (items["sentiment"] == "negative").to_numpy(dtype=bool)
        self._read = items["sentiment"].notna().to_numpy(dtype=bool)

    def count(self, start_us: int, end_us: int) -> tuple[int, int, int]:
        """Return how many reports ``[start, end)`` holds: all, those read by the model, negative ones."""
        inside = self._inside(start_us, end_us)
        return (
            int(inside.sum()),
            int((inside & self._read).sum()),
            int((inside & self._negative).sum()),
        )

    def negative(self, start_us: int, end_us: int) -> list[tuple[str, str]]:
        """Return (id, revision) of the negative reports in ``[start, end)``, most negative first."""
        return self._most_negative(self._inside(start_us, end_us) & self._negative)

    def all(self, start_us: int, end_us: int) -> list[tuple[str, str]]:
        """Return (id, revision) of all reports in ``[start, end)``, most negative first."""
        return self._most_negative(self._inside(start_us, end_us))

    def _most_negative(self, which: NDArray[np.bool_]) -> list[tuple[str, str]]:
        found = self._items[which]
        found = found.sort_values(["score", "id"], na_position="last")
        return list(zip(found["id"], found["revision"], strict=True))

    def _inside(self, start_us: int, end_us: int) -> NDArray[np.bool_]:
        within = (self._published_us >= start_us) & (self._published_us < end_us)
        return within & (self._before_us < start_us)


#: How the surge rule asks for the reports of a key published in ``[start, end)`` (microseconds).
ReportsOf = Callable[[Dimension, str, int, int], Reports]


def share_naming(companies: Sequence[Sequence[str]]) -> tuple[str, float] | None:
    """Return the company that most of some reports name, and its share of them; ``None`` when none is named.

    Examples
    --------
    >>> share_naming([["acme"], ["acme", "zenith"], [], []])
    ('acme', 0.5)
    """
    named = pd.Series([company for each in companies for company in set(each)], dtype="object")
    if named.empty:
        return None
    counts = named.value_counts()
    best = min(counts.index[counts == counts.max()])
    return str(best), float(counts.max() / len(companies))
