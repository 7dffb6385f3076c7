"""The labelled sets that the champion says it was made with, where their files are here as they were then."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.bundle import Bundle
from models.hashes import file_sha256
from models.labels import Head, HeadKind
from models.tables import SEPARATOR, read_splits
from monitor.retrain.collect import Sample
from monitor.stories.copies import report_key


@dataclass(frozen=True, slots=True)
class Fetched:
    """Rows to learn of old, rows to measure by, and the names of the sets that are here."""

    train: tuple[Sample, ...]
    test: tuple[Sample, ...]
    names: tuple[str, ...]


def fetched(
    champion: Bundle, folder: Path, heads: Sequence[str], train: int, test: int, seed: int
) -> Fetched:
    """Read the sets of some heads, each of its splits at most so many rows.

    A file of another hash is not the set that the champion was trained on: its test split may be in that
    training, so it is left alone.

    Parameters
    ----------
    folder
        Of the data; need not exist.
    heads
        Of the champion.
    train, test
        Rows of each split of each set, at most; chosen by a hash, the same for the same seed.
    """
    known = {head.name: head for head in champion.heads}
    learnt: list[Sample] = []
    measured: list[Sample] = []
    names = []
    for entry in champion.data:
        path = folder / str(entry.get("file", ""))
        if entry.get("head") not in heads or "file" not in entry or not path.is_file():
            continue
        if file_sha256(path) != entry.get("sha256"):
            continue
        head = known[str(entry["head"])]
        splits = _splits(path, head, entry)
        learnt += _some(splits.get("train", ()), train, seed)
        measured += _some(splits.get("test", ()), test, 0)  # one test set, whatever the seed
        names.append(str(entry["name"]))
    held = {(each.head, each.target, each.key) for each in measured}
    free = [each for each in learnt if (each.head, each.target, each.key) not in held]
    return Fetched(tuple(free), tuple(measured), tuple(names))


def _splits(path: Path, head: Head, entry: Mapping[str, Any]) -> dict[str, list[Sample]]:
    found = read_splits(
        path,
        text=str(entry.get("text", "text")),
        label=str(entry.get("label", head.name)),
        head=head,
        target=entry.get("target"),
        where=entry.get("where", {}),
    )
    made = {}
    for split, part in found.items():
        rows = []
        for at, text in enumerate(part.texts):
            label = part.labels[at]
            if head.kind is HeadKind.MULTI:
                value = SEPARATOR.join(
                    name for name, of in zip(head.labels, label, strict=True) if of
                )
            else:
                value = head.labels[int(label)]
            rows.append(
                Sample(
                    head=head.name,
                    value=value,
                    text=text,
                    target=part.targets[at] if part.targets else "",
                    key=report_key(text),
                    topic="",
                    language="",
                    source=str(entry["name"]),
                )
            )
        made[split] = rows
    return made


def _some(rows: Sequence[Sample], most: int, seed: int) -> list[Sample]:
    """Return so many rows, those whose hashes come first."""

    def place(each: Sample) -> bytes:
        return hashlib.sha256(f"{seed}\0{each.target}\0{each.text}".encode()).digest()

    return sorted(rows, key=place)[:most]
