"""The queue: items that are worth an annotator's minute, each with the reason why it is asked.

Pure and seeded: the same candidates, shares, person and seed give the same queue, in whatever order the
candidates come. Reasons take turns by their shares, so that every beginning of the queue is mixed alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from monitor.domain import digest
from monitor.relabel.samplers import SAMPLERS, Candidate, Random

SECOND = "second"  # labelled by somebody else, and asked again without saying so
KNOWN = "known"  # the answer is known, and the annotator is checked against it


@dataclass(frozen=True, slots=True)
class Choice:
    """An item of the queue; ``why`` is for the annotator, ``sampler`` is the true reason."""

    key: tuple[str, str]
    sampler: str
    why: str


def choose(
    fresh: Sequence[Candidate],
    shares: Mapping[str, float],
    size: int,
    who: str,
    seed: int,
    *,
    second: Sequence[Candidate] = (),
    second_share: float = 0.0,
    known: Sequence[Candidate] = (),
    known_share: float = 0.0,
) -> list[Choice]:
    """Return a queue of at most ``size`` items.

    Parameters
    ----------
    fresh
        Items that nobody has labelled.
    shares
        Of each sampler among the fresh items, by its name in `SAMPLERS`.
    who, seed
        Whose queue, and which.
    second, known
        Items that somebody else labelled; items whose answers are known.
    second_share, known_share
        Their shares of the queue, in [0, 1]; the fresh items have the rest.
    """
    rest = max(0.0, 1.0 - second_share - known_share)
    whole = sum(shares.values()) or 1.0
    pools: dict[str, tuple[Sequence[Candidate], list[int], float]] = {}
    for name, share in shares.items():
        dice = partial(_dice, f"{seed}\0{who}\0{name}")
        pools[name] = (fresh, SAMPLERS[name].order(fresh, dice), rest * share / whole)
    for name, pool, share in ((SECOND, second, second_share), (KNOWN, known, known_share)):
        dice = partial(_dice, f"{seed}\0{who}\0{name}")
        pools[name] = (pool, Random().order(pool, dice), share)
    found: list[Choice] = []
    for name, candidate in _turns(pools, size):
        sampler = SAMPLERS.get(name, SAMPLERS["random"])
        found.append(Choice(candidate.key, name, sampler.why(candidate)))
    return found


def _turns(
    pools: Mapping[str, tuple[Sequence[Candidate], list[int], float]], size: int
) -> list[tuple[str, Candidate]]:
    """Let the reasons take turns: next is who is furthest behind its share; of a text one item is taken."""
    waiting = {name: iter(order) for name, (_, order, share) in pools.items() if share > 0}
    taken = dict.fromkeys(waiting, 0)
    texts: set[str] = set()
    found: list[tuple[str, Candidate]] = []
    while waiting and len(found) < size:
        total = sum(pools[name][2] for name in waiting)
        turns = sum(taken[name] for name in waiting) + 1
        # Those that have run out leave their turns to the others.
        name = max(waiting, key=lambda each: pools[each][2] / total * turns - taken[each])
        pool = pools[name][0]
        place = next((at for at in waiting[name] if pool[at].text not in texts), None)
        if place is None:
            del waiting[name]
            continue
        texts.add(pool[place].text)
        taken[name] += 1
        found.append((name, pool[place]))
    return found


def _dice(salt: str, candidate: Candidate) -> float:
    """Return a number in (0, 1) that is the same for the same item whenever it is asked for."""
    number = int(digest(f"{salt}\0{candidate.key[0]}\0{candidate.key[1]}")[:13], 16)
    return (number + 0.5) / 16**13
