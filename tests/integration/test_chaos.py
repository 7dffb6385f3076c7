"""A short run of chaos: what was accepted is stored once, counted once, and told."""

from __future__ import annotations

import pytest

from tests.chaos.burst import burst
from tests.chaos.faults import UNAVAILABLE
from tests.chaos.outage import recovery
from tests.chaos.run import chaos

SECONDS = 120.0
FAULTS = 10
BACK_S = 15.0
DRAIN_S = 30.0  # then its supervisor kills a process
GROWTH_PERCENT = 25.0


@pytest.mark.timeout(1_200)
def test_nothing_is_lost_or_doubled_under_faults() -> None:
    outcome = chaos(SECONDS, seed=7)
    assert outcome.sound, outcome
    assert sum(outcome.faults.values()) >= FAULTS
    assert outcome.accepted > 1_000
    assert outcome.told_twice <= sum(outcome.faults.values())
    assert set(outcome.crashes) <= {UNAVAILABLE}
    assert outcome.longest_drain_s < DRAIN_S


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_work_goes_on_within_seconds_of_a_long_outage() -> None:
    found = recovery(outage_s=60)
    assert set(found) == {"killed_database", "frozen_broker"}
    assert max(found.values()) <= BACK_S, found


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_a_tenfold_burst_leaves_memory_flat_and_loses_nothing() -> None:
    found = burst(seconds=120, seed=3)
    assert found.outcome.sound, found
    assert found.growth_percent < GROWTH_PERCENT, found
