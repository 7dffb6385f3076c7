"""The labelled sets of a run: which files, which rows, which labels.

Files stay outside the project: `data_folder` finds the development data.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.errors import DataError
from models.hashes import file_sha256
from models.labels import KNOWN_LABELS, Head
from models.tables import Labelled, checked_rows, label_names, read_splits
from models.targets import mark_target
from models.training.config import DataConfig, HeadConfig, TrainConfig


@dataclass(frozen=True, slots=True)
class Source:
    """One labelled set of one head.

    Parameters
    ----------
    name
        How the card calls it.
    head
        That it trains.
    path, sha256
        Its file, and the hash of its bytes.
    config
        Columns, condition, licence.
    splits
        ``train``, and ``valid`` and ``test`` where the file has them (measured, never trained on); a
        head's first set has ``valid``.
    """

    name: str
    head: Head
    path: Path
    sha256: str
    config: DataConfig
    splits: Mapping[str, Labelled]


def data_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Folder of the development data: ``$FORESHOCK_DATA``, or ``../shared/data`` by the project."""
    named = environ.get("FORESHOCK_DATA")
    if named:
        return Path(named)
    return Path(__file__).resolve().parents[3] / "shared" / "data"


def load_sources(
    config: TrainConfig, beside: Path | None = None, only: Collection[str] | None = None
) -> tuple[Source, ...]:
    """Read every set of a run.

    Parameters
    ----------
    config
        The run.
    beside
        Folder of the configuration: relative files are looked for there, then in the working folder,
        then in the data folder.
    only
        Splits to read, each of which must be there: rows of others are skipped. By default all, ``train`` and
        ``valid`` among them.

    Raises
    ------
    DataError
        When a file is missing or not the one expected, lacks a column or split, or holds a label its
        head does not have.
    """
    paths = [_find(entry.file, beside) for entry in config.data]
    heads = {
        name: Head(name, head.kind, _labels(name, head, config.data, paths))
        for name, head in config.heads.items()
        if any(entry.head == name for entry in config.data)
    }
    sources: list[Source] = []
    for entry, path in zip(config.data, paths, strict=True):
        head = heads[entry.head]
        # A head is chosen, calibrated and measured by its first set; others may only train it.
        first = all(source.head != head for source in sources)
        needed = only or (("train", "valid") if first else ("train",))
        name, found = path.name.split(".", 1)[0], _hash(path, entry)
        splits = _splits(path, head, entry, needed, only)
        sources.append(Source(name, head, path, found, entry, splits))
    return tuple(sources)


def texts_of(source: Source, split: str) -> list[str]:
    """Texts of a split as the model reads them: for a target head, with the company marked."""
    part = source.splits[split]
    if not part.targets:
        return list(part.texts)
    return [mark_target(t, [name]) for t, name in zip(part.texts, part.targets, strict=True)]


def _hash(path: Path, entry: DataConfig) -> str:
    found = file_sha256(path)
    if entry.sha256 not in (None, found):
        raise DataError(
            f"{path}: its SHA-256 starts {found[:12]}, the recipe expects {str(entry.sha256)[:12]}: "
            "restore the file, or take the new hash into the recipe"
        )
    return found


def _splits(
    path: Path,
    head: Head,
    entry: DataConfig,
    needed: Collection[str],
    only: Collection[str] | None,
) -> dict[str, Labelled]:
    splits = read_splits(
        path,
        text=entry.text,
        label=entry.label or head.name,
        head=head,
        target=entry.target,
        where=entry.where,
        separator=entry.separator,
        ignore_unknown=entry.ignore_unknown,
        only=only,
    )
    for split in needed:
        if split not in splits:
            there = ", ".join(map(repr, sorted(splits))) or "none"
            raise DataError(
                f"{path}: no rows of split {split!r}; its splits are {there} "
                "(`foreshock data split` makes them)"
            )
    return splits


def _labels(
    name: str, head: HeadConfig, data: Sequence[DataConfig], paths: Sequence[Path]
) -> tuple[str, ...]:
    if head.labels is not None:
        return head.labels
    if name in KNOWN_LABELS:
        return KNOWN_LABELS[name]
    found = {
        label
        for entry, path in zip(data, paths, strict=True)
        if entry.head == name
        for _, row in checked_rows(path, ["split", entry.label or name])
        if row["split"] == "train"
        for label in label_names(row[entry.label or name], head.kind, entry.separator)
    }
    return tuple(sorted(found))


def _find(file: str, beside: Path | None) -> Path:
    given = Path(file)
    folders = [folder for folder in (beside, Path(), data_folder()) if folder is not None]
    places = [given] if given.is_absolute() else [folder / given for folder in folders]
    for place in places:
        if place.is_file():
            return place
    raise DataError(
        f"{given}: no such file; looked in {' and '.join(str(p.parent) for p in places)}. Name it with "
        "an absolute path, or set FORESHOCK_DATA to the data folder (the one that holds labelled/)"
    )
