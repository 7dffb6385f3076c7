"""The command line, as a worker of the chaos run: ``python -m tests.chaos.worker COMMAND ...``.

libfaketime answers EINVAL where a sleep ends before it has begun; the system returns at once.
"""

from __future__ import annotations

import errno
import time

from monitor.cli import main

_sleep = time.sleep


def sleep(seconds: float) -> None:
    try:
        _sleep(seconds)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


if __name__ == "__main__":
    setattr(time, "sleep", sleep)  # noqa: B010 - its type is a builtin's
    main()
