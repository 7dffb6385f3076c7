"""How many records a stage takes in one turn: as many as it works through in a few seconds."""

from __future__ import annotations

# A turn is not interrupted, so that a drain, a rebalance and whoever waits for the first record of a backlog
# wait for all of it.
LONGEST_S = 3.0
FIRST = 128
LEAST = 16


class BatchSize:
    """Follows the rate of a stage on this machine: small where it is slow or busy, large under load.

    What counts is the work itself, not the writing after it: that waits for other writers, and smaller
    batches would only make more of them wait.

    Parameters
    ----------
    most
        Records, however fast the stage is.

    Examples
    --------
    >>> size = BatchSize(most=1_000)
    >>> size.took(size.limit, 0.2)
    >>> size.limit
    256
    >>> size.took(256, 6.0)
    >>> size.limit
    128
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = min(FIRST, most)

    def took(self, records: int, seconds: float) -> None:
        """Learn how long the work on some records took."""
        if seconds > LONGEST_S:
            self.limit = max(min(LEAST, self.most), int(records * LONGEST_S / seconds))
        elif records >= self.limit and seconds < LONGEST_S / 2:
            self.limit = min(self.most, 2 * self.limit)
