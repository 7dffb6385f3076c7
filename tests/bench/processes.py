"""What processes take, as Linux counts it: memory shared out fairly, and processor time."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_GONE = (FileNotFoundError, ProcessLookupError)  # it has ended meanwhile


def family(pid: int) -> list[int]:
    """Return a process and all that it has started, as far as they live."""
    found = [pid]
    for each in found:
        with suppress(*_GONE):
            for thread in Path(f"/proc/{each}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
    return found


def cpu_s(pids: Iterable[int]) -> float:
    """Return the user and system seconds of processes, and of those that they have waited for."""
    ticks = 0
    for pid in pids:
        with suppress(*_GONE):
            # After the name, which may hold anything: proc(5), fields 14 to 17.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / _TICKS


def pss_mb(pids: Iterable[int]) -> float:
    """Return the proportional set size: pages that processes share count once among them."""
    kib = 0
    for pid in pids:
        with suppress(*_GONE):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kib += int(line.split()[1])
    return kib * 1024 / 1e6


def maps(pids: Iterable[int], library: str) -> bool:
    """Say whether one of the processes has a library mapped."""
    for pid in pids:
        with suppress(*_GONE):
            if library in Path(f"/proc/{pid}/maps").read_text():
                return True
    return False
