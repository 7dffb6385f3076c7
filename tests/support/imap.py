"""A small IMAP server (RFC 9051) over TLS on loopback: enough to log in, open a folder, search and fetch."""

from __future__ import annotations

import asyncio
import re
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

USER, PASSWORD = "desk", 'pa ss"w\\rd'
_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"|(\S+)')
_PARTIAL = re.compile(rb"<0\.(\d+)>")


@dataclass
class Folder:
    """Mails by number."""

    mails: dict[int, bytes] = field(default_factory=dict)
    validity: int = 7


class Mailbox:
    """Folders that a test fills, and the commands that were sent (of logins the name only).

    Attributes
    ----------
    silent
        Answers nothing any more.
    lies
        Says so many bytes of a mail are to come.
    """

    def __init__(self, url: str, ca_file: Path) -> None:
        self.url = url
        self.ca_file = ca_file
        self.folders: dict[str, Folder] = {"INBOX": Folder()}
        self.commands: list[str] = []
        self.silent = False
        self.lies: int | None = None

    def options(self, **more: object) -> dict[str, object]:
        """What a source is told to read it."""
        return {"user": USER, "password": PASSWORD, "ca_file": self.ca_file, **more}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened = Folder()
        writer.write(b"* OK ready\r\n")
        while (line := await reader.readline()) and not self.silent:
            tag, *words = [quoted or word for quoted, word in _WORD.findall(line)]
            words = [re.sub(rb"\\(.)", rb"\1", word) for word in words]
            name = words[0].upper().decode()
            if name == "UID":
                name = f"UID {words[1].upper().decode()}"
            self.commands.append(name)
            done = b"OK done"
            if name == "CAPABILITY":
                writer.write(b"* CAPABILITY IMAP4rev1\r\n")
            elif name == "LOGIN" and words[1:] != [USER.encode(), PASSWORD.encode()]:
                done = b"NO wrong: " + words[2]
            elif name in ("EXAMINE", "SELECT"):
                found = self.folders.get(words[1].decode())
                if found is None:
                    done = b"NO there is no such folder"
                else:
                    opened = found
                    writer.write(b"* %d EXISTS\r\n" % len(opened.mails))
                    writer.write(b"* OK [UIDVALIDITY %d] valid\r\n" % opened.validity)
            elif name == "UID SEARCH":
                first = int(words[3].partition(b":")[0]) if words[2] == b"UID" else 0
                last = max(opened.mails, default=0)
                found_mails = [each for each in opened.mails if each >= first or each == last]
                writer.write(b"* SEARCH %s\r\n" % b" ".join(b"%d" % each for each in found_mails))
            elif name == "UID FETCH" and int(words[2]) in opened.mails:
                most = _PARTIAL.search(line)
                data = opened.mails[int(words[2])][: int(most[1]) if most else None]
                size = len(data) if self.lies is None else self.lies
                about = b'UID %s INTERNALDATE "05-Jan-2026 10:30:00 +0100" BODY[]<0>' % words[2]
                writer.write(b"* 1 FETCH (%s {%d}\r\n%s)\r\n" % (about, size, data))
            elif name == "LOGOUT":
                writer.write(b"* BYE\r\n")
            writer.write(tag + b" " + done + b"\r\n")
            await writer.drain()
            if name == "LOGOUT":
                break
        while self.silent and not reader.at_eof():
            await asyncio.sleep(0.05)
        writer.close()


@contextmanager
def mailbox(folder: Path) -> Iterator[Mailbox]:
    """Serve a mailbox while the block runs; ``folder`` gets its certificate."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl, to make a certificate with")
    key, certificate = folder / "imap.key", folder / "imap.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    made += ["-nodes", "-days", "2", "-subj", "/CN=localhost"]
    made += [
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    loop = asyncio.new_event_loop()
    served = Mailbox("", certificate)
    server = loop.run_until_complete(
        asyncio.start_server(lambda r, w: served.serve(r, w), "127.0.0.1", 0, ssl=context)
    )
    served.url = f"imaps://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield served
    finally:

        async def stop() -> None:
            server.close()
            others = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
            for each in others:
                each.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
