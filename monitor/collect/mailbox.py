"""A mailbox, by IMAP over TLS (RFC 9051, RFC 8314): each mail is an item. Nothing in it is changed."""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpcore2
from pydantic import Field, SecretStr

from monitor.collect.addresses import Forbidden
from monitor.collect.articles import dead_item
from monitor.collect.fetch import Web, is_address, shared_web
from monitor.collect.html_text import beginning
from monitor.collect.mail import Mail, is_from, read_mail
from monitor.collect.options import Options
from monitor.collect.raw import RawItem
from monitor.collect.source import Failure, SourceConfig, SourceError
from monitor.domain import DeadItem, DeadReason
from monitor.errors import ConfigError
from monitor.secret import secret_text

PORT = 993
TIMEOUT_S = 20.0
DEADLINE_S = 120.0
MAX_MAIL_BYTES = 2**20  # of each the beginning: what follows is attachments
MAX_ANSWER_BYTES = 2 * MAX_MAIL_BYTES
_PRINTABLE = re.compile(r"[ -~]+")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class MailboxOptions(Options):
    """Whose mailbox it is, and which mails are read."""

    user: str = Field(min_length=1, description="User of the mailbox.")
    password: SecretStr = Field(description="Password, or `file:PATH`. Never printed.")
    senders: list[str] = Field(
        [], description="Addresses or domains whose mails are read; empty: all. They can be forged."
    )
    days: int = Field(
        7, ge=1, le=3_650, description="How old mails may be that are read at the first visit."
    )
    max_mails: int = Field(200, ge=1, le=5_000, description="Most mails of one visit.")
    ca_file: Path | None = Field(None, description="PEM file of the server's authority.")


class MailboxSource:
    """A mailbox of news letters and alerts, `imaps://HOST/FOLDER`; hearsay unless a credibility is given."""

    Options = MailboxOptions
    once = False
    #: Anybody can write to a mailbox, in anybody's name.
    credibility = 0.4

    def __init__(self, config: SourceConfig) -> None:
        self.config = config
        self.name = config.name
        self.interval_s = config.interval_s
        self.location = config.location
        self.options: MailboxOptions = config.options
        self._validity = (
            ""  # of the numbers: when it changes, they mean other mails (RFC 9051, 2.3.1.1)
        )
        self._read = 0  # number of the last mail that was read

    @property
    def memory(self) -> Mapping[str, str]:
        """Up to which mail the folder has been read."""
        if not self._validity:
            return {}
        return {"location": self.location, "validity": self._validity, "read": str(self._read)}

    def remember(self, memory: Mapping[str, str]) -> None:
        """Take up where an earlier process was in this folder."""
        read = memory.get("read", "")
        if memory.get("location") == self.location and read.isdecimal():
            self._validity, self._read = memory.get("validity", ""), int(read)

    def poll(self, now: datetime) -> Iterator[RawItem | DeadItem]:
        """Yield the mails that are new, the oldest first; see `monitor.collect.source.Source.poll`."""
        with self._open() as box:
            for number in self._numbers(box, now):
                data, arrived = _fetched(box, number)
                if data is not None:  # else it was deleted meanwhile
                    item = self._item(number, data, arrived, now)
                    if item is not None:
                        yield item
                self._read = number

    def close(self) -> None:
        """Nothing is open between visits."""

    @contextmanager
    def _open(self) -> Iterator[imaplib.IMAP4]:
        """Open the folder, to read only; tell what goes wrong until it is closed."""
        host, port, folder = self._place()
        box: _Box | None = None
        watch = _Watch(DEADLINE_S)
        try:
            password = secret_text(self.options.password) or ""
            user = _quoted("user", self.options.user)
            _printable("password", password)  # imaplib quotes it
            context = ssl.create_default_context(cafile=self.options.ca_file)
            trusted = self.config.private or is_address(host)
            box = _Box(shared_web(), host, port, trusted, context, watch)
            try:
                box.login(user, password)
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error as error:
                said = str(error).replace(password, "***")
                raise SourceError(f"the login is refused: {said}", kind=Failure.REFUSED) from None
            answer, said_of = box.select(_quoted("folder", folder), readonly=True)
            if answer != "OK":
                said = _text(said_of)
                message = f"the folder cannot be opened: {said}"
                raise SourceError(message, kind=Failure.UNREACHABLE)
            yield box
        except Forbidden as error:
            message = f"{error}; a source may have private = true"
            raise self._failed(message, Failure.FORBIDDEN) from error
        except SourceError as error:
            raise self._failed(str(error), error.kind) from error
        except ConfigError as error:
            raise self._failed(str(error), Failure.MISCONFIGURED) from error
        except (TimeoutError, httpcore2.TimeoutException) as error:
            raise self._failed("no answer in time", Failure.TIMEOUT) from error
        except (ssl.SSLError, imaplib.IMAP4.error) as error:
            if watch.is_over:
                raise self._failed("not read in time", Failure.TIMEOUT) from error
            how = "TLS" if isinstance(error, ssl.SSLError) else "IMAP"
            raise self._failed(f"{how}: {error}", Failure.PROTOCOL) from error
        except (OSError, httpcore2.NetworkError) as error:
            raise self._failed(str(error) or type(error).__name__, Failure.UNREACHABLE) from error
        finally:
            if box is not None:
                with suppress(imaplib.IMAP4.error, OSError):
                    box.logout()
                with suppress(OSError):  # it is closed already where that went well
                    box.shutdown()
            watch.end()

    def _place(self) -> tuple[str, int, str]:
        try:
            parts = urlsplit(self.location)
            host, port = parts.hostname, parts.port or PORT
        except ValueError:
            parts, host, port = urlsplit(""), None, PORT
        if parts.scheme != "imaps" or not host:
            message = f"{self.location}: write imaps://HOST/FOLDER; user and password are options"
            raise SourceError(message, kind=Failure.MISCONFIGURED)
        return host, port, unquote(parts.path.strip("/")) or "INBOX"

    def _numbers(self, box: imaplib.IMAP4, now: datetime) -> list[int]:
        """Return the mails that have not been read, the oldest first."""
        validity = _text(box.response("UIDVALIDITY")[1])
        if validity != self._validity:
            self._validity, self._read = validity, 0
        first = now - timedelta(days=self.options.days)
        since = f"SINCE {first.day}-{_MONTHS[first.month - 1]}-{first.year}"
        asked = f"UID {self._read + 1}:*" if self._read else since
        _, found = box.uid("SEARCH", asked)
        numbers = {int(each) for each in _text(found).split() if each.isdecimal()}
        # The last mail is always one of "N:*".
        return sorted(each for each in numbers if each > self._read)[: self.options.max_mails]

    def _item(
        self, number: int, data: bytes, arrived: datetime | None, now: datetime
    ) -> RawItem | DeadItem | None:
        origin = f"{self.location};UIDVALIDITY={self._validity};UID={number}"  # RFC 5092
        mail = read_mail(data)
        if mail is None:
            detail = "no mail can be made of it"
            payload = data[:2_000].decode("utf-8", "replace")
            return dead_item(DeadReason.BAD_FILE, detail, origin, payload, now)
        if self.options.senders and not is_from(mail, self.options.senders):
            return None
        return self._raw(mail, origin, arrived)

    def _raw(self, mail: Mail, origin: str, arrived: datetime | None) -> RawItem:
        return RawItem(
            source=self.name,
            origin=origin,
            title=mail.title.replace("<", "&lt;") or beginning(mail.text or mail.html),
            summary=mail.html,
            url=None,
            guid=f"mid:{mail.key}" if mail.key else origin,
            published=mail.sent_at or arrived,
            publisher=self.config.publisher or mail.domain or self.name,
            language=self.config.language or mail.language,
            body=mail.text,
        )

    def _failed(self, message: str, kind: Failure) -> SourceError:
        told = message if self.location in message else f"{self.location}: {message}"
        return SourceError(told, kind=kind)


