"""Texts that stand in two splits: what is measured on them was learnt by heart."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from models.dataset.keys import folded_key, same_key
from models.dataset.near import NEAR, Bools, Ints, Progress, near_duplicates
from models.dataset.rows import Table, read_table
from models.errors import DataError

Kind = Literal["same", "folded", "near"]
#: How two texts can be one: as the model reads them, but for numbers and cashtags, or nearly.
KINDS: tuple[Kind, ...] = get_args(Kind)
_TEXTS = ("text", "title", "headline")
_SPLITS = ("train", "valid", "validation", "dev", "test")
_PARTNERS = 10  # near texts named of one text


@dataclass(frozen=True, slots=True)
class Placed:
    """A text and where it stands."""

    file: str
    line: int
    split: str
    text: str

    @property
    def place(self) -> str:
        """For people: file, line and split."""
        return f"{self.file} line {self.line} ({self.split})"


@dataclass(frozen=True, slots=True)
class Leak:
    """One text in two splits.

    Parameters
    ----------
    kind
        ``same``: the model reads the same; ``folded``: but for numbers and cashtags; ``near``:
        the folded texts are near-duplicates.
    similarity
        Jaccard, of near texts; 1.0 otherwise.
    first, second
        The rows; the first is of train where either is.
    """

    kind: Kind
    similarity: float
    first: Placed
    second: Placed


def read_placed(paths: Sequence[Path], text: str | None = None) -> list[Placed]:
    """Rows of labelled files with their splits, as one set.

    Parameters
    ----------
    paths
        Files with a ``split`` column, or named for their split (``train.csv``, ``x.test.jsonl``).
    text
        Column of the texts; None for the first of text, title, headline that is there.

    Raises
    ------
    DataError
        When a file cannot be read, or neither column nor name tells the split.
    """
    rows = []
    for path in paths:
        table = read_table(path)
        texts = table.column(text or _text_column(table))
        stated = "split" in table.columns
        splits = table.column("split") if stated else [_named_split(path)] * len(texts)
        rows += [
            Placed(path.name, line, split, value)
            for line, split, value in zip(table.lines, splits, texts, strict=True)
        ]
    return rows


def leaks(
    rows: Sequence[Placed],
    *,
    kinds: Collection[Kind] = KINDS,
    threshold: float = NEAR,
    progress: Progress = lambda done, total: None,
) -> list[Leak]:
    """Find texts that stand in more than one split.

    Every text with a partner in another split is in at least one leak. Of many copies, each is
    named with the first in another split; of a crowd of near texts each has a few partners named.

    Parameters
    ----------
    rows
        With their splits; see `read_placed`.
    kinds
        What to look for; a leak is named once, under the first kind of `KINDS` it is.
    threshold
        Jaccard similarity of near texts, in (0, 1].
    progress
        Told (done, total) of the search for near texts.

    Returns
    -------
    list of Leak
        Same, then folded, then near; within a kind in order of the rows.
    """
    same = [same_key(row.text) for row in rows]
    folded = [folded_key(row.text) for row in rows] if set(kinds) - {"same"} else []
    found: dict[tuple[int, int], Leak] = {}
    if "same" in kinds:
        for pair in _equal(rows, same):
            found[pair] = _leak("same", 1.0, rows, pair)
    if "folded" in kinds:
        for pair in _equal(rows, folded):
            # A copy's folded form is a copy too, and was named where copies are looked for.
            if same[pair[0]] != same[pair[1]]:
                found.setdefault(pair, _leak("folded", 1.0, rows, pair))
    if "near" in kinds:
        for *places, similarity in _near(rows, folded, threshold, progress):
            pair = (places[0], places[1])
            found.setdefault(pair, _leak("near", similarity, rows, pair))
    return sorted((found[pair] for pair in sorted(found)), key=lambda leak: KINDS.index(leak.kind))


def _equal(rows: Sequence[Placed], keys: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Each row whose key stands in another split before it, with the first row that holds it."""
    firsts: dict[str, dict[str, int]] = {}
    for number, (row, key) in enumerate(zip(rows, keys, strict=True)):
        holders = firsts.setdefault(key, {})
        for split, first in holders.items():
            if split != row.split:
                yield first, number
                break
        holders.setdefault(row.split, number)


def _near(
    rows: Sequence[Placed], keys: Sequence[str], threshold: float, progress: Progress
) -> Iterator[tuple[int, int, float]]:
    """Rows of different splits whose folded keys differ and are near."""
    holders: dict[str, dict[str, int]] = {}
    for number, (row, key) in enumerate(zip(rows, keys, strict=True)):
        holders.setdefault(key, {}).setdefault(row.split, number)
    firsts = list(holders.values())
    # Which splits a key stands in, as a number; two keys of the one and same split cannot leak.
    numbers: dict[frozenset[str], int] = {}
    held = np.array(
        [numbers.setdefault(frozenset(splits), len(numbers)) for splits in firsts], dtype=np.int64
    )
    alone = np.array([len(splits) == 1 for splits in firsts], dtype=bool)
    partners = np.zeros(len(firsts), dtype=np.int64)

    def wanted(one: Ints, other: Ints) -> Bools:
        crossing = (held[one] != held[other]) | ~alone[one]
        untold = (partners[one] < _PARTNERS) | (partners[other] < _PARTNERS)
        both: Bools = crossing & untold
        return both

    for pair in near_duplicates(list(holders), threshold, wanted=wanted, progress=progress):
        partners[[pair.first, pair.second]] += 1
        one, other = next(
            (one, other)
            for split, one in firsts[pair.first].items()
            for there, other in firsts[pair.second].items()
            if split != there
        )
        yield min(one, other), max(one, other), pair.similarity


def _leak(kind: Kind, similarity: float, rows: Sequence[Placed], pair: tuple[int, int]) -> Leak:
    first, second = (rows[i] for i in pair)
    if second.split == "train":
        first, second = second, first
    return Leak(kind, similarity, first, second)


def _text_column(table: Table) -> str:
    for name in _TEXTS:
        if name in table.columns:
            return name
    raise DataError(
        f"{table.path}: which column holds the texts? Name it with --text; "
        f"its columns are {', '.join(map(repr, table.columns))}"
    )


def _named_split(path: Path) -> str:
    words = path.name.casefold().replace("-", ".").replace("_", ".").split(".")
    for word in words:
        if word in _SPLITS:
            return word
    raise DataError(
        f"{path}: no column 'split', and its name is none of a split ({', '.join(_SPLITS)}); "
        "make one with `foreshock data split`"
    )
