"""An interval for a share that is honest at zero and for few rows."""

from __future__ import annotations

from math import sqrt

_Z95 = 1.959963984540054


def wilson(hits: int, n: int, z: float = _Z95) -> tuple[float, float]:
    """Wilson's score interval of a share.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA
    22(158), p. 209-212; without correction for continuity.

    Parameters
    ----------
    hits, n
        So many of so many.
    z
        Quantile of the normal distribution; the default gives 95 %.

    Returns
    -------
    tuple
        Lower and upper end, in [0, 1]; ``(0.0, 1.0)`` when nothing was counted.

    Raises
    ------
    ValueError
        When `hits` is not within 0 and `n`.

    Examples
    --------
    >>> low, high = wilson(10, 100)
    >>> round(low, 4), round(high, 4)
    (0.0552, 0.1744)
    """
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} of {n}: expected a count within 0 and n")
    if n == 0:
        return 0.0, 1.0
    share = hits / n
    centre = share + z * z / (2 * n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # The ends are exact where nothing, or everything, was hit; rounding leaves 1e-19 there.
    low = 0.0 if hits == 0 else (centre - half) / scale
    high = 1.0 if hits == n else (centre + half) / scale
    return low, high