class _Watch:
    """Cuts a connection when its time is over, whatever it waits for."""

    def __init__(self, seconds: float) -> None:
        self.wire: socket.socket | None = None
        self.is_over = False
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        self._timer.cancel()

    def _cut(self) -> None:
        self.is_over = True
        if self.wire is not None:
            with suppress(OSError):
                socket.socket.shutdown(self.wire, socket.SHUT_RDWR)  # under the TLS of its thread


class _Box(imaplib.IMAP4_SSL):
    """A connection to a checked address, which reads no endless answers."""

    def __init__(
        self,
        web: Web,
        host: str,
        port: int,
        trusted: bool,
        context: ssl.SSLContext,
        watch: _Watch,
    ) -> None:
        self._web = web
        self._trusted = trusted
        self._watch = watch
        super().__init__(host, port, ssl_context=context, timeout=TIMEOUT_S)

    def _create_socket(self, timeout: float | None) -> ssl.SSLSocket:
        plain = self._web.connect(self.host, self.port, TIMEOUT_S, self._trusted)
        plain.settimeout(TIMEOUT_S)
        wire: ssl.SSLSocket = self.ssl_context.wrap_socket(
            plain, server_hostname=self.host, do_handshake_on_connect=False
        )
        self._watch.wire = wire
        try:
            wire.do_handshake()
        except BaseException:
            wire.close()
            raise
        return wire

    def read(self, size: int) -> bytes:
        if size > MAX_ANSWER_BYTES:
            raise self.abort(f"the server would send {size:,} bytes at once")
        return super().read(size)


def _fetched(box: imaplib.IMAP4, number: int) -> tuple[bytes | None, datetime | None]:
    """Return the beginning of a mail, and when it arrived; looking leaves no mark (RFC 9051, 6.4.5)."""
    asked = f"(UID INTERNALDATE BODY.PEEK[]<0.{MAX_MAIL_BYTES}>)"
    answer, found = box.uid("FETCH", str(number), asked)
    if answer != "OK":
        raise box.error(f"mail {number}: {_text(found)}")
    for each in found or ():
        if isinstance(each, tuple):
            dated = imaplib.Internaldate2tuple(each[0])
            at = None if dated is None else datetime(*dated[:6]).astimezone(UTC)
            return each[1], at
    return None, None


def _quoted(name: str, text: str) -> str:
    """Return a string of a command (RFC 9051, section 9)."""
    escaped = _printable(name, text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _printable(name: str, text: str) -> str:
    if not _PRINTABLE.fullmatch(text):
        raise ConfigError(f"{name}: write printable ASCII letters, digits and signs")
    return text


def _text(found: object) -> str:
    parts = found if isinstance(found, list) else []
    return " ".join(each.decode("utf-8", "replace") for each in parts if isinstance(each, bytes))
