"""Files and folders of reports: PDF, DOCX, HTML and text, each an item; read again when it changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

from monitor.collect.articles import dead_item
from monitor.collect.documents import MAX_FILE_BYTES, READERS, NotADocument, read_document
from monitor.collect.options import Options
from monitor.collect.raw import RawItem
from monitor.collect.source import Failure, SourceConfig, SourceError
from monitor.domain import DeadItem, DeadReason

MAX_FILES = 100_000


class FilesOptions(Options):
    """Which files are read, and how they are dated."""

    pattern: str = Field("**/*", description="Which files of the folder, such as `**/*.pdf`.")
    dated: str = Field(
        "arrival",
        pattern="^(arrival|document)$",
        description="`arrival`: by the time the file was written here; `document`: by its own date.",
    )


class FilesSource:
    """A file, or a folder of reports: PDF, DOCX, HTML and text; a changed file is an update of its item."""

    Options = FilesOptions
    once = False

    def __init__(self, config: SourceConfig) -> None:
        self.name = config.name
        self.interval_s = config.interval_s
        self.place = Path(config.location)
        self.options: FilesOptions = config.options
        self._config = config
        self._read: dict[Path, tuple[int, int]] = {}

    def poll(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        """Yield the files that are new or changed; see `monitor.collect.source.Source.poll`."""
        for path in self._files():
            try:
                stat = path.stat()
                state = (stat.st_size, stat.st_mtime_ns)
                if self._read.get(path) == state:
                    continue
                if stat.st_size > MAX_FILE_BYTES:
                    raise NotADocument(f"more than {MAX_FILE_BYTES:,} bytes")
                item = self._item(path, path.read_bytes(), stat.st_mtime)
            except NotADocument as error:
                detail = f"{path}: {error}"
                yield dead_item(DeadReason.BAD_FILE, detail, str(path), path.name, now)
            except OSError as error:
                raise SourceError(
                    f"{path}: cannot be read: {error.strerror}", kind=Failure.UNREACHABLE
                ) from error
            else:
                yield item
            self._read[path] = state

    def close(self) -> None:
        """Nothing is open."""

    def _files(self) -> list[Path]:
        """Return the files, the oldest first."""
        if self.place.is_file():
            return [self.place]
        if not self.place.is_dir():
            raise SourceError(
                f"{self.place}: no such file or folder; check the path", kind=Failure.UNREACHABLE
            )
        root = self.place.resolve()
        found = []
        for path in self.place.glob(self.options.pattern):
            hidden = any(part.startswith(".") for part in path.relative_to(self.place).parts)
            if path.suffix.lower() not in READERS or hidden or not path.is_file():
                continue
            if not path.resolve().is_relative_to(root):  # a link that leads out of the folder
                continue
            found.append(path)
            if len(found) > MAX_FILES:
                raise SourceError(
                    f"{self.place}: more than {MAX_FILES:,} files; narrow the pattern",
                    kind=Failure.TOO_LARGE,
                )
        return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path))

    def _item(self, path: Path, data: bytes, written_s: float) -> RawItem:
        document = read_document(path.name, data)
        written = datetime.fromtimestamp(written_s, UTC)
        by_itself = self.options.dated == "document" and document.published
        place = path.relative_to(self.place) if path != self.place else path.name
        return RawItem(
            source=self.name,
            origin=str(path),
            title=document.title.replace("<", "&lt;"),
            summary="",
            url=None,
            guid=f"file:{self.name}/{place}",
            published=document.published if by_itself else written,
            publisher=self._config.publisher or self.name,
            language=self._config.language,
            body=document.text,
        )
