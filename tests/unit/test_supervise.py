"""The supervisor's children end with it, however it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

CHILD = [["web", "http.server", "0", "--bind", "127.0.0.1"]]
LONGEST_S = 20.0


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a killed supervisor leaves children")
@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_children_end_with_their_supervisor(how: signal.Signals, code: int) -> None:
    command = [sys.executable, "-m", "monitor.supervise", json.dumps(CHILD), "info", "text"]
    supervisor = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    listed = Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children")
    until(lambda: bool(listed.read_text().split()))
    child = Path("/proc") / listed.read_text().split()[0]
    until(lambda: b"http.server" in (child / "cmdline").read_bytes())
    supervisor.send_signal(how)
    assert supervisor.wait(LONGEST_S) == code
    until(lambda: not (child / "cmdline").exists() or not (child / "cmdline").read_bytes())
