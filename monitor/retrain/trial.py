"""What a trial on live news shows: how often champion and candidate differ, and who is right by gold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from models.paired import Paired, paired
from models.robustness.wilson import wilson
from monitor.relabel.standing import gold
from monitor.store import Connection, comparisons, labels
from monitor.store.comparisons import Comparison, Counted, Reading
from monitor.store.retrains import Retrain

LEAST = 30  # items both have read before a canary is judged
LOOKED_AT = 5_000  # comparisons, the newest
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Disagreement:
    """How a trial stands.

    Parameters
    ----------
    counted
        Items read by both.
    moves
        How often one head's answer became another: (head, champion's, candidate's, items), most first.
    gold
        By head, where people have labelled what both read.
    examples
        The newest items on which they differ.
    """

    counted: Counted
    moves: tuple[tuple[str, str, str, int], ...]
    gold: dict[str, Paired]
    examples: Sequence[Comparison]


def disagreement(connection: Connection, number: int, examples: int = 50) -> Disagreement:
    """Read how champion and candidate of a training differ on live news."""
    found = comparisons.of_training(connection, number, LOOKED_AT, differing=True)
    moves: Counter[tuple[str, str, str]] = Counter()
    for each in found:
        for head in ("topic", "sentiment"):
            one, other = _answer(each.champion, head), _answer(each.candidate, head)
            if one != other:
                moves[(head, one or "not read", other or "not read")] += 1
    return Disagreement(
        comparisons.counted(connection, number),
        tuple((*key, count) for key, count in moves.most_common()),
        by_gold(connection, number),
        found[:examples],
    )


def by_gold(
    connection: Connection, number: int, since: datetime | None = None
) -> dict[str, Paired]:
    """Compare both by the gold labels of what they read live, by head; of topic and sentiment."""
    read = {
        (each.article_id, each.revision): each
        for each in comparisons.of_training(connection, number, LOOKED_AT)
        if since is None or each.at >= since
    }
    ids = sorted({article_id for article_id, _ in read})
    right: dict[str, list[tuple[bool, bool]]] = {}
    for question, each in gold(labels.events(connection, articles=ids), least=2).items():
        article_id, revision, head, company = question
        item = read.get((article_id, revision))
        if item is None or company is not None or head not in ("topic", "sentiment"):
            continue
        said = (_answer(item.champion, head), _answer(item.candidate, head))
        right.setdefault(head, []).append((said[0] == each.value, said[1] == each.value))
    return {
        head: paired(*(np.array(side) for side in zip(*rows, strict=True)))
        for head, rows in right.items()
    }


def overrun(connection: Connection, trial: Retrain, differs: float) -> str | None:
    """Return why a canary has to retreat, or ``None``: what it has read since it became one."""
    since = trial.trial_at
    found = comparisons.counted(connection, trial.number, since)
    if found.items < LEAST:
        return None
    low, _ = wilson(found.differ, found.items)
    if low > differs:
        return (
            f"differs from the champion on {found.differ} of {found.items} items, more than "
            f"{100 * differs:g}%"
        )
    for head, counts in by_gold(connection, trial.number, since).items():
        if counts.p_worse < ALPHA:
            return (
                f"{head}: {counts.lost} lost and {counts.gained} gained of {counts.n} items that people "
                f"labelled, p = {counts.p_worse:.3g}"
            )
    return None


def _answer(reading: Reading, head: str) -> str | None:
    return reading.topic if head == "topic" else reading.sentiment
