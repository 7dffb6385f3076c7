"""The supervisor: starts the processes of Foreshock, starts them again when they die, stops them in order."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from monitor.signals import stopping

log = logging.getLogger(__name__)

DRAIN_S = 30.0
HEALTHY_S = 60.0  # a process that lived this long starts again without waiting
RESTART_S = (1.0, 60.0)
# Exit codes that starting again cannot mend: done, and a wrong setting.
FINAL = (0, 2)
# Something outside did not answer when it started: it is tried again soon, however often.
AWAY, AWAY_S = 3, 5.0


@dataclass(slots=True)
class Child:
    """One process: a module that Python runs, and its arguments."""

    name: str
    module: str
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    start_at_s: float = 0.0
    wait_s: float = field(default=RESTART_S[0])


def supervise(children: Sequence[Child], environment: Mapping[str, str] | None = None) -> int:
    """Run processes until told to stop (SIGTERM, SIGINT) or until one ends for good.

    Returns
    -------
    int
        Exit code: 0 after a stop, else that of the process that ended.
    """
    stop = threading.Event()
    with (
        stopping(stop.set),
        tempfile.TemporaryDirectory(prefix="foreshock-metrics-") as folder,
    ):
        variables = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": folder, **(environment or {})}
        try:
            return _watch(children, variables, stop)
        finally:
            stop_all(children)


def start(child: Child, environment: Mapping[str, str]) -> None:
    """Start a process; it gets a session of its own, so that Ctrl-C reaches it through us only."""
    command = [sys.executable, "-m", child.module, *child.arguments]
    child.process = subprocess.Popen(command, env=dict(environment), start_new_session=True)
    child.started_s = time.monotonic()


def _watch(children: Sequence[Child], environment: Mapping[str, str], stop: threading.Event) -> int:
    while not stop.is_set():
        for child in children:
            if child.process is None:
                if time.monotonic() >= child.start_at_s:
                    start(child, environment)
                continue
            code = child.process.poll()
            if code is None:
                continue
            if code in FINAL:
                return code
            now = time.monotonic()
            if now - child.started_s > HEALTHY_S:
                child.wait_s = RESTART_S[0]
            elif code == AWAY:
                child.wait_s = min(child.wait_s, AWAY_S)
            log.error(
                "%s ended with code %d; starting again in %.0f s", child.name, code, child.wait_s
            )
            child.process = None
            child.start_at_s = now + child.wait_s
            child.wait_s = min(child.wait_s * 2, RESTART_S[1])
        stop.wait(0.2)
    return 0


def stop_all(children: Sequence[Child]) -> None:
    """Ask for a drain, then insist."""
    alive = [child.process for child in children if child.process is not None]
    for process in alive:
        if process.poll() is None:
            process.terminate()
    until = time.monotonic() + DRAIN_S
    for process in alive:
        try:
            process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
