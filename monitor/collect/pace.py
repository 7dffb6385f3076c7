"""When to visit a source again: by what it brings, what its publisher asks for, and how often it failed."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_FRESH_S = 3_600.0
LONGEST_BACKOFF_S = 3_600.0
SLOWEST = 4.0  # intervals
JITTER = 0.1
_MEMORY = 0.7  # of a cadence, at each new sample


@dataclass(frozen=True, slots=True)
class Pace:
    """What the next wait depends on.

    Parameters
    ----------
    interval_s
        Between two visits, as configured: the shortest wait.
    slowest_s
        The longest wait of a source that answers and has little to say.
    cadence_s
        Between two new items of it, as observed; ``None``: not known yet.
    fresh_s
        How long its publisher says that an answer stays good.
    failures
        In a row, up to the last visit: the breaker. From the second on each doubles the wait.
    retry_after_s
        How long the server asked us to stay away.
    """

    interval_s: float
    slowest_s: float
    cadence_s: float | None = None
    fresh_s: float = 0.0
    failures: int = 0
    retry_after_s: float = 0.0

    def wait_s(self, jitter: float = 0.0) -> float:
        """Return the seconds to the next visit.

        Parameters
        ----------
        jitter
            In [-1, 1]: spreads the visits of sources that began together. No wait gets shorter than what
            the configuration or a publisher says.

        Examples
        --------
        >>> Pace(300.0, 1200.0).wait_s(), Pace(300.0, 1200.0, cadence_s=1800.0).wait_s()
        (300.0, 900.0)
        >>> Pace(300.0, 1200.0, failures=3).wait_s()
        1200.0
        >>> Pace(300.0, 1200.0, failures=1, retry_after_s=7200.0).wait_s()
        7200.0
        """
        least = max(self.interval_s, self.retry_after_s)
        if self.failures:
            longest = max(LONGEST_BACKOFF_S, self.interval_s)
            wait = min(self.interval_s * 2.0 ** min(self.failures - 1, 16), longest)
        else:
            least = max(least, min(self.fresh_s, LONGEST_FRESH_S, self.slowest_s))
            wait = min((self.cadence_s or 0.0) / 2, self.slowest_s)
        wait = max(wait, least)
        return max(least, wait * (1 + JITTER * jitter))


def cadence_s(known_s: float | None, gap_s: float, new: int) -> float:
    """Return the time between two new items, after a visit that brought some.

    Parameters
    ----------
    known_s
        Before this visit, if known.
    gap_s
        Since the last visit that brought something new.
    new
        New items, at least one.

    Examples
    --------
    >>> cadence_s(None, 600, 2), round(cadence_s(300, 600, 1))
    (300.0, 390)
    """
    sample = gap_s / new
    return sample if known_s is None else _MEMORY * known_s + (1 - _MEMORY) * sample
