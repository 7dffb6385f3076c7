"""What benchmarks count with is right, so that their figures can be."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from tests.bench.latency import COMPANIES
from tests.bench.processes import cpu_s, family, maps, pss_mb

SPINS = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"])
began = time.process_time()
while time.process_time() - began < 0.2:
    pass
held = bytearray(b"x") * 40_000_000
print("spun", flush=True)
time.sleep(60)
"""


def test_a_process_is_measured_with_what_it_has_started() -> None:
    with subprocess.Popen([sys.executable, "-c", SPINS], stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        try:
            assert {one.stdout.readline(), one.stdout.readline()} == {"\n", "spun\n"}
            pids = family(one.pid)
            assert len(pids) == 2
            assert 0.2 <= cpu_s(pids) < 5
            assert 40 < pss_mb([one.pid]) < 200
            assert maps(pids, "python") or maps(pids, "libc")
            assert not maps(pids, "no such library")
        finally:
            for pid in reversed(family(one.pid)):
                os.kill(pid, 9)


def test_who_has_ended_counts_nothing() -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    time.sleep(0.01)
    assert family(done.pid) == [done.pid]
    assert cpu_s([done.pid]) == pss_mb([done.pid]) == 0


def test_each_report_is_of_another_company() -> None:
    assert len(set(COMPANIES)) == len(COMPANIES) == 400
