"""SIGTERM and SIGINT as a request to stop, which a process follows when it has done what is in hand."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

log = logging.getLogger(__name__)

ASKING = (signal.SIGTERM, signal.SIGINT)
DRAIN_S = 25.0  # whoever supervises a process kills it after 30
NOT_DRAINED = 1


@contextmanager
def stopping(call: Callable[[], object], drain_s: float | None = None) -> Iterator[None]:
    """Call something, once, in a thread of its own, when this process is asked to stop.

    Not in the handler: that runs in the main thread, between any two of its instructions, and would wait for
    ever for a lock that the main thread holds just then (``Event.set`` in the middle of ``Event.wait``).
    ``SimpleQueue.put`` is the one thing in the standard library that is made for it.

    Outside the main thread, where there are no signals, it does nothing.

    Parameters
    ----------
    call
        Lets the block end.
    drain_s
        Seconds that the block has to end from then on; after them the process ends as it stands, with
        exit code 1, and says where its threads were. None: as long as it takes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: SimpleQueue[bool] = SimpleQueue()
    before = {number: signal.signal(number, lambda *_: asked.put(True)) for number in ASKING}

    def follow() -> None:
        if not asked.get():
            return
        call()
        try:
            while asked.get(timeout=drain_s):
                pass
        except Empty:
            log.error(
                "not done %.0f s after being asked to stop: what is in hand is left; whoever goes on does "
                "it again; the threads stand here:",
                drain_s,
            )
            faulthandler.dump_traceback()
            os._exit(NOT_DRAINED)

    threading.Thread(target=follow, name="stopping", daemon=True).start()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        asked.put(False)
