"""CSV files that people write: by column, with the file and line of anything wrong."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from monitor.entities.fold import fold
from monitor.errors import ConfigError


class Table:
    """The rows of a UTF-8 CSV file by the folded names of their columns.

    Parameters
    ----------
    path
        The file; its first line names the columns, in any order and any case.
    needed
        Columns that have to be there.

    Raises
    ------
    ConfigError
        The file cannot be read, or a row is wrong; the message names file and line and what to
        change.
    """

    def __init__(self, path: Path, *needed: str) -> None:
        self._path = path
        self._rows = _rows(path, _read(path))
        try:
            _, header = next(self._rows)
        except StopIteration:
            raise ConfigError(
                f"{path}: the watchlist is empty; write a header line `name,aliases` and one "
                "company per line"
            ) from None
        self.columns = [fold(cell).strip() for cell in header]
        for name in needed:
            if name not in self.columns:
                raise ConfigError(
                    f"{path}:1: no column `{name}` among {', '.join(map(repr, header))}; the first "
                    "line must be a comma-separated header such as `name,aliases,ticker,isin`"
                )
        if doubled := {name for name in self.columns if name and self.columns.count(name) > 1}:
            raise ConfigError(f"{path}:1: column `{min(doubled)}` is given twice; remove one")

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the line each row starts at, and its cells by column."""
        empty = True
        for line, cells in self._rows:
            empty = False
            if len(cells) != len(self.columns):
                raise ConfigError(
                    f"{self._path}:{line}: {len(cells)} fields where the header has "
                    f"{len(self.columns)}; complete the row, or put quotes around a field that "
                    "holds a comma"
                )
            yield line, dict(zip(self.columns, map(str.strip, cells), strict=True))
        if empty:
            raise ConfigError(
                f"{self._path}: the watchlist has a header and no company; add one per line"
            )


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot read the watchlist: {error.strerror}; check the path"
        ) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path}:{line}: byte 0x{data[error.start]:02x} is not UTF-8; save the file as `CSV "
            "UTF-8`"
        ) from None


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line each row starts at, and its cells; blank lines are left out."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ConfigError(
                f"{path}:{line}: torn row ({error}); close the quotes, or double a quote inside "
                "a quoted field"
            ) from None
        if any(cell.strip() for cell in cells):
            yield line, cells
        line = reader.line_num + 1
