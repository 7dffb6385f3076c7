"""A real Prometheus Alertmanager for tests, that tells all it takes to the test's receiver.

Without its program tests skip, except in CI, where that is a failure.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import httpx2 as httpx
import pytest

from tests.support.receiver import Receiver

START_S = 30.0
PROGRAMS = ("prometheus-alertmanager", "alertmanager")  # Debian's name, and its own
CONFIG = """
route:
  receiver: test
  group_by: [company, event]
  group_wait: 100ms
  group_interval: 500ms
  repeat_interval: 1h
receivers:
  - name: test
    webhook_configs:
      - url: {url}
        send_resolved: true
"""


@pytest.fixture
def alertmanager(tmp_path: Path, receiver: Receiver) -> Iterator[str]:
    """The address of an Alertmanager that routes everything to `receiver`."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        _cannot("no prometheus-alertmanager on the PATH (Debian: prometheus-alertmanager)")
    config, log = tmp_path / "alertmanager.yml", tmp_path / "alertmanager.log"
    config.write_text(CONFIG.format(url=receiver.url))
    address = f"127.0.0.1:{_free_port()}"
    command = [
        *(program, f"--config.file={config}", f"--storage.path={tmp_path / 'alertmanager'}"),
        *(f"--web.listen-address={address}", "--cluster.listen-address=", "--log.level=warn"),
    ]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        _wait_until_ready(process, f"http://{address}/-/ready", log)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"Alertmanager did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


def _cannot(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"Alertmanager cannot be started: {reason}", pytrace=False)
    pytest.skip(f"Alertmanager cannot be started: {reason}")
