"""A headless Chromium of its own, spoken to by the DevTools protocol through a pipe: no port is open."""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from monitor.collect.fetch import user_agent
from monitor.collect.source import Failure, SourceError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAX_MESSAGE_BYTES = 64 * 2**20
MAX_HEAP_MIB = 512
MAX_FILE_BYTES = 64 * 2**20
_FIRST_FD = 10  # above the two where Chromium looks for its pipes
_END = b"\0"

#: Put in front of Chromium: its pipes go where it looks for them, and no file it writes grows large.
_LAUNCH = """
import os, resource, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
os.execv(sys.argv[4], sys.argv[4:])
"""

#: No way out but the proxy, nothing kept, nothing asked for that the page does not ask for.
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-notifications",
    "--disable-sync",
    "--block-new-web-contents",
    "--metrics-recording-only",
    "--mute-audio",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--password-store=basic",
    "--use-mock-keychain",
    f"--js-flags=--max-old-space-size={MAX_HEAP_MIB}",
)

Event = Callable[[str, Mapping[str, Any]], None]


class Refused(Exception):
    """Chromium answers a command with an error."""


class Chromium:
    """One browser with an empty profile; leaving the block kills it with its children.

    Parameters
    ----------
    proxy_port
        Of the proxy on loopback that is its only way out.
    until_s
        When it is over, on the monotonic clock.
    sandbox
        Whether pages are rendered in Chromium's sandbox.
    on_event
        Is told what happens, while an answer is waited for.
    """

    def __init__(self, proxy_port: int, until_s: float, sandbox: bool, on_event: Event) -> None:
        self._until_s = until_s
        self._on_event = on_event
        self._number = 0
        self._got = bytearray()
        self._session: str | None = None
        self._answers: dict[int, Mapping[str, Any]] = {}
        program = found()
        self._profile = Path(tempfile.mkdtemp(prefix="foreshock-browser-"))
        flags = [
            *FLAGS,
            f"--proxy-server=http://127.0.0.1:{proxy_port}",
            f"--user-data-dir={self._profile}",
            f"--user-agent={user_agent()}",
            *([] if sandbox else ["--no-sandbox"]),
            "about:blank",
        ]
        try:
            self._start(program, flags)
        except OSError:
            shutil.rmtree(self._profile, ignore_errors=True)
            raise

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(ProcessLookupError):  # it went by itself
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._to)
        os.close(self._from)
        shutil.rmtree(self._profile, ignore_errors=True)

    def attach(self) -> None:
        """Speak to the page that is open from now on."""
        pages = self.call("Target.getTargets")["targetInfos"]
        while not any(page["type"] == "page" for page in pages):
            self.pump(0.05)
            pages = self.call("Target.getTargets")["targetInfos"]
        page = next(page for page in pages if page["type"] == "page")
        told = {"targetId": page["targetId"], "flatten": True}
        self._session = str(self.call("Target.attachToTarget", told)["sessionId"])

    def call(self, method: str, told: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Return what a command answers.

        Raises
        ------
        Refused
            It answers with an error.
        SourceError
            There was no answer in time, or the browser is gone.
        """
        number = self.send(method, told)
        while number not in self._answers:
            self._read(self._left_s())
        answer = self._answers.pop(number)
        if "error" in answer:
            raise Refused(f"{method}: {answer['error'].get('message')}")
        result: Mapping[str, Any] = answer.get("result", {})
        return result

    def send(self, method: str, told: Mapping[str, Any] | None = None) -> int:
        """Send a command and do not wait for its answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": told or {}}
        if self._session is not None:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + _END
        try:
            while data:
                if _is_ready(self._to, selectors.EVENT_WRITE, self._left_s()):
                    data = data[os.write(self._to, data) :]
        except BrokenPipeError:
            raise self._gone() from None
        return self._number

    def pump(self, seconds: float) -> None:
        """Let things happen for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._read(min(left, self._left_s()))
        self._answers.clear()  # of commands that nobody waits for

    def _read(self, seconds: float) -> None:
        if not _is_ready(self._from, selectors.EVENT_READ, seconds):
            return
        piece = os.read(self._from, 2**20)
        if not piece:
            raise self._gone()
        self._got += piece
        if len(self._got) > MAX_MESSAGE_BYTES:
            raise SourceError("the browser says too much of the page", kind=Failure.TOO_LARGE)
        if _END not in piece:
            return
        *messages, self._got = self._got.split(_END)
        for message in map(json.loads, messages):
            if "id" in message:
                self._answers[message["id"]] = message
            elif message.get("sessionId") == self._session:
                self._on_event(message["method"], message.get("params", {}))

    def _start(self, program: str, flags: Sequence[str]) -> None:
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        os.set_blocking(self._to, False)
        given = [
            fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _FIRST_FD) for end in (theirs_in, theirs_out)
        ]
        os.close(theirs_in)
        os.close(theirs_out)
        # None of our environment, where there may be secrets.
        home = {name: str(self._profile) for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR")}
        launch = [sys.executable, "-I", "-S", "-c", _LAUNCH, *map(str, given), str(MAX_FILE_BYTES)]
        try:
            with (self._profile / "said").open("wb") as said:
                self._process = subprocess.Popen(
                    [*launch, program, *flags],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", **home},
                    pass_fds=given,
                    start_new_session=True,
                )
        except OSError:
            os.close(self._to)
            os.close(self._from)
            raise
        finally:
            for end in given:
                os.close(end)

    def _gone(self) -> SourceError:
        said = (self._profile / "said").read_text("utf-8", "replace").strip().splitlines()
        hint = (
            "; run as another user than root" if any("no-sandbox" in line for line in said) else ""
        )
        message = f"chromium ended: {said[-1] if said else 'without a word'}{hint}"
        return SourceError(message, kind=Failure.MISCONFIGURED if hint else Failure.BROKEN)

    def _left_s(self) -> float:
        left = self._until_s - time.monotonic()
        if left <= 0:
            raise SourceError("not rendered in time", kind=Failure.TIMEOUT)
        return left


def _is_ready(end: int, how: int, seconds: float) -> bool:
    with selectors.PollSelector() as waiting:  # `select` knows 1,024 files
        waiting.register(end, how)
        return bool(waiting.select(seconds))


def found() -> str:
    """Return where Chromium is.

    Raises
    ------
    SourceError
        Nowhere on the PATH.
    """
    for name in NAMES:
        path = shutil.which(name)
        if path is not None:
            return path
    raise SourceError(
        "no chromium, which javascript = true needs: `apt-get install chromium`, or put it on the PATH",
        kind=Failure.MISCONFIGURED,
    )
