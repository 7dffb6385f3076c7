"""How a queue is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.relabel.samplers import SHARES


@dataclass(frozen=True, slots=True)
class Plan:
    """How a queue is made; the settings ``[relabel]``."""

    heads: tuple[str, ...] = ("sentiment", "topic")
    shares: Mapping[str, float] = field(default_factory=lambda: dict(SHARES))
    second: float = 0.15
    known: float = 0.05
    hide_guess: bool = True
    pool: int = 20_000
    session: int = 50
