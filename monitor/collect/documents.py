"""Reports as files: PDF, Word (DOCX), HTML and plain text, to a title, a text and a date."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

from lxml import etree

from monitor.collect.html_text import beginning
from monitor.errors import ForeshockError

MAX_FILE_BYTES = 50 * 2**20
MAX_PART_BYTES = 50 * 2**20
MAX_PAGES = 500
MAX_CHARS = 1_000_000

_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_DUBLIN = "{http://purl.org/dc/elements/1.1/}"
_TERMS = "{http://purl.org/dc/terms/}"
_NO_TITLE = re.compile(
    r"(?i)untitled|microsoft word\b.*|document\d*|slide \d+|.*\.(?:docx?|pdf|indd|pptx?)"
)


class NotADocument(ForeshockError):
    """A file cannot be read as a document; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says. ``text`` has a line for each paragraph or line of a page."""

    title: str
    text: str
    published: datetime | None = None


def read_document(name: str, data: bytes) -> Document:
    """Return what a file says.

    Parameters
    ----------
    name
        Of the file: its ending tells what it is (one of `READERS`).

    Raises
    ------
    NotADocument
        Damaged, encrypted, without text (a scan), or of an unknown kind.

    Examples
    --------
    >>> read_document("note.txt", b"Acme fails\\nThe company said so.").title
    'Acme fails'
    """
    suffix = PurePath(name).suffix.lower()
    if suffix not in READERS:
        raise NotADocument(f"{suffix or 'no ending'}: documents are {', '.join(READERS)}")
    found = READERS[suffix](data)
    text = found.text[:MAX_CHARS].strip()
    if not text:
        raise NotADocument("no text in it: a scan? Run it through OCR first")
    title = " ".join(found.title.split())
    if not title or _NO_TITLE.fullmatch(title):
        title = beginning(
            next(line for line in text.splitlines() if line.strip()).replace("<", "&lt;")
        )
    return Document(title, text, found.published)


def _pdf(data: bytes) -> Document:
    try:
        from pypdf import PdfReader
    except ImportError:
        raise NotADocument("PDF needs: pip install 'foreshock[documents]'") from None
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise NotADocument("encrypted: save it without a password")
        pages = []
        length = 0
        for page in reader.pages[:MAX_PAGES]:
            pages.append(page.extract_text())
            length += len(pages[-1])
            if length > MAX_CHARS:
                break
        about = reader.metadata
        title = (about.title if about else None) or ""
        at = about.creation_date if about else None
    except NotADocument:
        raise
    except Exception as error:  # hostile input: whatever the reader stumbles over is a bad file
        raise NotADocument(f"not a readable PDF: {error or type(error).__name__}") from error
    return Document(title, "\n\n".join(pages), at)


def _docx(data: bytes) -> Document:
    """Read the paragraphs of Office Open XML (ECMA-376, part 1, section 17.3)."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            body = _part(parts, "word/document.xml")
            about = (
                _part(parts, "docProps/core.xml")
                if "docProps/core.xml" in parts.namelist()
                else None
            )
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, OSError) as error:
        raise NotADocument(f"not a readable DOCX: {error}") from error
    text = "\n".join(_paragraphs(body))
    title = "" if about is None else about.findtext(f"{_DUBLIN}title") or ""
    created = None if about is None else about.findtext(f"{_TERMS}created")
    try:
        at = datetime.fromisoformat(created.strip()) if created else None
    except ValueError:
        at = None
    return Document(title, text, at)


def _part(parts: zipfile.ZipFile, name: str) -> etree._Element:
    with parts.open(name) as file:
        data = file.read(MAX_PART_BYTES + 1)
    if len(data) > MAX_PART_BYTES:
        raise NotADocument(f"{name} has more than {MAX_PART_BYTES:,} bytes when decompressed")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise NotADocument(f"not a readable DOCX: {name}: {error}") from error


def _paragraphs(body: etree._Element) -> Iterator[str]:
    for paragraph in body.iter(f"{_WORD}p"):
        pieces = []
        for run in paragraph.iter(f"{_WORD}t", f"{_WORD}tab", f"{_WORD}br"):
            pieces.append(run.text or "" if run.tag == f"{_WORD}t" else " ")
        line = "".join(pieces).strip()
        if line:
            yield line


def _html(data: bytes) -> Document:
    from monitor.collect.page_text import read_page  # the extractor takes half a second to import

    page = read_page(data)
    return (
        Document("", "")
        if page is None
        else Document(page.title, page.text[:MAX_CHARS], page.published)
    )


def _plain(data: bytes) -> Document:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return Document("", data.decode(encoding))
        except UnicodeDecodeError:
            continue
    raise NotADocument("neither UTF-8 nor GB 18030: save it as UTF-8")


READERS: Mapping[str, Callable[[bytes], Document]] = {
    ".pdf": _pdf,
    ".docx": _docx,
    ".html": _html,
    ".htm": _html,
    ".txt": _plain,
    ".md": _plain,
}
