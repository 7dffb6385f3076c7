"""Labels a model gives to unlabelled texts, to train another on (self-training).

Lee 2013, "Pseudo-Label"; the caps per class are those of Zou et al. 2018, "Unsupervised Domain
Adaptation for Semantic Segmentation via Class-Balanced Self-Training", section 4: without them
the common classes crowd out the rare ones, round after round.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.dataset.keys import same_key
from models.dataset.near import Progress
from models.dataset.rows import Table, read_table
from models.errors import DataError
from models.labels import HeadKind
from models.metrics import Floats
from models.tables import read_rows
from models.text import model_input

if TYPE_CHECKING:
    from models.classifier import Classifier

#: Column that marks labels no person gave, and names who did.
LABELLED_BY = "labelled_by"
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class Pseudo:
    """A row the model is sure of: position, label, and its calibrated probability in [0, 1]."""

    row: int
    label: str
    probability: float


def choose(
    probabilities: Floats,
    names: Sequence[str],
    readable: Sequence[bool],
    min_probability: float,
    balance: bool,
) -> list[Pseudo]:
    """The rows to label.

    Parameters
    ----------
    probabilities
        Of one head, ``(rows, labels) float64``, calibrated.
    names
        Its labels.
    readable
        Rows that may be labelled at all.
    min_probability
        Least probability of a label.
    balance
        Keep of no class more than the median class has among those found, the surest first.

    Returns
    -------
    list of Pseudo
        In the order of the rows.
    """
    best = probabilities.argmax(axis=1)
    surest = probabilities.max(axis=1)
    rows = [i for i in np.flatnonzero(surest >= min_probability).tolist() if readable[i]]
    if balance and rows:
        counts = Counter(best[rows].tolist())
        cap = int(np.median(list(counts.values())))
        kept: Counter[int] = Counter()
        chosen = []
        for row in sorted(rows, key=lambda i: (-surest[i], i)):
            kept[int(best[row])] += 1
            if kept[int(best[row])] <= max(cap, 1):
                chosen.append(row)
        rows = sorted(chosen)
    return [Pseudo(i, names[int(best[i])], float(surest[i])) for i in rows]


def unlabelled(table: Table, text: str, heads: Sequence[str], gold: Set[str]) -> list[bool]:
    """Which rows may get a label: the first of each text, when nobody has labelled that text.

    Parameters
    ----------
    table
        The stream.
    text
        Column of its texts.
    heads
        Whose labels will be written.
    gold
        `same_key` of every text that people have labelled.

    Raises
    ------
    DataError
        When the file itself holds labels of these heads: gold labels are never overwritten.
    """
    for line, row in zip(table.lines, table.rows, strict=True):
        for head in heads:
            if row.get(head):
                raise DataError(
                    f"{table.path} line {line}: is labelled already ({head} {row[head]!r}); "
                    f"give a file of unlabelled rows, or drop its column {head!r}"
                )
    seen = set(gold)
    free = []
    for value in table.column(text):
        key = same_key(value)
        free.append(bool(key) and key not in seen)
        seen.add(key)
    return free


def gold_keys(path: Path, text: str) -> frozenset[str]:
    """`same_key` of every text of a labelled file."""
    return frozenset(map(same_key, read_table(path).column(text)))


def refuse_gold(out: Path) -> None:
    """Refuse to replace a file whose labels people gave.

    Raises
    ------
    DataError
        When `out` exists and does not mark its labels as a model's.
    """
    if not out.exists():
        return
    for line, row in read_rows(out):
        if not row.get(LABELLED_BY):
            raise DataError(
                f"{out} line {line}: holds labels that no model gave (nothing in {LABELLED_BY!r}); "
                "gold labels are not overwritten: name another file"
            )


def probabilities_of(
    classifier: Classifier,
    texts: Sequence[str],
    readable: Sequence[bool],
    heads: Sequence[str],
    progress: Progress = lambda done, total: None,
) -> Mapping[str, Floats]:
    """Probabilities of each head, ``(texts, labels) float64``; zeros for texts not read.

    Raises
    ------
    DataError
        When the bundle lacks a head, or the head does not give a text one label.
    """
    labels = classifier.bundle.labels
    kinds = {head.name: head.kind for head in classifier.bundle.heads}
    for head in heads:
        if kinds.get(head, HeadKind.SINGLE) is not HeadKind.SINGLE:
            raise DataError(
                f"the head {head!r} gives no single label to a text: name others with --head"
            )
        if head not in labels:
            raise DataError(
                f"no head {head!r} in {classifier.bundle.name}; "
                f"it has {', '.join(map(repr, labels))}"
            )
    result = {head: np.zeros((len(texts), len(labels[head]))) for head in heads}
    rows = [i for i, free in enumerate(readable) if free]
    for start in range(0, len(rows), _CHUNK):
        chosen = rows[start : start + _CHUNK]
        found = classifier.probabilities([model_input(texts[i]) for i in chosen])
        for head in heads:
            result[head][chosen] = found[head]
        progress(start + len(chosen), len(rows))
    return result


def labelled_rows(
    table: Table, head: str, chosen: Sequence[Pseudo], labelled_by: str
) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """The rows as a labelled table: ``split`` (always train), the label, its probability, by whom.

    Pseudo-labels only ever train: a model is not measured by another's guesses.
    """
    new = ("split", head, f"{head}_probability", LABELLED_BY)
    columns = (*new, *(name for name in table.columns if name not in new))
    rows = [
        dict(table.rows[found.row])
        | {
            "split": "train",
            head: found.label,
            f"{head}_probability": f"{found.probability:.6f}",
            LABELLED_BY: labelled_by,
        }
        for found in chosen
    ]
    return columns, rows
