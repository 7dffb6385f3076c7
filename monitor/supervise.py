"""The supervisor: starts the processes of Foreshock, starts them again when they die, stops them in order.

``python -m monitor.supervise CHILDREN LEVEL FORM``, as `become` starts it, loads next to nothing: it takes an
eighth of the memory of the command line that read the settings.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from monitor.logs import set_up
from monitor.signals import stopping

log = logging.getLogger(__name__)

DRAIN_S = 30.0
HEALTHY_S = 60.0  # a process that lived this long starts again without waiting
RESTART_S = (1.0, 60.0)
# Exit codes that starting again cannot mend: done, and a wrong setting.
FINAL = (0, 2)
# Something outside did not answer when it started: it is tried again soon, however often.
AWAY, AWAY_S = 3, 5.0
_LIBC = ctypes.CDLL(None)


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


def become(children: Sequence[Child], level: str, form: str) -> NoReturn:
    """Turn this process into the supervisor of some processes, with logs of a level and form."""
    said = json.dumps([[child.name, child.module, *child.arguments] for child in children])
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", __name__, said, level, form])


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
    """Start a process; it gets a session of its own, so that Ctrl-C reaches it through us only.

    On Linux it is asked to stop when we end without having asked, killed, say: nobody looks after it then.
    """
    command = [sys.executable, "-m", child.module, *child.arguments]
    child.process = subprocess.Popen(
        command,
        env=dict(environment),
        start_new_session=True,
        preexec_fn=_end_with_us if sys.platform == "linux" else None,
    )
    child.started_s = time.monotonic()


def _end_with_us() -> None:
    """Between fork and exec: have SIGTERM sent when the parent ends (prctl(2), PR_SET_PDEATHSIG)."""
    _LIBC.prctl(1, signal.SIGTERM)


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


if __name__ == "__main__":
    _children, _level, _form = sys.argv[1:]
    set_up(_level, _form)
    sys.exit(
        supervise([Child(name, module, rest) for name, module, *rest in json.loads(_children)])
    )
