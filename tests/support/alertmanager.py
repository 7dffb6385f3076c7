"""A real Prometheus Alertmanager for tests, that tells all it takes to the test's receiver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.program import find, free_port, running
from tests.support.receiver import Receiver

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
    program = find("prometheus-alertmanager", *PROGRAMS)
    config, log = tmp_path / "alertmanager.yml", tmp_path / "alertmanager.log"
    config.write_text(CONFIG.format(url=receiver.url))
    address = f"127.0.0.1:{free_port()}"
    command = [
        *(program, f"--config.file={config}", f"--storage.path={tmp_path / 'alertmanager'}"),
        *(f"--web.listen-address={address}", "--cluster.listen-address=", "--log.level=warn"),
    ]
    with running(command, f"http://{address}/-/ready", log):
        yield f"http://{address}"
