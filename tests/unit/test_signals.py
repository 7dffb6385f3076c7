"""Being asked to stop."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

from monitor.signals import ASKING, NOT_DRAINED, stopping

# Asks itself to stop, again and again, from another thread, while the main thread is most of the time in the
# few instructions of Event.wait that hold its lock.
ROUNDS = """
import os, signal, threading, time
from monitor.signals import stopping

for _ in range(60):
    stop = threading.Event()
    with stopping(stop.set):
        threading.Timer(0.001, os.kill, (os.getpid(), signal.SIGTERM)).start()
        while not stop.wait(0):
            pass
        time.sleep(0.002)  # the signal may still be on its way to the handler of this round
print("stopped")
"""


def test_a_request_in_the_middle_of_a_wait_is_heard() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ROUNDS], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "stopped\n", done.stderr


STUCK = """
import os, signal, time
from monitor.signals import stopping

with stopping(lambda: None, drain_s=0.2):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
"""


def test_what_does_not_end_in_time_ends_as_it_stands_and_says_where_that_was() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == NOT_DRAINED
    assert "asked to stop" in done.stderr
    assert 'File "<string>", line 7' in done.stderr


def test_handlers_are_as_before_afterwards_and_untouched_in_other_threads() -> None:
    before = [signal.getsignal(number) for number in ASKING]
    with stopping(lambda: None):
        assert [signal.getsignal(number) for number in ASKING] != before
    assert [signal.getsignal(number) for number in ASKING] == before

    inside: list[object] = []

    def elsewhere() -> None:
        with stopping(lambda: None):
            inside.extend(signal.getsignal(number) for number in ASKING)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert inside == before
