"""A run does not start on texts it will be measured by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.dataset.keys import same_key
from models.dataset.leaks import Leak, Placed, leaks
from models.dataset.near import Progress
from models.errors import DataError
from models.tables import checked_rows
from models.training.config import TrainConfig
from models.training.data import Source

_SHOWN = 3
_HELD_OUT = ("valid", "test")

#: Pairs of a training and a held-out text of each head, by head and how alike: ``same`` or ``near``.
Found = Mapping[str, Mapping[str, int]]


def check_leaks(
    config: TrainConfig,
    sources: Sequence[Source],
    note: Callable[[str], None] = lambda what: None,
    progress: Progress = lambda done, total: None,
) -> Found:
    """Refuse a training split that shares texts with a validation or test split of the same head.

    Texts are the same when the model reads the same of them, whatever their case. Near-duplicates are
    counted and told of, not refused: the published splits of most sets have some.

    Parameters
    ----------
    config
        ``leaks`` says whether to refuse or to tell; `without_leaks` drops.
    sources
        Every set of the run; those of one head are looked at as one.
    note
        Told what a person should know.
    progress
        Told (done, total) of each head's search for near texts.

    Raises
    ------
    DataError
        When texts are the same and ``leaks`` is ``refuse``; names rows and remedies.
    """
    counts: dict[str, dict[str, int]] = {}
    for head in dict.fromkeys(source.head.name for source in sources):
        own = [source for source in sources if source.head.name == head]
        rows = [
            Placed(str(number), line, split, text)
            for split in ("train", *_HELD_OUT)
            for number, source in enumerate(own)
            if split in source.splits
            for line, text in enumerate(source.splits[split].texts)
        ]
        found = [x for x in leaks(rows, progress=progress) if x.first.split == "train"]
        same = [leak for leak in found if leak.kind == "same"]
        near = len(found) - len(same)
        counts[head] = {"same": len(same), "near": near}
        if same:
            told = (
                f"head {head!r}: {len(same)} pairs of a training row and a validation or test row hold "
                f"one text, such as {_shown(same, own)}; what is measured on it was learnt by heart. "
                f"See all with `{_command(own, 'same')}`; deal the rows out anew with "
                "`foreshock data split`, or drop them"
            )
            if config.leaks == "refuse":
                raise DataError(
                    f'{told}; leaks = "drop" in the recipe trains without them, "warn" nevertheless'
                )
            note(told)
        if near:
            note(
                f"head {head!r}: {near} pairs of a training row and a validation or test row are nearly "
                f"one text; see them with `{_command(own, 'folded', 'near')}`"
            )
    return counts


def without_leaks(
    sources: Sequence[Source], note: Callable[[str], None] = lambda what: None
) -> tuple[Source, ...]:
    """The sets without the training rows whose text stands in a held-out split of the same head."""
    held_out: dict[str, set[str]] = {}
    for source in sources:
        known = held_out.setdefault(source.head.name, set())
        for split in _HELD_OUT:
            if split in source.splits:
                known.update(map(same_key, source.splits[split].texts))
    result = []
    for source in sources:
        part = source.splits["train"]
        free = [same_key(text) not in held_out[source.head.name] for text in part.texts]
        kept = np.flatnonzero(free)
        if len(kept) < len(part):
            note(
                f"{source.path.name}: {len(part) - len(kept)} training rows left out, whose texts stand in a "
                f"validation or test split of head {source.head.name!r}"
            )
            rows = replace(
                part,
                texts=tuple(part.texts[i] for i in kept),
                labels=part.labels[kept],
                targets=tuple(part.targets[i] for i in kept) if part.targets else (),
            )
            source = replace(source, splits={**source.splits, "train": rows})
        result.append(source)
    return tuple(result)


def _shown(found: Sequence[Leak], own: Sequence[Source]) -> str:
    lines = {
        number: _lines(source)
        for number, source in enumerate(own)
        if any(str(number) in (x.first.file, x.second.file) for x in found[:_SHOWN])
    }

    def place(row: Placed) -> str:
        number = int(row.file)
        line = lines[number][row.split][row.line]
        return f"{own[number].path.name} line {line} ({row.split})"

    return ", ".join(
        f"{place(leak.first)} and {place(leak.second)} {leak.first.text[:60]!r}"
        for leak in found[:_SHOWN]
    )


def _lines(source: Source) -> dict[str, list[int]]:
    """Line in the file of each row, by split."""
    where = source.config.where
    lines: dict[str, list[int]] = {}
    for line, row in checked_rows(source.path, ["split", *where]):
        if all(row[column] == value for column, value in where.items()):
            lines.setdefault(row["split"], []).append(line)
    return lines


def _command(own: Sequence[Source], *kinds: str) -> str:
    files = dict.fromkeys(Path(source.config.file).name for source in own)
    columns = Counter(source.config.text for source in own)
    text = [f"--text {column}" for column in columns] if len(columns) == 1 else []
    return " ".join(["foreshock data leaks", *files, *text, *(f"--kind {k}" for k in kinds)])
