"""The least value of a smooth convex function (numpy)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Function = Callable[[Floats], tuple[float, Floats]]

_ENOUGH = 1e-4  # of a first-order decrease: Armijo's rule (Nocedal and Wright 2006, equation 3.4)
_HALVINGS = 30


def minimum(
    function: Function, start: Floats, steps: int, memory: int = 10, least: float = 1e-6
) -> Floats:
    """Return where a function is least: L-BFGS (Nocedal and Wright 2006, algorithms 7.4 and 7.5).

    Parameters
    ----------
    function
        Returns value and gradient at a point.
    start
        Where to begin.
    steps
        At most so many.
    memory
        Pairs of moves and changes of the gradient that are kept.
    least
        It ends when no part of the gradient is larger.

    Examples
    --------
    >>> bowl = np.array([1.0, 30.0])
    >>> found = minimum(lambda x: (float(bowl @ (x - 2) ** 2) / 2, bowl * (x - 2)), np.zeros(2), 50)
    >>> [round(float(each), 4) for each in found]
    [2.0, 2.0]
    """
    at = start
    value, slope = function(at)
    past: deque[tuple[Floats, Floats]] = deque(maxlen=memory)
    for _ in range(steps):
        if np.abs(slope).max() <= least:
            break
        direction = _direction(slope, past)
        fall = float(slope @ direction)
        length = 1.0 if past else 1.0 / max(1.0, float(np.abs(slope).sum()))
        for _ in range(_HALVINGS):
            tried = at + length * direction
            new_value, new_slope = function(tried)
            if new_value <= value + _ENOUGH * length * fall:
                break
            length /= 2
        else:
            break  # nothing is lower in any step that numbers can tell
        move, change = tried - at, new_slope - slope
        if float(move @ change) > 1e-12:
            past.append((move, change))
        at, value, slope = tried, new_value, new_slope
    return at


def _direction(slope: Floats, past: deque[tuple[Floats, Floats]]) -> Floats:
    """Return the way down, by the curvature of the last moves."""
    found = -slope
    shares = []
    for move, change in reversed(past):
        share = float(move @ found) / float(move @ change)
        found = found - share * change
        shares.append(share)
    if past:
        move, change = past[-1]
        found = found * (float(move @ change) / float(change @ change))
    for (move, change), share in zip(past, reversed(shares), strict=True):
        again = float(change @ found) / float(move @ change)
        found = found + (share - again) * move
    return found
