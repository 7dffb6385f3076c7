"""The command line, as a worker of the chaos run: ``python -m tests.chaos.worker COMMAND ...``."""

from __future__ import annotations

import errno
import faulthandler
import signal
import time

from monitor.cli import main

_sleep = time.sleep


def sleep(seconds: float) -> None:
    """Sleep as the system does, which returns at once where libfaketime answers EINVAL."""
    try:
        _sleep(seconds)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


def mend_sleep() -> None:
    """Let this process, whose clock is libfaketime's, sleep as the system does.

    It answers EINVAL where a sleep ends before it has begun.
    """
    setattr(time, "sleep", sleep)  # noqa: B010 - its type is a builtin's


if __name__ == "__main__":
    mend_sleep()
    faulthandler.register(
        signal.SIGUSR1
    )  # where each thread stands, for who asks why it does not end
    main()
