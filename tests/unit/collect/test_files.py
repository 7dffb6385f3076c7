"""Reports as files: PDF, DOCX, HTML and text, sound and broken."""

from __future__ import annotations

import io
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.collect.articles import MAX_LEAD_CHARS, to_article
from monitor.collect.dates import DateRules
from monitor.collect.documents import NotADocument, read_document
from monitor.collect.raw import RawItem
from monitor.collect.source import SourceConfig, SourceError
from monitor.collect.sources import open_source
from monitor.domain import Article, DeadItem, DeadReason

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def pdf(*lines: str, title: str = "") -> bytes:
    """Return a PDF of one page, written by hand (ISO 32000-1, section 7.5)."""
    shown = " T* ".join(f"({line}) Tj" for line in lines)
    stream = f"BT /F1 12 Tf 14 TL 50 750 Td {shown} ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R "
        "/Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        f"<< /Title ({title}) /CreationDate (D:20260104120000Z) >>",
    ]
    data, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{each}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    tail = (
        f"xref\n0 7\n0000000000 65535 f \n{table}trailer\n<< /Size 7 /Root 1 0 R /Info 6 0 R >>\n"
    )
    return data + f"{tail}startxref\n{len(data)}\n%%EOF\n".encode()


def docx(*paragraphs: str, title: str = "", body: str | None = None) -> bytes:
    inner = "".join(f"<w:p><w:r><w:t>{each}</w:t></w:r></w:p>" for each in paragraphs)
    core = (
        '<cp:coreProperties xmlns:cp="x" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'xmlns:dcterms="http://purl.org/dc/terms/"><dc:title>{title}</dc:title>'
        "<dcterms:created>2026-01-04T12:00:00Z</dcterms:created></cp:coreProperties>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr(
            "word/document.xml",
            body or f'<w:document xmlns:w="{WORD}"><w:body>{inner}</w:body></w:document>',
        )
        parts.writestr("docProps/core.xml", core)
    return out.getvalue()


def opened(place: Path, **options: Any) -> Any:
    return open_source(SourceConfig("reports", "files", str(place), language="en", options=options))


def polled(source: Any) -> list[RawItem | DeadItem]:
    return list(source.poll(NOW))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (
            "a.pdf",
            pdf("Acme Corp is short of cash.", "It told its lenders.", title="Acme downgraded"),
        ),
        (
            "a.docx",
            docx("Acme Corp is short of cash.", "It told its lenders.", title="Acme downgraded"),
        ),
    ],
)
def test_title_text_and_date_of_a_report(name: str, data: bytes) -> None:
    found = read_document(name, data)
    assert found.title == "Acme downgraded"
    assert found.text.split("\n") == ["Acme Corp is short of cash.", "It told its lenders."]
    assert found.published is not None and found.published.isoformat()[:10] == "2026-01-04"


def test_a_title_that_is_none_gives_way_to_the_first_words() -> None:
    data = pdf("Acme downgraded to CCC", "Cash is short.", title="Microsoft Word - final_v3.docx")
    assert read_document("a.PDF", data).title == "Acme downgraded to CCC"
    assert read_document("a.txt", "评级下调\n现金短缺".encode("gb18030")).title == "评级下调"


BOMB = docx(body=f'<w:document xmlns:w="{WORD}">{" " * 60_000_000}</w:document>')


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.pdf", b"%PDF-1.4 nonsense", "not a readable PDF"),
        ("a.pdf", pdf(""), "a scan"),
        ("a.docx", b"PK nonsense", "not a readable DOCX"),
        ("a.docx", docx("")[:-30], "not a readable DOCX"),
        ("a.docx", docx(body="<w:document"), "not a readable DOCX"),
        ("a.docx", BOMB, "when decompressed"),
        ("a.txt", b"\xff\xff\xff", "neither UTF-8 nor GB 18030"),
        ("a.xls", b"", r"\.xls: documents are \.pdf, \.docx"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(name: str, data: bytes, said: str) -> None:
    with pytest.raises(NotADocument, match=said):
        read_document(name, data)


def test_entities_of_a_docx_are_not_expanded() -> None:
    body = (
        f'<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><w:document xmlns:w="{WORD}">'
        "<w:p><w:r><w:t>Acme &e;</w:t></w:r></w:p></w:document>"
    )
    assert read_document("a.docx", docx(body=body)).text == "Acme"


def test_a_folder_is_read_once_and_what_changes_is_an_update(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.txt").write_text("Beta defaults\nIt did not pay.")
    (tmp_path / "a.pdf").write_bytes(pdf("Acme fails", "So it said."))
    (tmp_path / "bad.pdf").write_bytes(b"%PDF")
    (tmp_path / "ignored.xls").write_bytes(b"")
    (tmp_path / ".hidden.txt").write_text("x")
    for age_s, name in enumerate(["bad.pdf", "a.pdf", "sub/b.txt"], 100):
        os.utime(tmp_path / name, (NOW.timestamp() - age_s,) * 2)
    source = opened(tmp_path)
    beta, acme, bad = polled(source)
    assert (
        isinstance(bad, DeadItem) and bad.reason is DeadReason.BAD_FILE and "bad.pdf" in bad.detail
    )
    assert isinstance(acme, RawItem) and isinstance(beta, RawItem)
    assert (beta.title, acme.title) == ("Beta defaults", "Acme fails")
    assert polled(source) == []
    (tmp_path / "a.pdf").write_bytes(pdf("Acme saved", "So it said."))
    [again] = polled(source)
    assert isinstance(again, RawItem) and again.guid == acme.guid
    source.close()


def test_links_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    assert polled(opened(folder)) == []
    with pytest.raises(SourceError, match="no such file or folder"):
        polled(opened(tmp_path / "none"))


def test_a_long_report_travels_whole_and_a_short_one_as_its_lead(tmp_path: Path) -> None:
    text = "Sales were flat in the year. " * 100
    (tmp_path / "long.txt").write_text(f"Annual report\n{text} Mail a.b@c.example. <script>")
    (tmp_path / "short.txt").write_text("Note\nAcme pays.")
    os.utime(tmp_path / "long.txt", (NOW.timestamp(),) * 2)
    os.utime(tmp_path / "short.txt", (NOW.timestamp() + 1,) * 2)
    long, short = (to_article(item, NOW, DateRules()) for item in polled(opened(tmp_path)))  # type: ignore[arg-type]
    assert isinstance(long, Article) and isinstance(short, Article)
    assert len(long.lead) <= MAX_LEAD_CHARS < len(long.body)
    assert "c.example" not in long.body and "<" not in long.body
    assert (short.lead, short.body) == ("Note Acme pays.", "")
