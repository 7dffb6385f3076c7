"""Records out of untrusted files: bounded memory, exact line numbers, a bad line costs one line.

A quote that is never closed must not swallow the rest of a file. So a CSV record that does not end
on its line is read on line by line, and given up (its first line alone is torn, reading resumes at
the second) as soon as a following line is a whole record by itself, or after `MAX_RECORD_LINES`
lines.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple, cast

from monitor.collect.source import Failure, SourceError
from monitor.domain import DeadReason

MAX_LINE_BYTES = 1 << 20
MAX_FIELD_CHARS = 1 << 17
MAX_RECORD_LINES = 100
_SHOWN_BYTES = 2_000
_GZIP_MAGIC = b"\x1f\x8b"
_OPEN_QUOTE = "unexpected end of data"


class Torn(NamedTuple):
    """A line that is no record, and why."""

    line: int
    reason: DeadReason
    detail: str
    payload: str


class Line(NamedTuple):
    """One physical line, without its end."""

    number: int
    text: str


class Row(NamedTuple):
    """One CSV record and the number of its first line."""

    line: int
    fields: list[str]


class LineFile:
    """The lines of a text file, plain or gzip (told by its first bytes).

    Parameters
    ----------
    path
        As the user gave it; every message names it so.

    Raises
    ------
    SourceError
        It cannot be opened or read, or its compressed data are damaged.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.bytes_total = 0
        self._bytes_read = 0
        self._raw: BinaryIO | None = None

    @property
    def bytes_read(self) -> int:
        """Bytes of the (compressed) file read so far."""
        if self._raw is not None and not self._raw.closed:
            self._bytes_read = self._raw.tell()
        return self._bytes_read

    def lines(self) -> Iterator[Line | Torn]:
        """Yield every line that is not blank, from the first."""
        number = 0
        try:
            with open(self.path, "rb") as raw:
                self._raw = raw
                self.bytes_total = os.fstat(raw.fileno()).st_size
                compressed = raw.peek(2)[:2] == _GZIP_MAGIC
                unpacked = cast(io.RawIOBase, gzip.GzipFile(fileobj=raw)) if compressed else raw
                data: BinaryIO = io.BufferedReader(cast(io.RawIOBase, unpacked), 1 << 18)
                while line := data.readline(MAX_LINE_BYTES + 1):
                    number += 1
                    length = len(line)
                    if length > MAX_LINE_BYTES and not line.endswith(b"\n"):
                        length += _skip_line(data)
                        yield _too_large(number, length, line)
                        continue
                    decoded = _decode(number, line)
                    if decoded is not None:
                        yield decoded
                self._bytes_read = self.bytes_total
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SourceError(
                f"{self.path}: the compressed data are damaged after line {number} ({error}); "
                "copy the file again",
                kind=Failure.UNREADABLE,
            ) from error
        except OSError as error:
            raise SourceError(
                f"{self.path}: cannot be read: {error.strerror or error}; check the path",
                kind=Failure.UNREACHABLE,
            ) from error


def rows(
    lines: Iterator[Line | Torn], width: int, is_record: Callable[[list[str]], bool]
) -> Iterator[Row | Torn]:
    """Yield CSV records (RFC 4180, comma) of ``width`` fields.

    Parameters
    ----------
    lines
        The lines after the header.
    width
        Fields of a record.
    is_record
        Whether fields of the right number look like a record by themselves (a readable date in its
        column).
    """
    ahead: deque[Line | Torn] = deque()
    while True:
        line = ahead.popleft() if ahead else next(lines, None)
        if line is None:
            return
        if isinstance(line, Torn):
            yield line
        elif '"' not in line.text:
            fields = line.text.split(",")
            yield Row(line.number, fields) if len(fields) == width else _wrong(line, fields, width)
        else:
            yield _quoted(line, lines, ahead, width, is_record)


def _quoted(
    first: Line,
    lines: Iterator[Line | Torn],
    ahead: deque[Line | Torn],
    width: int,
    is_record: Callable[[list[str]], bool],
) -> Row | Torn:
    fields = split(first.text)
    if fields is not None:
        return _checked(first, fields, width)
    text, taken = first.text, 0
    while True:
        if taken == len(ahead):
            following = next(lines, None)
            if following is None:
                break
            ahead.append(following)
        following = ahead[taken]
        if isinstance(following, Torn) or taken == MAX_RECORD_LINES:
            break
        alone = split(following.text)
        if isinstance(alone, list) and len(alone) == width and is_record(alone):
            break
        text = f"{text}\n{following.text}"
        taken += 1
        # Inside a quoted field only an odd number of quotes can end it.
        if len(text) > MAX_LINE_BYTES or following.text.count('"') % 2 == 0:
            continue
        fields = split(text)
        if isinstance(fields, list) and len(fields) == width:
            for _ in range(taken):
                ahead.popleft()
            return Row(first.number, fields)
        if fields is not None:
            break
    return Torn(first.number, DeadReason.TORN_ROW, "a quote is opened and not closed", first.text)


def split(text: str) -> list[str] | Torn | None:
    """Return the fields of one record, ``None`` when a quoted field is still open at its end."""
    try:
        fields = next(csv.reader([text], strict=True))
    except csv.Error as error:
        if str(error) == _OPEN_QUOTE:
            return None
        if "field limit" not in str(error):
            return Torn(0, DeadReason.TORN_ROW, str(error), text)
        fields = [text]
    # The reader's own limit is the whole process's, and others set it too.
    longest = max(map(len, fields), default=0)
    if longest > MAX_FIELD_CHARS:
        detail = f"a field of {longest:,} characters; the most is {MAX_FIELD_CHARS:,}"
        return Torn(0, DeadReason.TOO_LARGE, detail, text)
    return fields


def _checked(line: Line, fields: list[str] | Torn, width: int) -> Row | Torn:
    if isinstance(fields, Torn):
        return fields._replace(line=line.number)
    return Row(line.number, fields) if len(fields) == width else _wrong(line, fields, width)


def _wrong(line: Line, fields: list[str], width: int) -> Torn:
    detail = f"{len(fields)} fields where the header has {width}"
    return Torn(line.number, DeadReason.TORN_ROW, detail, line.text)


def _decode(number: int, line: bytes) -> Line | Torn | None:
    if b"\0" in line:
        return Torn(number, DeadReason.TORN_ROW, "the line holds a NUL byte", _shown(line))
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        detail = f"byte {error.start + 1} of the line (0x{line[error.start]:02x}) is not UTF-8"
        return Torn(number, DeadReason.NOT_UTF8, detail, _shown(line))
    text = text.rstrip("\r\n")
    return Line(number, text) if text and not text.isspace() else None


def _too_large(number: int, length: int, start: bytes) -> Torn:
    detail = f"the line has {length} bytes, at most {MAX_LINE_BYTES} are taken"
    return Torn(number, DeadReason.TOO_LARGE, detail, _shown(start))


def _shown(line: bytes) -> str:
    return line[:_SHOWN_BYTES].decode("utf-8", "backslashreplace")


def _skip_line(data: BinaryIO) -> int:
    skipped = 0
    while piece := data.readline(MAX_LINE_BYTES):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped
