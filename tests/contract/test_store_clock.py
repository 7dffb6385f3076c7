"""The time that processes agree on: the server's, whatever this machine's clock says meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.clock import SystemClock
from monitor.store import Store
from monitor.store import clock as store_clock
from monitor.store.clock import StoreClock, wall_clock
from tests.chaos.surroundings import ProcessClock

ROOT = Path(__file__).parents[2]
SAY = """
import sys
from monitor.store import Store
from monitor.store.clock import time_of, wall_clock
store = Store(sys.argv[1])
print(wall_clock(store).now().isoformat())
print(time_of(store).isoformat())
print(time_of(store).isoformat())
"""


def test_a_process_whose_clock_is_wrong_agrees_with_the_others(
    postgres: str, tmp_path: Path
) -> None:
    clock = ProcessClock(tmp_path / "clock")
    if clock.library is None:
        pytest.skip("no libfaketime (Debian: faketime)")
    clock.set(-48 * 3_600)
    done = subprocess.run(
        [sys.executable, "-c", SAY, postgres],
        cwd=ROOT,
        env={**os.environ, **clock.environment()},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    said = [datetime.fromisoformat(line) for line in done.stdout.split()]
    assert said[1] <= said[2]
    assert all(abs((datetime.now(UTC) - each).total_seconds()) < 30 for each in said)


def test_it_goes_on_between_two_questions_and_follows_the_server(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(postgres)
    clock = StoreClock(store)
    first = clock.now()
    assert first.utcoffset() == datetime.now(UTC).utcoffset()
    assert first <= clock.now()
    assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 1
    monkeypatch.setattr(store_clock, "ASK_EVERY_S", 0.0)
    for _ in range(3):
        clock.follow()
        assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 1
    store.close()


def test_an_embedded_database_has_the_machines_clock(sqlite_store: Store) -> None:
    assert isinstance(wall_clock(sqlite_store), SystemClock)
