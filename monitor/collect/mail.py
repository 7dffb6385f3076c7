"""One mail (RFC 5322) to an item: its subject, its text, who sent it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

from monitor.collect.articles import MAX_BODY_CHARS
from monitor.collect.html_text import MAX_HTML_CHARS

_ADDRESS = re.compile(r"[^\s<>@]+@((?:[\w-]+\.)+[\w-]+)")


@dataclass(frozen=True, slots=True)
class Mail:
    """What a mail says.

    Parameters
    ----------
    key
        Its ``Message-ID``; empty where it has none.
    sender
        Address of its ``From`` line, in lower case. Anybody can write that line.
    text, html
        One of them is empty: the text goes before the HTML.
    """

    key: str
    sender: str
    title: str
    text: str
    html: str
    sent_at: datetime | None
    language: str | None

    @property
    def domain(self) -> str:
        """Of the sender."""
        return self.sender.rpartition("@")[2]


def read_mail(data: bytes) -> Mail | None:
    """Return what a mail says, ``None`` where nothing can be made of it. Never raises.

    What is cut off (a long attachment) is read as far as it goes; attachments are not read.

    Examples
    --------
    >>> mail = read_mail(b"From: Desk <News@wire.example>\\r\\nSubject: Acme fails\\r\\n\\r\\nIt said so.")
    >>> mail.domain, mail.title, mail.text
    ('wire.example', 'Acme fails', 'It said so.')
    """
    try:
        message = message_from_bytes(data, policy=policy.default)
        assert isinstance(message, EmailMessage)
        sender = _ADDRESS.search(_header(message, "From"))
        # Mails that show a feed have a stub of text beside the HTML: it is left for the HTML.
        plain, html = _part(message, "plain"), _part(message, "html")
        text = plain if len(plain) > len(html) / 100 or not html else ""
        return Mail(
            _header(message, "Message-ID").strip("<> "),
            sender[0].lower() if sender else "",
            _header(message, "Subject"),
            text[:MAX_BODY_CHARS],
            "" if text else html[:MAX_HTML_CHARS],
            _sent(message),
            _header(message, "Content-Language").partition(",")[0] or None,
        )
    except Exception:  # hostile input: the parser of the standard library stumbles over some
        return None


def is_from(mail: Mail, senders: Iterable[str]) -> bool:
    """Whether a mail says that it is from one of these addresses, domains or what is below them.

    Examples
    --------
    >>> mail = read_mail(b"From: a@news.wire.example\\r\\n\\r\\n")
    >>> is_from(mail, ["wire.example"]), is_from(mail, ["b@news.wire.example", "ire.example"])
    (True, False)
    """
    for each in map(str.lower, senders):
        if each in (mail.sender, mail.domain) or mail.domain.endswith(f".{each}"):
            return True
    return False


def _header(message: EmailMessage, name: str) -> str:
    try:
        return " ".join(str(message.get(name, "")).split())
    except Exception:  # a header that cannot be read is as good as none
        return ""


def _part(message: EmailMessage, kind: str) -> str:
    try:
        part = message.get_body((kind,))
        found = "" if part is None else part.get_content()
    except Exception:  # an unknown encoding, a broken part
        return ""
    return found.strip() if isinstance(found, str) else ""


def _sent(message: EmailMessage) -> datetime | None:
    try:
        found = message["Date"].datetime
    except Exception:  # there is none, or no date can be made of it
        return None
    return found if isinstance(found, datetime) else None
