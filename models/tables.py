"""Labelled tables: csv or JSON lines, plain or gzip, with errors that name the place.

The standard library's readers are enough here, and they can say the line of a torn row.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from models.errors import DataError
from models.text import model_input

_BAD_ROWS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Labelled:
    """Texts with the label of each, out of one file and split.

    Parameters
    ----------
    texts
        As the classifier reads them (`models.text.model_input`).
    labels
        Index of each text's label, in the order of the head's labels.
    """

    texts: tuple[str, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def __add__(self, other: Labelled) -> Labelled:
        return Labelled(self.texts + other.texts, self.labels + other.labels)


def read_labelled(
    path: Path,
    *,
    text: str,
    label: str,
    names: Sequence[str],
    split: str | None = None,
    keep: Callable[[dict[str, str]], bool] | None = None,
) -> Labelled:
    """Read one split of a labelled file.

    Parameters
    ----------
    path
        ``.csv``, ``.csv.gz``, ``.jsonl`` or ``.jsonl.gz``, utf-8, with named columns.
    text, label
        Columns that hold the text and its label.
    names
        The labels that may stand in `label`, in the head's order.
    split
        Only rows whose ``split`` column says so; None for every row.
    keep
        A further condition on a row.

    Returns
    -------
    Labelled

    Raises
    ------
    DataError
        When the file cannot be read, or lacks the column, the split or a known label; the
        message names those there are.
    """
    index = {name: i for i, name in enumerate(names)}
    texts: list[str] = []
    labels: list[int] = []
    splits: set[str] = set()
    unknown: dict[str, int] = {}
    for line, row in read_rows(path):
        for column in (text, label) + (("split",) if split is not None else ()):
            if column not in row:
                raise DataError(
                    f"{path} line {line}: no column {column!r}; "
                    f"its columns are {', '.join(map(repr, row))}"
                )
        if split is not None:
            splits.add(row["split"])
            if row["split"] != split:
                continue
        if keep is not None and not keep(row):
            continue
        number = index.get(row[label])
        if number is None:
            unknown.setdefault(row[label], line)
            continue
        texts.append(model_input(row[text]))
        labels.append(number)
    if unknown:
        shown = ", ".join(
            f"{name!r} (line {line})" for name, line in list(unknown.items())[:_BAD_ROWS_SHOWN]
        )
        raise DataError(
            f"{path}: column {label!r} holds labels this head does not have: {shown}; "
            f"it has {', '.join(map(repr, names))}"
        )
    if not texts:
        if split is not None and split not in splits:
            there = ", ".join(map(repr, sorted(splits))) or "none"
            raise DataError(f"{path}: no rows of split {split!r}; its splits are {there}")
        raise DataError(f"{path}: no rows to read")
    return Labelled(tuple(texts), tuple(labels))


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


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
