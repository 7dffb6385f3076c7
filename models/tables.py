"""Labelled tables: csv or JSON lines, plain or gzip, with errors that name the place.

The standard library's readers are enough here, and they can say the line of a torn row.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO

import numpy as np
from numpy.typing import NDArray

from models.errors import DataError
from models.labels import Head, HeadKind
from models.text import model_input

#: Between the labels of one row.
SEPARATOR = "|"
_BAD_ROWS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Labelled:
    """Texts with the label of each, out of one file and split.

    Parameters
    ----------
    texts
        As the classifier reads them (`models.text.model_input`).
    labels
        Index of each text's label in the head's order, ``(texts,) int64``; for a head that may give
        several, ``(texts, labels) float32`` of 0 and 1.
    targets
        The company asked about in each text, for a target head; else empty.
    """

    texts: tuple[str, ...]
    labels: NDArray[np.generic]
    targets: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)


def read_labelled(
    path: Path,
    *,
    text: str,
    label: str,
    head: Head,
    split: str | None = None,
    target: str | None = None,
    separator: str = SEPARATOR,
    ignore_unknown: bool = False,
) -> Labelled:
    """Read one split of a labelled file, or all of it where `split` is None; see `read_splits`."""
    splits = read_splits(
        path,
        text=text,
        label=label,
        head=head,
        target=target,
        by=split is not None,
        separator=separator,
        ignore_unknown=ignore_unknown,
    )
    if split is None:
        return splits[""]
    if split not in splits:
        there = ", ".join(map(repr, sorted(splits))) or "none"
        raise DataError(f"{path}: no rows of split {split!r}; its splits are {there}")
    return splits[split]


def read_splits(
    path: Path,
    *,
    text: str,
    label: str,
    head: Head,
    target: str | None = None,
    where: Mapping[str, str] = MappingProxyType({}),
    by: bool = True,
    separator: str = SEPARATOR,
    ignore_unknown: bool = False,
    only: Collection[str] | None = None,
) -> dict[str, Labelled]:
    """Read a labelled file.

    Parameters
    ----------
    path
        ``.csv``, ``.csv.gz``, ``.jsonl`` or ``.jsonl.gz``, utf-8, with named columns.
    text, label, target
        Columns that hold the text, its label (for a head that may give several, joined by `separator`;
        empty for none) and the company asked about.
    head
        Whose labels may stand in `label`.
    where
        Only rows whose columns hold these values.
    by
        Whether the file has a ``split`` column to read rows by; else every row is under ``""``.
    separator
        Between the labels of one row.
    ignore_unknown
        Leave out labels that the head does not have, and with its only label the row, instead of
        refusing the file.
    only
        Splits to read: nothing is looked at in rows of others.

    Raises
    ------
    DataError
        When the file cannot be read or has no rows, or lacks a column or a known label; the message names
        those there are.
    """
    index = {name: i for i, name in enumerate(head.labels)}
    texts: dict[str, list[str]] = {}
    numbers: dict[str, list[list[int]]] = {}
    targets: dict[str, list[str]] = {}
    unknown: dict[str, int] = {}
    columns = [text, label, *where, *(["split"] if by else []), *([target] if target else [])]
    for line, row in checked_rows(path, columns):
        if any(row[column] != value for column, value in where.items()):
            continue
        split = row["split"] if by else ""
        if only is not None and split not in only:
            continue
        names = label_names(row[label], head.kind, separator)
        if ignore_unknown:
            names = [name for name in names if name in index]
            if not names and head.kind is not HeadKind.MULTI:
                continue
        for name in names:
            if name not in index:
                unknown.setdefault(name, line)
        texts.setdefault(split, []).append(model_input(row[text]))
        numbers.setdefault(split, []).append([index.get(name, 0) for name in names])
        if target is not None:
            targets.setdefault(split, []).append(row[target])
    if unknown:
        shown = ", ".join(
            f"{name!r} (line {line})" for name, line in list(unknown.items())[:_BAD_ROWS_SHOWN]
        )
        raise DataError(
            f"{path}: column {label!r} holds labels this head does not have: {shown}; "
            f"it has {', '.join(map(repr, head.labels))}"
        )
    if not texts:
        raise DataError(f"{path}: no rows to read")
    return {
        split: Labelled(tuple(found), _array(numbers[split], head), tuple(targets.get(split, ())))
        for split, found in texts.items()
    }


def read_texts(path: Path, text: str, split: str | None = None) -> list[str]:
    """Texts of a file as they stand in it, of one split or of all; raises as `read_splits` does."""
    columns = [text, *(["split"] if split is not None else [])]
    texts = [
        row[text]
        for _, row in checked_rows(path, columns)
        if split is None or row["split"] == split
    ]
    if not texts:
        raise DataError(f"{path}: no rows" + (f" of split {split!r}" if split else ""))
    return texts


def label_names(cell: str, kind: HeadKind, separator: str = SEPARATOR) -> list[str]:
    """The labels in a cell: one, or for a multi-label head any number, joined by the separator."""
    return [name for name in cell.split(separator) if name] if kind is HeadKind.MULTI else [cell]


def checked_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows as `read_rows` gives them; raises `DataError` at a row that lacks one of the columns."""
    for line, row in read_rows(path):
        for column in columns:
            if column not in row:
                raise DataError(
                    f"{path} line {line}: no column {column!r}; "
                    f"its columns are {', '.join(map(repr, row))}"
                )
        yield line, row


def _array(numbers: Sequence[Sequence[int]], head: Head) -> NDArray[np.generic]:
    if head.kind is not HeadKind.MULTI:
        return np.array([row[0] for row in numbers], dtype=np.int64)
    array = np.zeros((len(numbers), len(head.labels)), dtype=np.float32)
    for line, row in enumerate(numbers):
        array[line, list(row)] = 1.0
    return array


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a csv or JSON lines file with the line each ends on.

    Raises
    ------
    DataError
        When the file is missing, of another kind, not utf-8, or a row is torn.
    """
    plain = path.name.removesuffix(".gz")
    if not plain.endswith((".csv", ".jsonl")):
        raise DataError(f"{path}: expected a file named .csv, .csv.gz, .jsonl or .jsonl.gz")
    try:
        with _open(path) as file:
            yield from _csv_rows(path, file) if plain.endswith(".csv") else _json_rows(path, file)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not utf-8 ({error}); save it as utf-8") from error
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read: {reason}") from error


def _open(path: Path) -> IO[str]:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _csv_rows(path: Path, file: IO[str]) -> Iterator[tuple[int, dict[str, str]]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    reader = csv.reader(file, strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise DataError(f"{path}: empty; expected a header row")
        header[0] = header[0].removeprefix("\ufeff")
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise DataError(
                    f"{path} line {reader.line_num}: {len(row)} fields where the header "
                    f"has {len(header)}; repair or remove the row"
                )
            yield reader.line_num, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise DataError(f"{path} line {reader.line_num}: torn row: {error}") from error


def _json_rows(path: Path, file: IO[str]) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path} line {number}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise DataError(f"{path} line {number}: expected an object with named fields")
        yield number, {str(k): "" if v is None else str(v) for k, v in row.items()}
