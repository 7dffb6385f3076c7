"""What a process that serves does once it has loaded everything."""

from __future__ import annotations

import ctypes
import gc
import sys


def settle() -> None:
    """Let the collector look at nothing again that is loaded, and give back what loading used up.

    A full collection looks through libraries too, a tenth of a second in which no other thread runs; glibc
    keeps freed memory unless it is asked (malloc_trim(3)), some 30 MB after a start.
    """
    gc.collect()
    gc.freeze()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not in musl
        if trim is not None:
            trim(0)
