"""Whole tables in and out, every column kept; `models.tables` reads, this writes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from models.errors import DataError
from models.tables import read_rows

_ENDINGS = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a file with their places.

    Parameters
    ----------
    path
        The file.
    columns
        In order of first appearance.
    lines
        Line each row ends on.
    rows
        By column; a JSON row may lack some.
    """

    path: Path
    columns: tuple[str, ...]
    lines: tuple[int, ...]
    rows: tuple[Mapping[str, str], ...]

    def column(self, name: str) -> list[str]:
        """Values of one column.

        Raises
        ------
        DataError
            When a row lacks it; names the line and the columns there are.
        """
        values = []
        for line, row in zip(self.lines, self.rows, strict=True):
            if name not in row:
                raise DataError(
                    f"{self.path} line {line}: no column {name!r}; "
                    f"its columns are {', '.join(map(repr, row))}"
                )
            values.append(row[name])
        return values

    def only(self, column: str, value: str) -> Table:
        """The rows whose `column` is `value`.

        Raises
        ------
        DataError
            When there are none; names the values there are.
        """
        values = self.column(column)
        kept = [i for i, found in enumerate(values) if found == value]
        if not kept:
            there = ", ".join(map(repr, sorted(set(values))))
            raise DataError(
                f"{self.path}: no rows of {column} {value!r}; its {column}s are {there}"
            )
        lines, rows = self.lines, self.rows
        return Table(
            self.path, self.columns, tuple(lines[i] for i in kept), tuple(rows[i] for i in kept)
        )


def read_table(path: Path) -> Table:
    """Read a csv or JSON lines file, plain or gzip.

    Raises
    ------
    DataError
        When it cannot be read, a row is torn, or there is none.
    """
    lines, rows = [], []
    columns: dict[str, None] = {}
    for line, row in read_rows(path):
        lines.append(line)
        rows.append(row)
        columns |= dict.fromkeys(row)
    if not rows:
        raise DataError(f"{path}: no rows to read")
    return Table(path, tuple(columns), tuple(lines), tuple(rows))


def check_out(out: Path, *sources: Path) -> None:
    """Refuse a file to write before the work is done.

    Raises
    ------
    DataError
        When its name is of another kind, its folder is missing, or it is one of the sources.
    """
    if not out.name.endswith(_ENDINGS):
        raise DataError(f"{out}: expected a file named {', '.join(_ENDINGS)} to write")
    if not out.parent.is_dir():
        raise DataError(f"{out}: its folder does not exist; create {out.parent}")
    for source in sources:
        if out.resolve() == source.resolve():
            raise DataError(f"{out}: is the file that is read; name another to write")


def write_table(out: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write rows, in the form the file's name asks for; the same rows give the same bytes.

    The file appears whole or not at all.

    Raises
    ------
    DataError
        When it cannot be written.
    """
    text = io.StringIO(newline="")
    if out.name.removesuffix(".gz").endswith(".csv"):
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        for row in rows:
            kept = {name: row[name] for name in columns if name in row}
            text.write(json.dumps(kept, ensure_ascii=False) + "\n")
    content = text.getvalue().encode("utf-8", "backslashreplace")
    if out.name.endswith(".gz"):
        content = gzip.compress(content, mtime=0)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(out)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise DataError(f"{out}: cannot be written: {error.strerror or error}") from error
