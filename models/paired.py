"""Two models on the same rows: which is better, and how sure that is (numpy)."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

_DRAWS = 10_000


@dataclass(frozen=True, slots=True)
class Paired:
    """How many of the same rows each of two models has right.

    Parameters
    ----------
    n
        Rows.
    first, second
        Right by each.
    gained, lost
        Right by the second alone, and by the first alone.
    """

    n: int
    first: int
    second: int
    gained: int
    lost: int

    @property
    def difference(self) -> float:
        """Accuracy of the second less that of the first, in [-1, 1]."""
        return (self.gained - self.lost) / self.n

    @property
    def p_better(self) -> float:
        """Chance of so many gains or more where both are equally good: McNemar's test, exact, one-sided.

        Of the rows that they differ on each is as likely a gain as a loss (McNemar 1947, "Note on the
        sampling error of the difference between correlated proportions"; for classifiers Dietterich 1998,
        section 3.1; the binomial instead of its approximation).
        """
        return _tail(self.gained, self.gained + self.lost)

    @property
    def p_worse(self) -> float:
        """The same of losses."""
        return _tail(self.lost, self.gained + self.lost)

    def interval(self, seed: int = 1, share: float = 0.95) -> tuple[float, float]:
        """Return where `difference` lies with some confidence: paired bootstrap over rows, percentiles.

        Efron and Tibshirani 1993, chapter 13; for models on one test set Berg-Kirkpatrick et al. 2012, "An
        Empirical Investigation of Statistical Significance in NLP", section 3. Rows are of three kinds only
        (gained, lost, neither), so a draw of rows is a draw of their numbers.
        """
        chances = np.array([self.gained, self.lost, self.n - self.gained - self.lost]) / self.n
        drawn = np.random.default_rng(seed).multinomial(self.n, chances, size=_DRAWS)
        found = (drawn[:, 0] - drawn[:, 1]) / self.n
        low, high = np.quantile(found, [(1 - share) / 2, (1 + share) / 2])
        return float(low), float(high)


def paired(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Paired:
    """Return two models compared on rows; each says which it has right, ``(rows,) bool``.

    Examples
    --------
    >>> first, second = np.arange(40) < 20, np.arange(40) < 27
    >>> found = paired(first, second)
    >>> found.gained, found.lost, found.difference, round(found.p_better, 5)
    (7, 0, 0.175, 0.00781)
    """
    if first.shape != second.shape or not len(first):
        raise ValueError(f"expected the same rows of both, got {first.shape} and {second.shape}")
    return Paired(
        len(first),
        int(first.sum()),
        int(second.sum()),
        int((second & ~first).sum()),
        int((first & ~second).sum()),
    )


def _tail(least: int, of: int) -> float:
    """Return the chance of ``least`` heads or more of so many coins."""
    return float(sum(comb(of, k) for k in range(least, of + 1)) / 2**of)
