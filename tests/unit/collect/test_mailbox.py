"""A mailbox, by a real IMAP server over TLS: what is read, what is left as it was, what fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.collect import mailbox as reading
from monitor.collect.articles import to_article
from monitor.collect.dates import DateRules
from monitor.collect.mail import read_mail
from monitor.collect.mailbox import MAX_MAIL_BYTES
from monitor.collect.raw import RawItem
from monitor.collect.source import Failure, Remembers, Source, SourceConfig, SourceError
from monitor.collect.sources import credibility, open_source
from monitor.domain import Article, DeadItem
from tests.support.imap import PASSWORD, Folder, Mailbox, mailbox

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    with mailbox(tmp_path_factory.mktemp("imap")) as served:
        yield served


@pytest.fixture
def box(served: Mailbox) -> Mailbox:
    served.folders = {"INBOX": Folder()}
    served.commands.clear()
    served.silent, served.lies = False, None
    return served


def mail(number: int, subject: str = "", sender: str = "Wire <News@wire.example>") -> EmailMessage:
    made = EmailMessage()
    made["From"] = sender
    made["Subject"] = subject or f"Acme news {number}"
    made["Date"] = "Mon, 05 Jan 2026 09:30:00 +0000"
    made["Message-ID"] = f"<{number}@wire.example>"
    made.set_content(f"Acme Corp said so, for the reason {number}.")
    return made


def config(box: Mailbox, folder: str = "INBOX", **options: Any) -> SourceConfig:
    told = box.options(**options)
    return SourceConfig("s", "mailbox", f"{box.url}/{folder}", language="en", options=told)


def opened(box: Mailbox, folder: str = "INBOX", **options: Any) -> Source:
    return open_source(config(box, folder, **options))


def titles(source: Source) -> list[str]:
    return [item.title for item in source.poll(NOW) if isinstance(item, RawItem)]


def fails(source: Source) -> SourceError:
    with pytest.raises(SourceError) as caught:
        list(source.poll(NOW))
    assert PASSWORD not in str(caught.value)
    return caught.value


def test_a_mail_is_an_item_and_stays_unread(box: Mailbox) -> None:
    told = mail(1, "Acme <b>fails</b>, says 李雷")
    told.add_alternative("<p>Acme Corp said so</p>", subtype="html")
    told.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="a.pdf")
    box.folders["INBOX"].mails[4] = bytes(told)
    [item] = opened(box).poll(NOW)
    assert isinstance(item, RawItem)
    assert (item.publisher, item.guid) == ("wire.example", "mid:1@wire.example")
    assert item.origin == f"{box.url}/INBOX;UIDVALIDITY=7;UID=4"
    article = to_article(item, NOW, DateRules())
    assert isinstance(article, Article)
    assert (
        article.title == "Acme <b>fails</b>, says 李雷" or article.title == "Acme fails, says 李雷"
    )
    assert article.lead == "Acme Corp said so, for the reason 1."
    assert article.published_at == datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    assert box.commands == ["CAPABILITY", "LOGIN", "EXAMINE", "UID SEARCH", "UID FETCH", "LOGOUT"]


def test_html_alone_is_read_as_text_and_a_mail_without_a_date_by_its_arrival(box: Mailbox) -> None:
    box.folders["INBOX"].mails[1] = (
        b"From: a@b.example\r\nContent-Type: text/html; charset=gb2312\r\n"
        b"Subject: =?utf-8?b?QWNtZQ==?=\r\n\r\n"
        + "<style>p{}</style><p>Acme 宣布<b>召回</b></p>".encode("gb2312")
    )
    [item] = opened(box).poll(NOW)
    assert isinstance(item, RawItem)
    article = to_article(item, NOW, DateRules())
    assert isinstance(article, Article)
    assert (article.title, article.lead) == ("Acme", "Acme 宣布召回")
    assert article.published_at == datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


def test_what_was_read_is_not_read_again_after_a_restart(box: Mailbox) -> None:
    inbox = box.folders["INBOX"]
    inbox.mails = {number: bytes(mail(number)) for number in (3, 5, 8)}
    source = opened(box, max_mails=2)
    assert titles(source) == ["Acme news 3", "Acme news 5"]
    again = opened(box)
    assert isinstance(source, Remembers) and isinstance(again, Remembers)
    again.remember(json.loads(json.dumps(dict(source.memory))))
    assert titles(again) == ["Acme news 8"]
    assert titles(again) == []  # the server offers the last one again
    elsewhere = opened(box, "Other")
    assert isinstance(elsewhere, Remembers)
    elsewhere.remember(again.memory)
    assert elsewhere.memory == {}
    again.remember({"location": f"{box.url}/INBOX", "read": "x", "validity": "7"})
    assert again.memory["read"] == "8"
    box.folders["INBOX"] = Folder({1: bytes(mail(3)), 2: bytes(mail(9))}, validity=8)
    assert titles(again) == ["Acme news 3", "Acme news 9"]  # the same ids: a repeat and a new one


def test_mails_of_other_senders_are_left(box: Mailbox) -> None:
    senders = [
        "Wire <a@wire.example>",
        "b@sub.wire.example",
        "c@other.example",
        "d@evilwire.example",
    ]
    for number, sender in enumerate(senders, 1):
        box.folders["INBOX"].mails[number] = bytes(mail(number, sender=sender))
    source = opened(box, senders=["Wire.example"])
    assert titles(source) == ["Acme news 1", "Acme news 2"]
    assert isinstance(source, Remembers) and source.memory["read"] == "4"
    assert credibility(config(box)) < 0.5  # anybody can write in anybody's name


def test_of_a_long_mail_the_beginning_is_fetched(box: Mailbox) -> None:
    long = mail(1)
    long.add_attachment(b"\0" * 3 * MAX_MAIL_BYTES, maintype="application", subtype="zip")
    box.folders["INBOX"].mails[1] = bytes(long)
    [item] = opened(box).poll(NOW)
    assert isinstance(item, RawItem) and item.body == "Acme Corp said so, for the reason 1."


def test_what_goes_wrong_is_told(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    box.folders["INBOX"].mails[1] = bytes(mail(1))
    assert fails(opened(box, user="eve")).kind is Failure.REFUSED
    assert fails(opened(box, "nowhere")).kind is Failure.UNREACHABLE
    untrusted = fails(opened(box, ca_file=None))
    assert untrusted.kind is Failure.PROTOCOL and "certificate" in str(untrusted)
    secret = fails(opened(box, password="file:/nowhere/secret"))
    assert secret.kind is Failure.MISCONFIGURED and "/nowhere/secret" in str(secret)
    assert fails(opened(box, user="a\r\nA LOGOUT")).kind is Failure.MISCONFIGURED
    plain = SourceConfig("s", "mailbox", "imap://mail.example/INBOX", options=box.options())
    assert fails(open_source(plain)).kind is Failure.MISCONFIGURED
    named = SourceConfig(
        "s", "mailbox", box.url.replace("127.0.0.1", "localhost"), options=box.options()
    )
    private = fails(open_source(named))
    assert private.kind is Failure.FORBIDDEN and "private = true" in str(private)
    box.lies = 10 * MAX_MAIL_BYTES
    assert "would send" in str(fails(opened(box)))
    box.silent = True
    monkeypatch.setattr(reading, "DEADLINE_S", 1.0)
    assert fails(opened(box)).kind is Failure.TIMEOUT


def test_what_is_no_mail_is_dead_and_the_rest_goes_on(
    box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.folders["INBOX"].mails = {1: b"\xff\xfe", 2: bytes(mail(2))}
    monkeypatch.setattr(
        reading, "read_mail", lambda data: read_mail(data) if data[:1] != b"\xff" else None
    )
    dead, item = opened(box).poll(NOW)
    assert isinstance(dead, DeadItem) and "UID=1" in dead.origin
    assert isinstance(item, RawItem) and item.title == "Acme news 2"


def test_a_password_is_read_from_a_file(box: Mailbox, tmp_path: Path) -> None:
    box.folders["INBOX"].mails[1] = bytes(mail(1))
    (tmp_path / "secret").write_text(PASSWORD + "\n")
    assert titles(opened(box, password=f"file:{tmp_path / 'secret'}")) == ["Acme news 1"]


@given(st.binary(max_size=300) | st.binary(max_size=200).map(bytes(mail(1))[:80].__add__))
def test_any_bytes_are_read_quietly(data: bytes) -> None:
    read_mail(data)
