"""How a training goes; the settings ``[retrain]``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from models.bounds import Bounds


@dataclass(frozen=True, slots=True)
class Margins:
    """What the gate asks. Shares are of rows, in [0, 1].

    Parameters
    ----------
    worse
        A head may lose so much of its accuracy on the frozen set.
    doubt
        The 95% interval of that difference may reach so far down.
    alpha
        Level of every test.
    frozen, recent
        Least rows of the frozen set, and of recent gold, of each head.
    slice_worse, slice_rows
        What a slice of so many rows or more may lose, where the loss is significant.
    bias
        Of names swapped in sentences: see `models.bounds`.
    """

    worse: float = 0.005
    doubt: float = 0.02
    alpha: float = 0.05
    frozen: int = 200
    recent: int = 20
    slice_worse: float = 0.05
    slice_rows: int = 20
    bias: Bounds = field(default_factory=Bounds)


@dataclass(frozen=True, slots=True)
class RetrainPlan:
    """What is learnt, and how.

    Parameters
    ----------
    folder
        Where candidates go.
    recipe
        TOML of a training of the whole model; ``None``: the heads only.
    least
        Labels to learn from that two people agree on, of a head that is trained.
    single
        Labels that only one person gave, of each person at most.
    right
        Who is right on a smaller share of ten known items or more teaches nothing.
    held_out
        Share of texts that are never learnt.
    old
        Old texts of each head among the new.
    share
        Of the loss that old texts have.
    hold
        Strength of the pull towards the champion.
    recent_days
        Gold labels so young are recent, where the champion is not of our own training.
    test_rows
        Rows of each fetched test split, at most.
    threads
        CPU threads; ``None`` for every core.
    """

    folder: Path = Path("foreshock-models")
    recipe: Path | None = None
    least: int = 40
    single: int = 50
    right: float = 0.7
    held_out: float = 0.2
    old: int = 1_500
    share: float = 0.95
    hold: float = 0.03
    recent_days: float = 30.0
    test_rows: int = 2_000
    seed: int = 13
    threads: int | None = None
    margins: Margins = field(default_factory=Margins)
